mod fields;
mod splice;

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use fields::{is_mistakable, passes_for};
pub use splice::Splice;

/// A JSON-RPC request id: a string or an integer (MCP, "Base protocol": never null).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A number. MCP's ids are integers; what does not fit is no id.
    Number(i64),
    /// A text.
    Text(String),
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// The few fields of a JSON-RPC 2.0 message that Caisson reads. The message itself travels as the bytes it
/// came in, so what Caisson does not know crosses unchanged.
#[derive(Debug)]
pub struct Envelope<'a> {
    jsonrpc: Option<Cow<'a, str>>,
    /// The id of a request or response.
    pub id: Option<RequestId>,
    /// The method of a request or notification.
    pub method: Option<Cow<'a, str>>,
    /// The parameters, unread.
    pub params: Option<&'a RawValue>,
    /// The result, unread; also one that is null.
    pub result: Option<&'a RawValue>,
    /// The error, unread.
    pub error: Option<&'a RawValue>,
}

/// What kind of message an envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeKind {
    /// It has a method and an id, and wants an answer.
    Request,
    /// It has a method and no id.
    Notification,
    /// It has an id and a result or an error.
    Response,
}

/// Why bytes are no JSON-RPC message.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or a field of the wrong type.
    #[error("it is not a JSON-RPC message: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but neither request, notification nor response.
    #[error("it is neither a request, a notification nor a response of JSON-RPC 2.0")]
    Shape,
}

impl<'a> Envelope<'a> {
    /// Reads one message and says what kind it is.
    ///
    /// # Errors
    /// When it is not JSON, or not a JSON-RPC 2.0 message.
    pub fn read(message: &'a [u8]) -> Result<(Self, EnvelopeKind), EnvelopeError> {
        let envelope: Self = serde_json::from_slice(message)?;
        if envelope.jsonrpc.as_deref() != Some("2.0") {
            return Err(EnvelopeError::Shape);
        }
        let answer = envelope.result.is_some() != envelope.error.is_some();
        let kind = match (&envelope.method, &envelope.id) {
            (Some(_), Some(_)) if !answer => EnvelopeKind::Request,
            (Some(_), None) if !answer => EnvelopeKind::Notification,
            (None, _) if answer => EnvelopeKind::Response,
            _ => return Err(EnvelopeError::Shape),
        };
        Ok((envelope, kind))
    }

    /// The token by which a request asks for progress (`params._meta.progressToken`).
    pub fn progress_token(&self) -> Option<RequestId> {
        #[derive(Deserialize)]
        struct Params {
            #[serde(rename = "_meta")]
            meta: Option<Meta>,
        }
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "progressToken")]
            token: Option<RequestId>,
        }
        serde_json::from_str::<Params>(self.params?.get()).ok()?.meta?.token
    }

    /// The request that a cancellation names (`params.requestId`); none for any other message.
    pub fn cancels(&self) -> Option<RequestId> {
        #[derive(Deserialize)]
        struct Params {
            #[serde(rename = "requestId")]
            id: RequestId,
        }
        if self.method.as_deref() != Some("notifications/cancelled") {
            return None;
        }
        serde_json::from_str::<Params>(self.params?.get()).ok().map(|params| params.id)
    }
}

/// An error response of Caisson's own, to the request `id` or to none in particular.
pub fn error_response(id: Option<&RequestId>, code: i32, message: &str) -> Vec<u8> {
    error_response_with(id, code, message, None)
}

/// As [`error_response`], with what the specification wants in the error's `data`.
pub fn error_response_with(
    id: Option<&RequestId>,
    code: i32,
    message: &str,
    data: Option<&serde_json::Value>,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Response<'a> {
        jsonrpc: &'static str,
        id: Option<&'a RequestId>,
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        code: i32,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a serde_json::Value>,
    }
    // What is JSON already is written, which cannot fail.
    serde_json::to_vec(&Response { jsonrpc: "2.0", id, error: Error { code, message, data } })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (message, kind) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, EnvelopeKind::Request),
            (r#"{"jsonrpc":"2.0","id":"a","method":"x","params":{"y":[1e400]}}"#, EnvelopeKind::Request),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, EnvelopeKind::Notification),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, EnvelopeKind::Response),
            (
                r#"{"x":{"Method":1},"m\u0065thod":"y","jsonrpc":"2.0","ids":2,"i":3}"#,
                EnvelopeKind::Notification,
            ),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#, EnvelopeKind::Response),
            (r#"{"jsonrpc":"2.0","id":1,"result":null}"#, EnvelopeKind::Response),
            // As JSON-RPC 1.0 had it.
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#, EnvelopeKind::Response),
            (r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{}}"#, EnvelopeKind::Response),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","result":null,"error":null}"#, EnvelopeKind::Request),
        ] {
            assert_eq!(Envelope::read(message.as_bytes()).unwrap().1, kind, "{message}");
        }
        for bad in [
            "",
            "null",
            "[]",
            r#"["2.0",1,"ping"]"#,
            "{}",
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","Method":"y"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","param\u017f":{}}"#,
        ] {
            assert!(Envelope::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_result_may_be_null() {
        let result = |message: &'static str| {
            let (envelope, _) = Envelope::read(message.as_bytes()).unwrap();
            envelope.result.map(RawValue::get)
        };
        assert_eq!(result(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), Some("null"));
        assert_eq!(result(r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{}}"#), None);
        assert_eq!(result(r#"{"jsonrpc":"2.0","id":1,"method":"x","result":null}"#), None);
    }

    #[test]
    fn what_may_be_taken_for_another_field() {
        let mistakable =
            |object: &str| is_mistakable(&RawValue::from_string(object.to_owned()).unwrap(), "progressToken");
        for object in [
            r#"{"ProgressToken":5}"#,
            r#"{"progressToken":1,"progresstoken":5}"#,
            r#"{"progressToken":1,"progressToken":5}"#,
            r#"{"progre\u017fsTo\u212aen":5}"#,
        ] {
            assert!(mistakable(object), "{object}");
        }
        for object in ["{}", "[]", "7", r#"{"progressToken":1,"x":{"ProgressToken":5},"progress":2}"#] {
            assert!(!mistakable(object), "{object}");
        }
    }
}
