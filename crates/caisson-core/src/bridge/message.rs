//! What a client posts: one JSON-RPC message, or a batch of them.

use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

use super::{nesting, refusal::Refusal};
use crate::model::{Envelope, EnvelopeError, EnvelopeKind, RequestId};

/// The most messages of a batch.
const LARGEST_BATCH: usize = 256;

/// A body, read as far as the bridge needs it.
pub(super) struct Posted<'a> {
    /// The messages, in their order.
    pub(super) messages: Vec<Message<'a>>,
    /// Whether they came as a batch.
    pub(super) is_batch: bool,
}

/// One message, with the bytes it came in: they are what travels on.
pub(super) struct Message<'a> {
    pub(super) raw: &'a [u8],
    pub(super) envelope: Envelope<'a>,
    pub(super) kind: EnvelopeKind,
}

impl<'a> Posted<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        let body = body.trim_ascii();
        nesting::check(body)?;
        if body.first() != Some(&b'[') {
            return Ok(Self { messages: vec![Message::read(body)?], is_batch: false });
        }
        let parts: Vec<&'a RawValue> = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        if parts.is_empty() {
            return Err(Refusal::Batch("to be empty"));
        }
        if parts.len() > LARGEST_BATCH {
            return Err(Refusal::Batch("to have more than 256 messages"));
        }
        let messages = parts.into_iter().map(|part| Message::read(part.get().as_bytes()));
        Ok(Self { messages: messages.collect::<Result<_, _>>()?, is_batch: true })
    }

    /// The messages that want an answer, with their ids.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&RequestId, &Message<'a>)> {
        self.messages
            .iter()
            .filter(|message| message.is_request())
            .filter_map(|message| Some((message.envelope.id.as_ref()?, message)))
    }

    /// The id of the one message, when it is a request: errors name it.
    pub(super) fn id(&self) -> Option<&RequestId> {
        if self.is_batch { None } else { self.requests().next().map(|(id, _)| id) }
    }

    /// Whether it is, or has in it, the request that opens a session.
    pub(super) fn initializes(&self) -> bool {
        self.requests().any(|(_, message)| message.envelope.method.as_deref() == Some("initialize"))
    }
}

impl<'a> Message<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Refusal> {
        let (envelope, kind) = Envelope::read(raw).map_err(|error| match error {
            EnvelopeError::Json(error) => not_json(&error),
            EnvelopeError::Shape => Refusal::NotRpc(EnvelopeError::Shape.to_string().replace("it is", "is")),
        })?;
        Ok(Self { raw, envelope, kind })
    }

    /// What was read of it.
    pub(super) fn read_as(&self) -> (&Envelope<'a>, EnvelopeKind) {
        (&self.envelope, self.kind)
    }

    /// Whether it wants an answer.
    pub(super) fn is_request(&self) -> bool {
        self.kind == EnvelopeKind::Request
    }
}

fn not_json(error: &serde_json::Error) -> Refusal {
    match error.classify() {
        Category::Data => Refusal::NotRpc(format!("is not a JSON-RPC 2.0 message: {error}")),
        Category::Io | Category::Syntax | Category::Eof => Refusal::NotJson(error.to_string()),
    }
}

/// What ties progress to a request: a string or an integer, like an id (MCP, "Progress").
pub(super) type ProgressToken = RequestId;

/// The token of a progress notification (`params.progressToken`).
pub(super) fn reports_progress(envelope: &Envelope<'_>) -> Option<ProgressToken> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "progressToken")]
        token: ProgressToken,
    }
    if envelope.method.as_deref() != Some("notifications/progress") {
        return None;
    }
    serde_json::from_str::<Params>(envelope.params?.get()).ok().map(|params| params.token)
}

/// The version that an answer to `initialize` chooses (`result.protocolVersion`).
pub(super) fn chosen_version(answer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Chosen {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    let (envelope, _) = Envelope::read(answer).ok()?;
    serde_json::from_str::<Chosen>(envelope.result?.get()).ok().map(|chosen| chosen.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> Refusal {
        Posted::read(body.as_bytes()).err().unwrap()
    }

    #[test]
    fn bodies() {
        let posted = Posted::read(b" {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\r\n").unwrap();
        assert!(posted.initializes() && !posted.is_batch);
        assert_eq!(posted.messages[0].raw, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}");
        let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"} , {"jsonrpc":"2.0","method":"x","y":{ }}]"#;
        let posted = Posted::read(batch.as_bytes()).unwrap();
        assert_eq!((posted.messages.len(), posted.requests().count(), posted.is_batch), (2, 1, true));
        assert_eq!(posted.messages[1].raw, br#"{"jsonrpc":"2.0","method":"x","y":{ }}"#);
        assert_eq!(posted.id(), None);
    }

    #[test]
    fn what_is_no_message() {
        for bad in ["", "{", "{\"jsonrpc\":\"2.0\",\"id\":1,\"meth", "[{]", "x"] {
            assert!(matches!(refusal(bad), Refusal::NotJson(_)), "{bad}");
        }
        for bad in ["1", "null", "{}", "[1]", "[[]]", "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}"] {
            assert!(matches!(refusal(bad), Refusal::NotRpc(_)), "{bad}: {:?}", refusal(bad));
        }
        assert!(matches!(refusal("[]"), Refusal::Batch(_)));
    }

    #[test]
    fn nesting_is_carried_as_far_as_readers_follow() {
        let nested = |depth: usize| {
            let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"deep":{deep}}}}}"#)
        };
        let message = nested(250);
        let posted = Posted::read(message.as_bytes()).unwrap();
        assert_eq!(posted.messages[0].raw.len(), message.len());
        assert_eq!(posted.messages[0].envelope.progress_token(), None);
        assert!(matches!(refusal(&nested(100_000)), Refusal::TooDeep(_)));
    }

    #[test]
    fn fields_the_bridge_reads() {
        let read = |message: &'static str| Envelope::read(message.as_bytes()).unwrap().0;
        let request = read(
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"other":[],"progressToken":"p"},"z":1}}"#,
        );
        assert_eq!(request.progress_token(), Some(RequestId::Text("p".to_owned())));
        let progress = read(
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}"#,
        );
        assert_eq!(reports_progress(&progress), Some(RequestId::Number(7)));
        let cancel = read(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a","reason":""}}"#,
        );
        assert_eq!(cancel.cancels(), Some(RequestId::Text("a".to_owned())));
        assert_eq!(progress.cancels(), None);
        let answer =
            br#"{"jsonrpc":"2.0","id":1,"result":{"capabilities":{},"protocolVersion":"2025-06-18"}}"#;
        assert_eq!(chosen_version(answer).as_deref(), Some("2025-06-18"));
    }
}
