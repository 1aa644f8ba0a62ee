use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{
    gate::{Permit, Principal},
    group::Groups,
    model::Endpoint,
    sandbox::{Exchange, Sandbox, SandboxError, Session},
};

/// What the bridge stands before: servers and groups of them, or a test's.
pub trait Servers: Send + Sync + 'static {
    /// Whether there is such a server or group.
    fn has(&self, endpoint: &Endpoint) -> bool;

    /// Opens the session that `permit` permits, for `principal`, who begins with `hello`.
    fn open<'a>(
        &'a self,
        permit: Permit,
        principal: &'a Principal,
        hello: &'a [u8],
    ) -> BoxFuture<'a, Result<Session, SandboxError>>;

    /// Sends one request of `principal` that stands alone, as `permit` permits, starting the server where it does not
    /// run.
    fn ask<'a>(
        &'a self,
        permit: Permit,
        principal: &'a Principal,
        request: Bytes,
    ) -> BoxFuture<'a, Result<Exchange, SandboxError>>;

    /// The input schema of a tool, as JSON, as it was pinned; none when it is not known.
    fn input_schema(&self, endpoint: &Endpoint, tool: &str) -> Option<Arc<str>>;
}

/// Every installed server, and every group. Cheap to clone.
#[derive(Clone)]
pub struct Installed {
    /// The servers.
    pub sandbox: Sandbox,
    /// The groups.
    pub groups: Groups,
}

impl Servers for Installed {
    fn has(&self, endpoint: &Endpoint) -> bool {
        match endpoint {
            Endpoint::Server(server) => self.sandbox.has(server),
            Endpoint::Group(group) => self.groups.has(group),
        }
    }

    fn open<'a>(
        &'a self,
        permit: Permit,
        principal: &'a Principal,
        hello: &'a [u8],
    ) -> BoxFuture<'a, Result<Session, SandboxError>> {
        match permit.endpoint() {
            Endpoint::Server(_) => Box::pin(self.sandbox.open_session(permit, hello)),
            Endpoint::Group(_) => Box::pin(async move { self.groups.open(&permit, principal, hello) }),
        }
    }

    fn ask<'a>(
        &'a self,
        permit: Permit,
        principal: &'a Principal,
        request: Bytes,
    ) -> BoxFuture<'a, Result<Exchange, SandboxError>> {
        match permit.endpoint() {
            Endpoint::Server(_) => Box::pin(self.sandbox.exchange(permit, request)),
            Endpoint::Group(_) => Box::pin(async move { self.groups.ask(&permit, principal, request).await }),
        }
    }

    fn input_schema(&self, endpoint: &Endpoint, tool: &str) -> Option<Arc<str>> {
        match endpoint {
            Endpoint::Server(server) => self.sandbox.input_schema(server, tool),
            Endpoint::Group(group) => self.groups.input_schema(group, tool),
        }
    }
}
