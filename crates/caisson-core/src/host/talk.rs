//! Caisson itself as an MCP client (2025-11-25), for `tools` and `call`: one session, a few requests.

use std::{future::Future, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::timeout;

use super::Host;
use crate::{
    control::api::{ApiError, CallReply, CallTool, ErrorCode, Tool, ToolList},
    gate::{Gate, LocalCaller, Principal},
    model::{Envelope, EnvelopeKind, RequestId, ServerName},
    sandbox::{SessionReceiver, SessionSender},
};

/// The protocol version Caisson asks for; a server may answer with an earlier one.
const VERSION: &str = "2025-11-25";
/// So long a page of a list may take.
const LIST: Duration = Duration::from_secs(60);
/// A list goes on for so many pages at most.
const MOST_PAGES: usize = 100;

impl Host {
    pub(super) async fn tools(&self, server: &ServerName) -> Result<ToolList, ApiError> {
        let mut talk = self.talk(server).await?;
        let mut tools: Vec<Tool> = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Page {
                tools: Vec<Tool>,
                next_cursor: Option<String>,
            }
            let params = cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
            let page = within(LIST, "tools/list", talk.request("tools/list", &params)).await?;
            let page: Page = understood(&page)?;
            tools.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(ToolList { tools });
            }
        }
        Err(ApiError::new(ErrorCode::Server, format!("{server} lists tools without end")))
    }

    pub(super) async fn call_tool(&self, call: CallTool) -> Result<CallReply, ApiError> {
        let CallTool { server, tool, arguments } = call;
        let mut params = json!({ "name": tool });
        match arguments {
            Value::Null => {}
            Value::Object(_) => params["arguments"] = arguments,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(ApiError::new(ErrorCode::Invalid, "a tool's arguments are a JSON object"));
            }
        }
        let mut talk = self.talk(&server).await?;
        // No limit: some tools take long, and the caller can cancel.
        let result = talk.request("tools/call", &params).await?;
        let result: Value = understood(&result)?;
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        Ok(CallReply { is_error, result })
    }

    /// Opens a session and gets through its beginning.
    async fn talk(&self, server: &ServerName) -> Result<Talk, ApiError> {
        let definition = self.in_force(server)?;
        let principal = self.0.gate.local(LocalCaller::Control);
        let permit = self.0.gate.open(&principal, server)?;
        let session = self.0.sandbox.open_session(permit).await?;
        let (sender, receiver) = session.split();
        let mut talk =
            Talk { gate: self.0.gate.clone(), principal, server: server.clone(), sender, receiver, last: 0 };
        let hello = json!({
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": { "name": "caisson", "version": env!("CARGO_PKG_VERSION") },
        });
        within(definition.life.start_timeout(), "initialize", talk.request("initialize", &hello)).await?;
        talk.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(talk)
    }
}

struct Talk {
    gate: Gate,
    principal: Principal,
    server: ServerName,
    sender: SessionSender,
    receiver: SessionReceiver,
    last: i64,
}

impl Talk {
    /// Makes a request and waits for its result. What the server asks meanwhile is answered: `ping` with
    /// success, the rest with "not supported", since Caisson offered nothing.
    async fn request(&mut self, method: &str, params: &Value) -> Result<Box<RawValue>, ApiError> {
        self.last += 1;
        let id = RequestId::Number(self.last);
        self.send(&json!({ "jsonrpc": "2.0", "id": self.last, "method": method, "params": params })).await?;
        loop {
            let message = match self.receiver.next().await {
                Some(message) => message?,
                None => {
                    let what = format!("{} ended the session before it answered {method}", self.server);
                    return Err(self.failed(what));
                }
            };
            let Ok((envelope, kind)) = Envelope::read(&message) else { continue };
            match kind {
                EnvelopeKind::Response if envelope.id.as_ref() == Some(&id) => {
                    return match (envelope.result, envelope.error) {
                        (Some(result), _) => Ok(result.to_owned()),
                        (None, error) => Err(refused(&self.server, method, error)),
                    };
                }
                EnvelopeKind::Request => {
                    let answer = match envelope.method.as_deref() {
                        Some("ping") => json!({ "jsonrpc": "2.0", "id": envelope.id, "result": {} }),
                        _ => json!({
                            "jsonrpc": "2.0",
                            "id": envelope.id,
                            "error": { "code": -32601, "message": "Caisson's own calls do not support this" },
                        }),
                    };
                    self.send(&answer).await?;
                }
                EnvelopeKind::Response | EnvelopeKind::Notification => {}
            }
        }
    }

    async fn send(&self, message: &Value) -> Result<(), ApiError> {
        let bytes = message.to_string().into_bytes();
        let (envelope, kind) =
            Envelope::read(&bytes).map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
        let permit = self.gate.admit(&self.principal, &self.server, &envelope, kind)?;
        Ok(self.sender.send(permit, &bytes).await?)
    }

    fn failed(&self, what: String) -> ApiError {
        ApiError::new(ErrorCode::Server, what)
            .fix(format!("`caisson logs {}` shows what it said last", self.server))
    }
}

/// The error a server answers with.
fn refused(server: &ServerName, method: &str, error: Option<&RawValue>) -> ApiError {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let said = error.and_then(|error| serde_json::from_str::<Said>(error.get()).ok());
    let why = said.map_or_else(|| "it does not say why".to_owned(), |said| said.message);
    ApiError::new(ErrorCode::Server, format!("{server} refused {method}")).why(why)
}

fn understood<T: for<'de> Deserialize<'de>>(result: &RawValue) -> Result<T, ApiError> {
    serde_json::from_str(result.get()).map_err(|error| {
        ApiError::new(ErrorCode::Server, "the server's answer is not what MCP says").why(error.to_string())
    })
}

async fn within<T>(
    limit: Duration,
    method: &str,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        Err(ApiError::new(ErrorCode::Server, format!("the server did not answer {method}"))
            .why(format!("{} seconds passed", limit.as_secs())))
    })
}
