use futures::future::BoxFuture;

use crate::{
    gate::Permit,
    model::ServerName,
    sandbox::{Sandbox, SandboxError, Session},
};

/// The servers the bridge stands before: the sandbox's, or a test's.
pub trait Servers: Send + Sync + 'static {
    /// Whether a server of this name is installed.
    fn has(&self, server: &ServerName) -> bool;

    /// Opens the session that `permit` permits, starting the server where it does not run.
    fn open(&self, permit: Permit) -> BoxFuture<'_, Result<Session, SandboxError>>;
}

impl Servers for Sandbox {
    fn has(&self, server: &ServerName) -> bool {
        self.has(server)
    }

    fn open(&self, permit: Permit) -> BoxFuture<'_, Result<Session, SandboxError>> {
        Box::pin(self.open_session(permit))
    }
}
