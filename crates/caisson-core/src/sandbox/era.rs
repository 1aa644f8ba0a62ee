//! Any client with any server. Two eras of MCP do not understand each other: the one with sessions, up to
//! 2025-11-25, and the one without, from 2026-07-28 on. A server's front speaks to it in an era it knows.

#[cfg_attr(not(test), expect(dead_code, reason = "a front uses it once it knows its server's era"))]
mod downgrade;
#[cfg_attr(not(test), expect(dead_code, reason = "a front uses it once it knows its server's era"))]
mod duplex;
mod pair;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Exchange, SandboxError, Session, exchange::Opens, supervisor::Ask};
use crate::{
    gate::CallerId,
    model::{Server, ServerName},
};

/// What speaks to one server for clients of either era.
#[derive(Debug)]
pub(super) struct Front {
    name: ServerName,
    asks: mpsc::UnboundedSender<Ask>,
    server: watch::Receiver<Arc<Server>>,
}

impl Front {
    pub(super) fn new(
        name: ServerName,
        asks: mpsc::UnboundedSender<Ask>,
        server: watch::Receiver<Arc<Server>>,
    ) -> Self {
        Self { name, asks, server }
    }

    /// Asks a request that stands alone.
    pub(super) async fn ask(&self, _caller: CallerId, _request: Bytes) -> Result<Exchange, SandboxError> {
        Err(SandboxError::Stopped(self.name.clone()))
    }

    /// The input schema of a tool, as it was pinned.
    pub(super) fn input_schema(&self, _tool: &str) -> Option<Arc<str>> {
        None
    }
}

impl Opens for Front {
    fn open(&self) -> BoxFuture<'_, Result<Session, SandboxError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            // A supervisor that is gone drops the reply.
            drop(self.asks.send(Ask::Open(reply)));
            answer.await.unwrap_or_else(|_| Err(SandboxError::Stopped(self.name.clone())))
        })
    }
}
