//! Caisson's own MCP client, for `caisson tools` and `caisson call`: one request at a time, over a session of
//! the sandbox. What it does passes the gate like everybody's.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use tokio::time::{Instant, timeout_at};

use crate::{
    gate::{Denial, Gate, Principal},
    model::{Endpoint, Envelope, EnvelopeKind, RequestId, error_response},
    sandbox::{Session, SessionError, SessionReceiver, SessionSender},
};

/// The version it asks for. It takes any that a server answers with: what it needs is in all of them.
const VERSION: &str = "2025-11-25";
/// Tools a server may list, so that a list without an end has one.
const MOST_TOOLS: usize = 10_000;
/// JSON-RPC: the method is not known.
const UNKNOWN_METHOD: i32 = -32601;

/// A client of one session.
pub struct LocalClient {
    gate: Gate,
    principal: Principal,
    endpoint: Endpoint,
    sender: SessionSender,
    receiver: SessionReceiver,
    /// So long the server may be silent while it is to answer.
    limit: Duration,
    last_id: i64,
    about: Box<RawValue>,
}

/// Why something could not be asked, or was not answered.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The gate does not allow it.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The session has ended.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The server ended the session without an error.
    #[error("the server closed its output before it answered {method}")]
    Closed {
        /// What was asked.
        method: &'static str,
    },
    /// The server was silent for too long.
    #[error(
        "the server did not answer {method} within {seconds} seconds; `caisson logs` shows what it said instead"
    )]
    Silent {
        /// What was asked.
        method: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server answered with an error.
    #[error("the server answered {method} with error {code}: {}", .message.escape_debug())]
    Answered {
        /// What was asked.
        method: &'static str,
        /// JSON-RPC's code of the error.
        code: i64,
        /// The server's words. Hostile: show escaped.
        message: String,
    },
    /// The server answered with what is no answer to that.
    #[error("the server's answer to {method} is not one: {why}")]
    Protocol {
        /// What was asked.
        method: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl LocalClient {
    /// What it begins with, as far as it tells one kind of client from another.
    pub const HELLO: &[u8] =
        br#"{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;

    /// Opens a conversation on a new session, on behalf of `principal`. `limit` is how long the server may be
    /// silent while it is to answer.
    ///
    /// # Errors
    /// When the server does not answer as MCP says.
    pub async fn open(
        gate: Gate,
        principal: Principal,
        endpoint: Endpoint,
        session: Session,
        limit: Duration,
    ) -> Result<Self, LocalError> {
        let (sender, receiver) = session.split();
        let about = Box::<RawValue>::default();
        let mut client = Self { gate, principal, endpoint, sender, receiver, limit, last_id: 0, about };
        let us = json!({"name": "caisson", "title": "Caisson", "version": env!("CARGO_PKG_VERSION")});
        let params = json!({"protocolVersion": VERSION, "capabilities": {}, "clientInfo": us});
        client.about = client.request("initialize", &params).await?;
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client.send("notifications/initialized", initialized.to_string().as_bytes()).await?;
        Ok(client)
    }

    /// The same client, with another limit from here on.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What the server said of itself: the result of `initialize`.
    pub fn about(&self) -> &RawValue {
        &self.about
    }

    /// The server's tools, each as the server describes it.
    ///
    /// # Errors
    /// When the server does not answer, or its list does not end.
    pub async fn tools(&mut self) -> Result<Vec<Box<RawValue>>, LocalError> {
        #[derive(Deserialize)]
        struct Page {
            tools: Vec<Box<RawValue>>,
            #[serde(rename = "nextCursor")]
            next: Option<String>,
        }
        const METHOD: &str = "tools/list";
        let fault = |why: String| LocalError::Protocol { method: METHOD, why };
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
            let page = self.request(METHOD, &params).await?;
            let page: Page = serde_json::from_str(page.get()).map_err(|error| fault(error.to_string()))?;
            let is_empty = page.tools.is_empty();
            tools.extend(page.tools);
            match page.next {
                None => return Ok(tools),
                Some(next) if is_empty || tools.len() > MOST_TOOLS || cursor.as_ref() == Some(&next) => {
                    return Err(fault("the list of tools does not end".to_owned()));
                }
                Some(next) => cursor = Some(next),
            }
        }
    }

    /// Calls a tool with `arguments`, a JSON object, and returns the result as it came. A tool that failed says
    /// so in its result (`isError`).
    ///
    /// # Errors
    /// When the gate denies it, the server does not answer, or answers with an error.
    pub async fn call(&mut self, tool: &str, arguments: &RawValue) -> Result<Box<RawValue>, LocalError> {
        #[derive(Serialize)]
        struct Call<'a> {
            name: &'a str,
            arguments: &'a RawValue,
            // A server that reports progress may take as long as it likes.
            #[serde(rename = "_meta")]
            meta: serde_json::Value,
        }
        let meta = json!({"progressToken": self.last_id + 1});
        self.request("tools/call", &Call { name: tool, arguments, meta }).await
    }

    /// Sends a request and waits for its answer. What the server asks meanwhile is answered.
    async fn request(
        &mut self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<Box<RawValue>, LocalError> {
        #[derive(Serialize)]
        struct Request<'a, P> {
            jsonrpc: &'static str,
            id: i64,
            method: &'static str,
            params: &'a P,
        }
        self.last_id += 1;
        let id = RequestId::Number(self.last_id);
        let request = Request { jsonrpc: "2.0", id: self.last_id, method, params };
        let request = serde_json::to_vec(&request)
            .map_err(|error| LocalError::Protocol { method, why: error.to_string() })?;
        self.send(method, &request).await?;
        let mut patience = Instant::now() + self.limit;
        loop {
            let heard = timeout_at(patience, self.receiver.next()).await.map_err(|_| self.silent(method))?;
            let message: Bytes = heard.ok_or(LocalError::Closed { method })??;
            let Ok((envelope, kind)) = Envelope::read(&message) else { continue };
            match kind {
                EnvelopeKind::Response if envelope.id.as_ref() == Some(&id) => {
                    return result(method, &envelope);
                }
                EnvelopeKind::Response => {}
                EnvelopeKind::Notification => {
                    if envelope.method.as_deref() == Some("notifications/progress") {
                        patience = Instant::now() + self.limit;
                    }
                }
                EnvelopeKind::Request => self.refuse(&envelope).await?,
            }
        }
    }

    /// Answers what the server asks: a ping as it should be, all else with an error.
    async fn refuse(&self, asked: &Envelope<'_>) -> Result<(), LocalError> {
        let method = asked.method.as_deref().unwrap_or_default();
        let answer = if method == "ping" {
            json!({"jsonrpc": "2.0", "id": asked.id, "result": {}}).to_string().into_bytes()
        } else {
            error_response(asked.id.as_ref(), UNKNOWN_METHOD, "this client answers no requests but ping")
        };
        self.send("an answer", &answer).await
    }

    async fn send(&self, method: &'static str, message: &[u8]) -> Result<(), LocalError> {
        let own = |error: &dyn fmt::Display| LocalError::Protocol { method, why: error.to_string() };
        let (envelope, kind) = Envelope::read(message).map_err(|error| own(&error))?;
        let permit =
            self.gate.admit(&self.principal, &self.endpoint, message, (&envelope, kind)).settle().await?;
        let sent = timeout_at(Instant::now() + self.limit, self.sender.send(permit, message)).await;
        Ok(sent.map_err(|_| self.silent(method))??)
    }

    fn silent(&self, method: &'static str) -> LocalError {
        LocalError::Silent { method, seconds: self.limit.as_secs() }
    }
}

