use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};

use serde_json::{Value, json};

use super::{answer::Answer, negotiate::JSON, version};
use crate::{
    gate::Denial,
    model::{Endpoint, GroupName, RequestId, ServerName, error_response_with},
};

/// A request the bridge answers with an error, in place of the server. The text says what is wrong and what
/// to do; the status is the specification's (MCP 2025-11-25 and 2026-07-28, "Transports: Streamable HTTP").
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this address answers to 127.0.0.1 and localhost with its own port alone; check the Host header")]
    Host,
    #[error("a request has one Host header")]
    SocketHost,
    #[error("a web page of another origin may not use this address")]
    Origin,
    #[error("there is nothing at this path; a server's endpoint is /s/NAME/mcp, a group's is /g/NAME/mcp")]
    Path,
    #[error("this endpoint takes {0} alone")]
    Method(&'static str),
    #[error("a token is wanted, as \"Authorization: Bearer csn_…\"; `caisson token issue` makes one")]
    NoToken,
    #[error("{0}")]
    Denied(Denial),
    #[error("no server named {0} is installed; `caisson list` shows those that are")]
    NoServer(ServerName),
    #[error("there is no group named {0}; `caisson group list` shows those there are")]
    NoGroup(GroupName),
    #[error("the message is larger than {most} bytes")]
    TooLarge { most: usize },
    #[error("the body did not arrive in time")]
    Slow,
    #[error("the head of the request did not arrive in time")]
    SlowHead,
    #[error("the message is nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("this client makes more than {0} requests a second; wait a moment, and ask for less")]
    TooFast(u32),
    #[error("this client has {0} requests that are still being answered; wait for one of them")]
    TooManyRequests(usize),
    #[error(
        "nothing was heard of the server on this request for {0} seconds, so it was cancelled; a server that \
         reports progress may take longer, and `request_timeout` in settings.toml is the limit"
    )]
    Silent(u64),
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error("the body must be application/json; check the Content-Type header")]
    ContentType,
    #[error("the client must accept application/json and text/event-stream; check the Accept header")]
    AcceptBoth,
    #[error("the client must accept text/event-stream; check the Accept header")]
    AcceptStream,
    #[error("the protocol version \"{}\" is not one this endpoint speaks; check the MCP-Protocol-Version header", .0.escape_debug())]
    Version(String),
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error("the body {0}")]
    NotRpc(String),
    #[error("a batch is not allowed {0}")]
    Batch(&'static str),
    #[error("the Mcp-Session-Id header is missing; begin with an initialize request")]
    NoSession,
    #[error("the session is missing; post to the address that the event stream named as its endpoint")]
    NoSessionNamed,
    #[error("there is no such session, or it has ended; begin again with an initialize request")]
    UnknownSession,
    #[error("the session is initialized already")]
    Initialized,
    #[error("a request with the id {0} is still being answered")]
    DuplicateId(RequestId),
    #[error("this session has {0} requests that are still being answered; wait for one of them")]
    TooManyCalls(usize),
    #[error("the server asked nothing with the id {0}")]
    Unasked(String),
    #[error("this client has {0} sessions open; end one of them with DELETE")]
    TooManySessions(usize),
    #[error("this session has {0} event streams open; close one of them")]
    TooManyStreams(usize),
    #[error("the event named by Last-Event-ID belongs to no stream of this session that is still kept")]
    UnknownEvent,
    #[error("{endpoint} cannot be started: {why}")]
    CannotStart { endpoint: Endpoint, why: String },
    #[error(
        "the server did not answer initialize within {0} seconds; `caisson logs` shows what it said instead"
    )]
    NoAnswer(u64),
    #[error("the session has ended: {0}")]
    Ended(String),
    #[error("the message was not sent: {0}")]
    Unsent(String),
    #[error("Caisson is shutting down; try again when it runs")]
    Draining,
    #[error("the request's {0}")]
    Params(&'static str),
    #[error("the {header} header {why}")]
    Header { header: String, why: &'static str },
    #[error("the request's protocol version is not one this endpoint speaks without a session")]
    Unsupported(String),
    #[error("a response is not taken: without a session no server asks a client")]
    Response,
    #[error("there is no {0} without a session; begin with server/discover")]
    NoMethod(&'static str),
    #[error("this client has {0} requests that are still being answered; wait for one of them")]
    TooManyExchanges(usize),
    #[error("the request was not answered: {0}")]
    Unanswered(String),
}

/// JSON-RPC's and MCP's error codes, and the one of our own.
mod code {
    pub(super) const PARSE: i32 = -32700;
    pub(super) const INVALID: i32 = -32600;
    pub(super) const NO_METHOD: i32 = -32601;
    pub(super) const PARAMS: i32 = -32602;
    /// MCP 2026-07-28: a header and the body disagree.
    pub(super) const HEADER: i32 = -32020;
    /// MCP 2026-07-28: the version is not spoken.
    pub(super) const VERSION: i32 = -32022;
    /// The server is gone, or cannot be had. Also what SDKs report for a connection that closed.
    pub(super) const CLOSED: i32 = -32000;
    /// SDK servers answer so for a session that is not there.
    pub(super) const NO_SESSION: i32 = -32001;
    /// SDKs report so a request that was not answered in time.
    pub(super) const SILENT: i32 = -32001;
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Path | Self::NoServer(_) | Self::NoGroup(_) | Self::UnknownSession | Self::NoMethod(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Denied(denial) if denial.is_about_the_token() => StatusCode::UNAUTHORIZED,
            // The tool's result says it.
            Self::Denied(denial) if denial.is_for_the_model() => StatusCode::OK,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow | Self::SlowHead => StatusCode::REQUEST_TIMEOUT,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::AcceptBoth | Self::AcceptStream => StatusCode::NOT_ACCEPTABLE,
            Self::SocketHost
            | Self::Broken(_)
            | Self::TooDeep(_)
            | Self::Version(_)
            | Self::NotJson(_)
            | Self::NotRpc(_)
            | Self::Batch(_)
            | Self::NoSession
            | Self::NoSessionNamed
            | Self::Initialized
            | Self::DuplicateId(_)
            | Self::Unasked(_)
            | Self::UnknownEvent
            | Self::Params(_)
            | Self::Header { .. }
            | Self::Unsupported(_)
            | Self::Response => StatusCode::BAD_REQUEST,
            Self::TooFast(_)
            | Self::TooManyRequests(_)
            | Self::TooManyCalls(_)
            | Self::TooManySessions(_)
            | Self::TooManyStreams(_)
            | Self::TooManyExchanges(_) => StatusCode::TOO_MANY_REQUESTS,
            // It has reached the server: whether to ask again is the client's to know, not HTTP's.
            Self::Unanswered(_) => StatusCode::OK,
            Self::CannotStart { .. } | Self::Ended(_) | Self::Unsent(_) | Self::Draining => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NoAnswer(_) | Self::Silent(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn code(&self) -> i32 {
        match self {
            Self::NotJson(_) | Self::Broken(_) | Self::TooDeep(_) => code::PARSE,
            Self::Silent(_) => code::SILENT,
            Self::NoMethod(_) => code::NO_METHOD,
            Self::Params(_) => code::PARAMS,
            Self::Header { .. } => code::HEADER,
            Self::Unsupported(_) => code::VERSION,
            Self::UnknownSession => code::NO_SESSION,
            Self::Denied(_) | Self::NoToken | Self::Host | Self::SocketHost | Self::Origin => Denial::CODE,
            Self::CannotStart { .. }
            | Self::NoAnswer(_)
            | Self::Ended(_)
            | Self::Unsent(_)
            | Self::Draining
            | Self::Slow
            | Self::SlowHead
            | Self::TooFast(_)
            | Self::TooManyRequests(_)
            | Self::TooManyCalls(_)
            | Self::TooManySessions(_)
            | Self::TooManyStreams(_)
            | Self::TooManyExchanges(_)
            | Self::Unanswered(_) => code::CLOSED,
            Self::Path
            | Self::Method(_)
            | Self::Response
            | Self::NoServer(_)
            | Self::NoGroup(_)
            | Self::TooLarge { .. }
            | Self::ContentType
            | Self::AcceptBoth
            | Self::AcceptStream
            | Self::Version(_)
            | Self::NotRpc(_)
            | Self::Batch(_)
            | Self::NoSession
            | Self::NoSessionNamed
            | Self::Initialized
            | Self::DuplicateId(_)
            | Self::Unasked(_)
            | Self::UnknownEvent => code::INVALID,
        }
    }

    /// What the specification wants to be said beside the text.
    fn data(&self) -> Option<Value> {
        if let Self::Unsupported(requested) = self {
            Some(json!({"supported": version::spoken(), "requested": requested}))
        } else {
            None
        }
    }

    /// The refusal as a JSON-RPC error response to the request `id`, or to no request in particular.
    pub(super) fn message(&self, id: Option<&RequestId>) -> Vec<u8> {
        if let (Self::Denied(denial), Some(id)) = (self, id) {
            return denial.response(id);
        }
        error_response_with(id, self.code(), &self.to_string(), self.data().as_ref())
    }

    /// The refusal as an HTTP response.
    pub(super) fn into_response(self, id: Option<&RequestId>) -> Response<Answer> {
        let mut response = Response::new(Answer::whole(self.message(id)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        // RFC 6750, section 3.
        if let Self::NoToken = self {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"caisson\""));
        } else if let Self::Denied(denial) = &self
            && !denial.is_for_the_model()
        {
            let challenge = if denial.is_about_the_token() {
                "Bearer realm=\"caisson\", error=\"invalid_token\""
            } else {
                "Bearer realm=\"caisson\", error=\"insufficient_scope\""
            };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        } else if let Self::Method(allowed) = self {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        if matches!(self.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_json_rpc_error() {
        let message = Refusal::Ended("exit code 1 \"\u{1b}[2J\"".to_owned());
        let id = RequestId::Text("a\"b".to_owned());
        let value: serde_json::Value = serde_json::from_slice(&message.message(Some(&id))).unwrap();
        assert_eq!(value["id"], "a\"b");
        assert_eq!(value["error"]["code"], -32000);
        let value: serde_json::Value = serde_json::from_slice(&Refusal::Host.message(None)).unwrap();
        assert!(value["id"].is_null());
    }

    #[test]
    fn statuses_and_headers() {
        let response = Refusal::NoToken.into_response(None);
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"caisson\"");
        let response = Refusal::Denied(Denial::Server { server: "a".parse().unwrap() }).into_response(None);
        assert_eq!(response.status(), 403);
        let response = Refusal::Draining.into_response(None);
        assert_eq!((response.status().as_u16(), response.headers().contains_key(RETRY_AFTER)), (503, true));
    }
}
