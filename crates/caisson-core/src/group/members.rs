use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    gate::Permit,
    model::{ServerName, ServerState},
    sandbox::{Exchange, Sandbox, SandboxError},
};

/// The servers that groups are made of: the sandbox's, or a test's.
pub(super) trait Members: Send + Sync + 'static {
    /// Sends one request that stands alone, as `permit` permits, starting the server where it does not run.
    fn ask(&self, permit: Permit, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>>;

    /// The state of a server, and each later one; none when it is not installed.
    fn state(&self, server: &ServerName) -> Option<watch::Receiver<ServerState>>;

    /// Begins to start a server that is to be warm once a client is there.
    fn warm(&self, server: &ServerName);

    /// The input schema of a tool, as JSON, as it was pinned; none when it is not known.
    fn input_schema(&self, server: &ServerName, tool: &str) -> Option<Arc<str>>;
}

impl Members for Sandbox {
    fn ask(&self, permit: Permit, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(self.exchange(permit, request))
    }

    fn state(&self, server: &ServerName) -> Option<watch::Receiver<ServerState>> {
        self.watch_state(server)
    }

    fn warm(&self, server: &ServerName) {
        self.prewarm(server);
    }

    fn input_schema(&self, server: &ServerName, tool: &str) -> Option<Arc<str>> {
        self.input_schema(server, tool)
    }
}
