//! The JSON-RPC 2.0 messages themselves.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::api::{ApiError, ErrorCode, Notice};

/// A request. Caisson's own ids are whole numbers; the server takes no others.
#[derive(Debug, Deserialize)]
pub(super) struct RequestIn<'a> {
    #[serde(borrow)]
    pub(super) jsonrpc: std::borrow::Cow<'a, str>,
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) method: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    pub(super) params: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestOut<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: &'a P,
}

impl<'a, P: Serialize> RequestOut<'a, P> {
    pub(super) fn new(id: u64, method: &'a str, params: &'a P) -> Self {
        Self { jsonrpc: "2.0", id, method, params }
    }
}

/// An answer or a notice, as the client reads it.
#[derive(Debug, Deserialize)]
pub(super) struct FromServer<'a> {
    #[serde(default)]
    pub(super) id: Option<u64>,
    #[serde(default, borrow)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) error: Option<RpcError>,
    #[serde(default, borrow)]
    pub(super) params: Option<&'a RawValue>,
}

/// The error object of JSON-RPC 2.0, section 5.1.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RpcError {
    code: i32,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<ApiError>,
}

pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
pub(super) const METHOD_NOT_FOUND: i32 = -32601;
pub(super) const INVALID_PARAMS: i32 = -32602;
const SERVER_ERROR: i32 = -32000;

impl RpcError {
    pub(super) fn new(code: i32, error: ApiError) -> Self {
        Self { code, message: error.to_string(), data: Some(error) }
    }
}

impl From<ApiError> for RpcError {
    fn from(error: ApiError) -> Self {
        Self::new(SERVER_ERROR, error)
    }
}

impl From<RpcError> for ApiError {
    fn from(error: RpcError) -> Self {
        let RpcError { message, data, .. } = error;
        data.unwrap_or_else(|| Self::new(ErrorCode::Unknown, message))
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

#[derive(Serialize)]
struct NoticeOut<'a> {
    jsonrpc: &'static str,
    method: &'static str,
    params: &'a Notice,
}

/// The line of an answer; `id` is none when the request's own could not be read.
pub(super) fn answer(id: Option<u64>, outcome: Result<&RawValue, &RpcError>) -> Vec<u8> {
    line(&Answer { jsonrpc: "2.0", id, result: outcome.ok(), error: outcome.err() })
}

/// The line of a notice.
pub(super) fn notice(notice: &Notice) -> Vec<u8> {
    line(&NoticeOut { jsonrpc: "2.0", method: "notice", params: notice })
}

/// One message and its end.
pub(super) fn line<T: Serialize>(message: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).unwrap_or_else(|error| {
        // No type of the API can fail here: maps have text keys, and nothing is serialized by hand.
        tracing::error!(%error, "a message could not be written");
        br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"the answer could not be written"}}"#
            .to_vec()
    });
    line.push(b'\n');
    line
}
