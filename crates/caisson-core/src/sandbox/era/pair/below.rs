use std::{fmt, sync::Arc};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{
    super::super::{
        SessionError,
        exchange::{Exchange, Stateless},
    },
    Upward,
};
use crate::{
    gate::CallerId,
    model::{Envelope, EnvelopeKind, RequestId, error_response},
};

/// Requests of one client that are with the server at a time.
const MOST_ASKED: usize = 256;
/// What SDKs report for a connection that closed; here, for a server that cannot be had.
const CLOSED: i32 = -32000;
/// JSON-RPC: not a valid request at this point.
const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC: the parameters are not what the method takes.
const INVALID_PARAMS: i32 = -32602;
/// JSON-RPC: who answers has failed.
const INTERNAL: i32 = -32603;

/// What answers below, on behalf of one caller.
pub(in super::super) struct Below {
    server: Arc<dyn Stateless>,
    caller: CallerId,
    places: Semaphore,
}

/// Why a request has no answer of the server's.
#[derive(Clone, Debug)]
pub(in super::super) enum Fault {
    /// The server is gone, and the session with it.
    Over(SessionError),
    /// The server could not be had for this request.
    NotStarted(String),
    /// This request alone has failed.
    Failed {
        /// JSON-RPC's code of the error.
        code: i32,
        /// What the client is told.
        why: String,
    },
    /// It ends with an error that somebody else gave: the JSON of one.
    Given(String),
}

/// What was heard on an exchange.
#[derive(Debug)]
pub(in super::super) enum Heard {
    /// A notification that belongs to the request.
    Notification(Bytes),
    /// The server gave the request up without a response, as it may end a subscription on stdio.
    Cancelled(Bytes),
    /// The response, its last message.
    Response(Bytes),
}

impl Below {
    pub(in super::super) fn new(server: Arc<dyn Stateless>, caller: CallerId) -> Self {
        Self { server, caller, places: Semaphore::new(MOST_ASKED) }
    }

    /// Begins an exchange, however many there are.
    pub(in super::super) async fn open(&self, request: Bytes) -> Result<Exchange, Fault> {
        let opened = self.server.ask(self.caller.clone(), request).await;
        opened.map_err(|error| Fault::NotStarted(error.to_string()))
    }

    /// Asks a request as soon as there is a place, and tells the client what comes before the response. None
    /// when the server gave it up. When dropped, it is cancelled.
    pub(in super::super) async fn ask(
        &self,
        upward: &Upward,
        id: &RequestId,
        request: Bytes,
    ) -> Result<Option<Bytes>, Fault> {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let mut exchange = self.open(request).await?;
        loop {
            match heard(&mut exchange, id).await? {
                Heard::Notification(message) => upward.tell(message).await,
                Heard::Cancelled(message) => {
                    upward.tell(message).await;
                    return Ok(None);
                }
                Heard::Response(message) => return Ok(Some(message)),
            }
        }
    }
}

impl fmt::Debug for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Below").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// What comes next on the exchange of request `id`. Cancel-safe.
pub(in super::super) async fn heard(exchange: &mut Exchange, id: &RequestId) -> Result<Heard, Fault> {
    loop {
        let message = match exchange.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Fault::broken("ended before it had answered")),
        };
        let (envelope, kind) = Envelope::read(&message)
            .map_err(|error| Fault::broken(&format!("answered with what is no message: {error}")))?;
        match kind {
            EnvelopeKind::Notification if envelope.method.as_deref() == Some("notifications/cancelled") => {
                return Ok(Heard::Cancelled(message));
            }
            EnvelopeKind::Notification => return Ok(Heard::Notification(message)),
            EnvelopeKind::Response if envelope.id.as_ref() == Some(id) => {
                return Ok(Heard::Response(message));
            }
            EnvelopeKind::Response => return Err(Fault::broken("answered another request than was asked")),
            // Since 2026-07-28 servers ask nothing by themselves, and nobody could bring them the answer.
            EnvelopeKind::Request => tracing::debug!("a server without sessions sent a request"),
        }
    }
}

impl Fault {
    /// The server does not do as the protocol says.
    pub(in super::super) fn broken(what: &str) -> Self {
        Self::Failed { code: INTERNAL, why: format!("the server {what}") }
    }

    /// The request should not have been sent, or cannot be met for this client.
    pub(in super::super) fn refused(why: impl Into<String>) -> Self {
        Self::Failed { code: INVALID_REQUEST, why: why.into() }
    }

    /// The request's parameters are not what its method takes.
    pub(in super::super) fn params(why: impl Into<String>) -> Self {
        Self::Failed { code: INVALID_PARAMS, why: why.into() }
    }

    /// The response that tells the client of it.
    pub(in super::super) fn response(&self, id: &RequestId) -> Bytes {
        let response = match self {
            Self::Over(error) => error_response(Some(id), CLOSED, &error.to_string()),
            Self::NotStarted(why) => error_response(Some(id), CLOSED, why),
            Self::Failed { code, why } => error_response(Some(id), *code, why),
            Self::Given(error) => {
                let id = serde_json::to_string(id).unwrap_or_default();
                format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into_bytes()
            }
        };
        response.into()
    }
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotStarted(_)
            | SessionError::Ended(_)
            | SessionError::Full(_)
            | SessionError::LineTooLong
            | SessionError::Closed => Self::Over(error),
            SessionError::Protocol(_)
            | SessionError::TooLarge(_)
            | SessionError::WrongPermit
            | SessionError::Crowded => Self::Failed { code: INTERNAL, why: error.to_string() },
        }
    }
}

/// The answer to bytes that are no message: an error for no request in particular.
pub(in super::super) fn invalid(why: &str) -> Bytes {
    error_response(None, INVALID_REQUEST, why).into()
}
