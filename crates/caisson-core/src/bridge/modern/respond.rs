//! What comes back on a request becomes the response: the answer alone when it comes first and soon, so that
//! its status can say how it went, and a stream of events otherwise. A stream cannot be resumed, so its events
//! have no ids.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, HeaderValue},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::open::Place;
use crate::{
    bridge::{
        answer::{Answer, PATIENCE},
        edge::{events, json as whole},
        refusal::Refusal,
        sse::{EventId, Messages, SseBody},
    },
    model::{Envelope, EnvelopeKind, RequestId},
    sandbox::Exchange,
};

/// So long the first word may take, where it may be an error that has a status of its own: a process that was just
/// started takes longer than one that runs.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);

/// A request that is being answered. Dropped, it is cancelled.
pub(super) struct Answering {
    /// None once it was answered.
    open: Option<(Exchange, Place)>,
    /// What was said before the stream began.
    first: Option<Said>,
    id: Option<RequestId>,
    listens: bool,
}

/// What comes back on a request.
enum Said {
    /// Something that belongs to it, with more to come.
    Note(Bytes),
    /// As that; where it listens, the server ends it so (MCP 2026-07-28, "Cancellation").
    Cancelled(Bytes),
    /// The response, which is the last; with the code of its error, when it is one.
    Answer(Bytes, Option<i64>),
    /// There will be no response.
    Nothing(Refusal),
}

impl Answering {
    pub(super) fn new(exchange: Exchange, place: Place, id: Option<RequestId>, listens: bool) -> Self {
        Self { open: Some((exchange, place)), first: None, id, listens }
    }

    /// What is said next; none after the last.
    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Option<Said>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let subscription = self.id.as_ref().filter(|_| self.listens);
        let Some((exchange, place)) = &mut self.open else { return Poll::Ready(None) };
        // First, so that a server that never stops does not keep what is to end.
        let said = if let Poll::Ready(refusal) = place.poll_ended(cx) {
            Said::Nothing(refusal)
        } else {
            match exchange.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(message))) => {
                    place.heard();
                    match (Said::of(message), subscription) {
                        (Said::Cancelled(_), Some(id)) => Said::Answer(completion(id), None),
                        (said, _) => said,
                    }
                }
                Poll::Ready(Some(Err(error))) => Said::Nothing(Refusal::Unanswered(error.to_string())),
                Poll::Ready(None) => Said::Nothing(Refusal::Unanswered("the server said no more".to_owned())),
            }
        };
        if !matches!(said, Said::Note(_) | Said::Cancelled(_)) {
            self.open = None;
        }
        Poll::Ready(Some(said))
    }

    /// The last message, where the server did not say one.
    fn last(&self, why: &Refusal) -> Bytes {
        match (why, &self.id) {
            (Refusal::Draining, Some(id)) if self.listens => completion(id),
            (_, id) => why.message(id.as_ref()).into(),
        }
    }
}

impl Said {
    fn of(message: Bytes) -> Self {
        match Envelope::read(&message) {
            Ok((envelope, EnvelopeKind::Notification)) => {
                let is_cancelled = envelope.method.as_deref() == Some("notifications/cancelled");
                if is_cancelled { Self::Cancelled(message) } else { Self::Note(message) }
            }
            Ok((envelope, EnvelopeKind::Response)) => {
                let code = envelope.error.map(|error| code(error.get()));
                Self::Answer(message, code)
            }
            // A server asks nothing in this protocol, and what is no message is no answer.
            Ok((_, EnvelopeKind::Request)) | Err(_) => {
                Self::Nothing(Refusal::Unanswered("the server said what is no part of an answer".to_owned()))
            }
        }
    }
}

impl Messages for Answering {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Option<EventId>, Bytes)>> {
        self.poll_said(cx).map(|said| {
            let message = match said? {
                Said::Note(message) | Said::Cancelled(message) | Said::Answer(message, _) => message,
                Said::Nothing(why) => self.last(&why),
            };
            Some((None, message))
        })
    }
}

/// Answers the HTTP request.
pub(super) async fn respond(mut answering: Answering) -> Response<Answer> {
    let patience = if answering.listens { PATIENCE } else { STATUS_PATIENCE };
    match timeout(patience, poll_fn(|cx| answering.poll_said(cx))).await {
        Ok(Some(Said::Nothing(why))) => return why.into_response(answering.id.as_ref()),
        // Only a subscription that was not to be had is answered alone.
        Ok(Some(Said::Answer(message, code))) if code.is_some() || !answering.listens => {
            let mut response = whole(message);
            *response.status_mut() = code.map_or(StatusCode::OK, status);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            return response;
        }
        Ok(first) => answering.first = first,
        Err(_) => {}
    }
    events(SseBody::of(answering))
}

/// The answer to a subscription that has ended and not failed (MCP 2026-07-28, "Subscriptions").
fn completion(id: &RequestId) -> Bytes {
    let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
    let result = json!({"resultType": "complete", "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string().into()
}

/// The status that the specification gives an error's code.
fn status(code: i64) -> StatusCode {
    match code {
        -32700 | -32600 | -32602 | -32020 | -32021 | -32022 => StatusCode::BAD_REQUEST,
        -32601 => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// The code of an error; 0 when it has none, which is no code of JSON-RPC's.
fn code(error: &str) -> i64 {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
    }
    serde_json::from_str(error).map_or(0, |Error { code }| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (code, expected) in [
            (-32700, 400),
            (-32600, 400),
            (-32602, 400),
            (-32020, 400),
            (-32021, 400),
            (-32022, 400),
            (-32601, 404),
            (-32603, 200),
            (-32000, 200),
            (-32002, 200),
            (0, 200),
            (1, 200),
        ] {
            assert_eq!(status(code), expected, "{code}");
        }
    }

    #[test]
    fn what_is_said() {
        let said = |message: &'static str| match Said::of(Bytes::from_static(message.as_bytes())) {
            Said::Note(_) => "note".to_owned(),
            Said::Cancelled(_) => "cancelled".to_owned(),
            Said::Answer(_, code) => format!("answer {code:?}"),
            Said::Nothing(_) => "nothing".to_owned(),
        };
        for (message, expected) in [
            (r#"{"jsonrpc":"2.0","method":"notifications/x"}"#, "note"),
            (r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#, "cancelled"),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "answer None"),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":""}}"#, "answer Some(-32601)"),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"message":"codeless"}}"#, "answer Some(0)"),
            (r#"{"jsonrpc":"2.0","id":1,"error":"x"}"#, "answer Some(0)"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}"#, "nothing"),
            ("nonsense", "nothing"),
        ] {
            assert_eq!(said(message), expected, "{message}");
        }
    }
}
