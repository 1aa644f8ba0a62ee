//! The near end of an exchange: where what comes back on a request is put.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::request::Request;
use crate::sandbox::{Exchange, SessionError};

/// Messages that wait for the reader of an exchange.
const WAITING: usize = 4;

/// Where one exchange's messages are put. When dropped, the exchange is over.
#[derive(Debug)]
pub(super) struct Outlet {
    messages: mpsc::Sender<Result<Bytes, SessionError>>,
    dropped: CancellationToken,
}

/// A request and where its answer goes.
#[derive(Debug)]
pub(super) struct Job {
    /// What is asked.
    pub(super) request: Request,
    /// Where the answer goes.
    pub(super) outlet: Outlet,
}

impl Outlet {
    /// An exchange and its near end.
    pub(super) fn new() -> (Self, Exchange) {
        let (messages, receiver) = mpsc::channel(WAITING);
        let dropped = CancellationToken::new();
        let exchange = Exchange::new(receiver, dropped.clone().drop_guard());
        (Self { messages, dropped }, exchange)
    }

    /// Puts a message, once there is room. False when nobody waits for it any more.
    pub(super) async fn say(&self, message: impl Into<Bytes>) -> bool {
        tokio::select! {
            biased;
            () = self.dropped.cancelled() => false,
            sent = self.messages.send(Ok(message.into())) => sent.is_ok(),
        }
    }

    /// Ends the exchange with an error.
    pub(super) async fn fail(self, error: SessionError) {
        tokio::select! {
            biased;
            () = self.dropped.cancelled() => {}
            // Nobody waits any more.
            _ = self.messages.send(Err(error)) => {}
        }
    }

    /// Waits until nobody waits for an answer any more.
    pub(super) async fn dropped(&self) {
        self.dropped.cancelled().await;
    }

    /// Whether nobody waits for an answer any more.
    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.is_cancelled()
    }
}