fn result(method: &'static str, answer: &Envelope<'_>) -> Result<Box<RawValue>, LocalError> {
    #[derive(Deserialize)]
    struct Answered {
        code: i64,
        message: String,
    }
    if let Some(result) = answer.result {
        return Ok(result.to_owned());
    }
    let error = answer.error.map_or("null", RawValue::get);
    match serde_json::from_str::<Answered>(error) {
        Ok(Answered { code, message }) => Err(LocalError::Answered { method, code, message }),
        Err(error) => Err(LocalError::Protocol { method, why: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use serde_json::Value;

    use super::*;
    use crate::{
        gate::{GateParts, LocalCaller, tokens::Tokens},
        registry::State,
    };

    /// A client, and a server that answers each message with what `play` says.
    async fn client(play: fn(&Value) -> Vec<Value>) -> Result<LocalClient, LocalError> {
        let tokens = Tokens::open(State::in_memory().unwrap(), SystemTime::now()).unwrap();
        let gate = Gate::new(GateParts::for_test(tokens, Arc::new(SystemTime::now)));
        let principal = gate.local(LocalCaller::Control);
        let server: Endpoint = "fake".parse().unwrap();
        let (session, mut from_client, to_client) = Session::for_test(server.clone());
        tokio::spawn(async move {
            while let Some(message) = from_client.recv().await {
                let message: Value = serde_json::from_slice(&message).unwrap();
                for answer in play(&message) {
                    if to_client.send(Ok(answer.to_string().into())).await.is_err() {
                        return;
                    }
                }
            }
        });
        LocalClient::open(gate, principal, server, session, Duration::from_millis(200)).await
    }

    fn result(message: &Value, result: Value) -> Value {
        json!({"jsonrpc": "2.0", "id": message["id"], "result": result})
    }

    fn play(message: &Value) -> Vec<Value> {
        match message["method"].as_str() {
            Some("initialize") => vec![
                json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}),
                result(message, json!({"protocolVersion": "2024-11-05", "serverInfo": {"name": "x"}})),
            ],
            Some("tools/list") => match message["params"]["cursor"].as_str() {
                None => vec![result(message, json!({"tools": [{"name": "a", "new": 1}], "nextCursor": "2"}))],
                Some(_) => vec![result(message, json!({"tools": [{"name": "b"}]}))],
            },
            Some("tools/call") => match message["params"]["name"].as_str() {
                Some("asks") => vec![
                    json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
                    json!({"jsonrpc": "2.0", "id": "s", "method": "sampling/createMessage"}),
                    result(message, json!({"content": [], "isError": true})),
                ],
                Some("fails") => {
                    let error = json!({"code": -5, "message": "no\u{1b}"});
                    vec![json!({"jsonrpc": "2.0", "id": message["id"], "error": error})]
                }
                _ => vec![],
            },
            _ => vec![],
        }
    }

    fn nothing() -> Box<RawValue> {
        RawValue::from_string("{}".to_owned()).unwrap()
    }

    #[tokio::test]
    async fn tools_are_listed_and_called() {
        let mut client = client(play).await.unwrap();
        assert!(client.about().get().contains("2024-11-05"));
        let tools: Vec<String> = client.tools().await.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(tools, [r#"{"name":"a","new":1}"#, r#"{"name":"b"}"#]);
        let called = client.call("asks", &nothing()).await.unwrap();
        assert_eq!(called.get(), r#"{"content":[],"isError":true}"#);
        let failed = client.call("fails", &nothing()).await.unwrap_err();
        assert_eq!(failed.to_string(), "the server answered tools/call with error -5: no\\u{1b}");
        let silent = client.call("hangs", &nothing()).await.unwrap_err();
        assert!(matches!(silent, LocalError::Silent { .. }));
    }

    #[tokio::test]
    async fn a_list_without_an_end_is_given_up() {
        let mut client = client(|message| match message["method"].as_str() {
            Some("initialize") => vec![result(message, json!({}))],
            _ => vec![result(message, json!({"tools": [{}], "nextCursor": "again"}))],
        })
        .await
        .unwrap();
        assert!(matches!(client.tools().await, Err(LocalError::Protocol { .. })));
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        assert!(matches!(client(|_| vec![]).await, Err(LocalError::Silent { .. })));
    }
}
