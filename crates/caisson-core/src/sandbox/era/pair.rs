//! A client on a pair of message ends, before what answers requests that stand alone. Its requests run side by
//! side; what comes back goes up. Bounded both ways: a client that does not read slows down what is asked for
//! it, one that asks too much is read no further.

mod below;
mod calls;

use std::sync::OnceLock;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) use below::{Below, Fault, Heard, heard, invalid};
pub(super) use calls::Calls;

use super::super::SessionError;

/// The protocol version that everything below speaks.
pub(super) const MODERN: &str = "2026-07-28";
/// In a request's `_meta`: the protocol version it is meant in.
pub(super) const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// In a request's `_meta`: what the client can do.
pub(super) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The way up to the client.
#[derive(Debug)]
pub(super) struct Upward {
    messages: mpsc::Sender<Result<Bytes, SessionError>>,
    over: CancellationToken,
    why: OnceLock<SessionError>,
}

impl Upward {
    pub(super) fn new(messages: mpsc::Sender<Result<Bytes, SessionError>>) -> Self {
        Self { messages, over: CancellationToken::new(), why: OnceLock::new() }
    }

    /// Tells the client a message, and waits while it does not read. One that is gone misses it.
    pub(super) async fn tell(&self, message: impl Into<Bytes>) {
        drop(self.messages.send(Ok(message.into())).await);
    }

    /// Returns when the client listens no longer.
    pub(super) async fn gone(&self) {
        self.messages.closed().await;
    }

    /// Ends the session: the server is gone.
    pub(super) fn end(&self, why: SessionError) {
        // Of several reasons the first is the cause.
        drop(self.why.set(why));
        self.over.cancel();
    }

    /// Returns when the session has ended, with the reason.
    pub(super) async fn ended(&self) -> SessionError {
        self.over.cancelled().await;
        self.why.get().cloned().unwrap_or(SessionError::Closed)
    }

    /// Tells the client why the session has ended, as its last message.
    pub(super) async fn part(&self) {
        let why = self.ended().await;
        drop(self.messages.send(Err(why)).await);
    }
}
