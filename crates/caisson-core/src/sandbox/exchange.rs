//! A request that stands alone, and what comes back on it: the way of clients that keep no session (MCP
//! 2026-07-28).

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{SandboxError, Session, SessionError};
use crate::{
    audit::Written,
    gate::{Asked, CallerId, Expected, Inspector, Permit},
    model::{Envelope, EnvelopeKind, ServerName, error_response},
};

/// JSON-RPC: the server is gone, or cannot be had.
const CLOSED: i32 = -32000;

/// What comes back on one request: notifications that belong to it, then its response, with the id the client
/// gave it. Dropped before the response, it cancels the request at the server.
#[derive(Debug)]
pub struct Exchange {
    messages: mpsc::Receiver<Result<Bytes, SessionError>>,
    _cancels: DropGuard,
    /// What is done with the answer, if anything is, until there is one.
    expected: Option<Box<Expected>>,
    /// Looks through what comes back.
    inspector: Option<Box<Inspector>>,
    /// The answer, which may be passed on when its call is in the audit.
    held: Option<(Written, Bytes)>,
}

impl Exchange {
    /// An exchange that receives what is put into the channel. Whoever answers learns by `cancels`, when it is
    /// triggered, that nobody waits any more.
    pub(crate) fn new(messages: mpsc::Receiver<Result<Bytes, SessionError>>, cancels: DropGuard) -> Self {
        Self { messages, _cancels: cancels, expected: None, inspector: None, held: None }
    }

    /// The same exchange, which does with the answer what is expected, and lets through what may reach a client.
    pub(crate) fn watched(self, expected: Option<Box<Expected>>, inspector: Option<Box<Inspector>>) -> Self {
        Self { expected, inspector, ..self }
    }

    /// An exchange that begins when a person has allowed it, as `begin` does. Meanwhile its client is told that it is
    /// waited for. Must be called within a Tokio runtime.
    pub(crate) fn when_allowed(
        asked: Box<Asked>,
        begin: impl FnOnce(Permit) -> BoxFuture<'static, Result<Self, SandboxError>> + Send + 'static,
    ) -> Self {
        let (sink, messages) = mpsc::channel(4);
        let given_up = CancellationToken::new();
        let waiting = Self::new(messages, given_up.clone().drop_guard());
        tokio::spawn(given_up.run_until_cancelled_owned(async move {
            let id = asked.id().cloned();
            // A client that reads nothing needs no more of them.
            let settled = asked.settle(|progress| drop(sink.try_send(Ok(progress)))).await;
            let begun = match settled {
                Ok(permit) => begin(permit)
                    .await
                    .map_err(|error| error_response(id.as_ref(), CLOSED, &error.to_string())),
                Err(denial) => Err(id.map(|id| denial.response(&id)).unwrap_or_default()),
            };
            match begun {
                Ok(mut exchange) => {
                    while let Some(message) = exchange.next().await {
                        if sink.send(message).await.is_err() {
                            return;
                        }
                    }
                }
                Err(answer) => drop(sink.send(Ok(answer.into())).await),
            }
        }));
        waiting
    }

    /// An exchange that is over with this message.
    pub(crate) fn answered(message: impl Into<Bytes>) -> Self {
        let (sink, messages) = mpsc::channel(1);
        // It is empty, so there is room.
        drop(sink.try_send(Ok(message.into())));
        Self::new(messages, CancellationToken::new().drop_guard())
    }

    /// The same exchange, with each message as `change` makes it. Must be called within a Tokio runtime.
    pub(crate) fn through(mut self, mut change: impl FnMut(Bytes) -> Bytes + Send + 'static) -> Self {
        let (sink, messages) = mpsc::channel(1);
        let given_up = CancellationToken::new();
        let changed = Self::new(messages, given_up.clone().drop_guard());
        tokio::spawn(given_up.run_until_cancelled_owned(async move {
            while let Some(message) = self.next().await {
                if sink.send(message.map(&mut change)).await.is_err() {
                    return;
                }
            }
        }));
        changed
    }

    /// An exchange without a server: what is put into the second is received, and the third is cancelled when
    /// nobody waits any more.
    #[cfg(test)]
    pub(crate) fn for_test() -> (Self, mpsc::Sender<Result<Bytes, SessionError>>, CancellationToken) {
        let (sender, messages) = mpsc::channel(4);
        let cancelled = CancellationToken::new();
        (Self::new(messages, cancelled.clone().drop_guard()), sender, cancelled)
    }

    /// The next message; none when the exchange is over. The response is the last. Cancel-safe.
    ///
    /// # Errors
    /// When the server has ended, or does not keep to the protocol. Then comes no more.
    pub async fn next(&mut self) -> Option<Result<Bytes, SessionError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`], polled.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, SessionError>>> {
        loop {
            if let Some((written, _)) = &mut self.held {
                ready!(written.poll_unpin(cx));
            }
            if let Some((_, message)) = self.held.take() {
                return Poll::Ready(Some(Ok(message)));
            }
            let message = match ready!(self.messages.poll_recv(cx)) {
                Some(Ok(message)) => message,
                other => return Poll::Ready(other),
            };
            let looked = match &self.inspector {
                Some(inspector) => inspector.incoming(message, self.expected.as_deref()),
                None => Some(message),
            };
            let Some(message) = looked else { continue };
            if self.expected.is_some()
                && let Ok((_, EnvelopeKind::Response)) = Envelope::read(&message)
                && let Some(expected) = self.expected.take()
            {
                self.held = Some((expected.answered(&message), message));
                continue;
            }
            return Poll::Ready(Some(Ok(message)));
        }
    }
}

/// What answers requests that stand alone: a server of the protocol without sessions, or one that is made to
/// look like it. Every request has its `_meta` with protocol version and client capabilities.
pub(crate) trait Stateless: Send + Sync + 'static {
    /// Asks `request`, a JSON-RPC request, on behalf of `caller`. What belongs to one caller is never seen by
    /// another.
    ///
    /// # Errors
    /// When the server cannot be had.
    fn ask(&self, caller: CallerId, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>>;
}

/// Opens a session with a process of one server, in the protocol's raw form: nothing has been said on it yet.
pub(super) trait Opens: Send + Sync + 'static {
    /// The server.
    fn server(&self) -> &ServerName;

    /// Opens one for `caller`, or for whoever comes where there is none, starting the server where it does not run.
    ///
    /// # Errors
    /// When the server cannot be started.
    fn open(&self, caller: Option<CallerId>) -> BoxFuture<'_, Result<Session, SandboxError>>;
}
