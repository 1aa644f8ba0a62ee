use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{
    gate::Permit,
    model::ServerName,
    sandbox::{Exchange, Sandbox, SandboxError, Session},
};

/// The servers the bridge stands before: the sandbox's, or a test's.
pub trait Servers: Send + Sync + 'static {
    /// Whether a server of this name is installed.
    fn has(&self, server: &ServerName) -> bool;

    /// Opens the session that `permit` permits, for a client that begins with `hello`.
    fn open<'a>(&'a self, permit: Permit, hello: &'a [u8]) -> BoxFuture<'a, Result<Session, SandboxError>>;

    /// Sends one request that stands alone, as `permit` permits, starting the server where it does not run.
    fn ask(&self, permit: Permit, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>>;

    /// The input schema of a tool, as JSON, as it was pinned; none when it is not known.
    fn input_schema(&self, server: &ServerName, tool: &str) -> Option<Arc<str>>;
}

impl Servers for Sandbox {
    fn has(&self, server: &ServerName) -> bool {
        self.has(server)
    }

    fn open<'a>(&'a self, permit: Permit, hello: &'a [u8]) -> BoxFuture<'a, Result<Session, SandboxError>> {
        Box::pin(self.open_session(permit, hello))
    }

    fn ask(&self, permit: Permit, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(self.exchange(permit, request))
    }

    fn input_schema(&self, server: &ServerName, tool: &str) -> Option<Arc<str>> {
        self.input_schema(server, tool)
    }
}
