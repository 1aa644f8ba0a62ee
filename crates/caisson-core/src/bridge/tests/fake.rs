//! A server that does on command what servers do, in this process.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::stateless::Stateless;
use crate::{
    bridge::Servers,
    gate::{Permit, Principal},
    model::Endpoint,
    sandbox::{Exchange, SandboxError, Session, SessionError},
};

/// Servers called `fake`, one for each session. `broken` cannot be started, `mute` says nothing, `deaf` hears
/// nothing but `initialize`.
#[derive(Clone, Default)]
pub(super) struct Fake {
    /// Sessions that run.
    pub(super) running: Arc<AtomicUsize>,
    /// What answers requests without a session.
    pub(super) stateless: Stateless,
    /// The requests that were cancelled.
    pub(super) cancelled: Arc<Mutex<Vec<Value>>>,
}

impl Servers for Fake {
    fn has(&self, endpoint: &Endpoint) -> bool {
        matches!(endpoint.name(), "fake" | "other" | "broken" | "mute" | "deaf")
    }

    fn open<'a>(
        &'a self,
        permit: Permit,
        _: &'a Principal,
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Session, SandboxError>> {
        Box::pin(async move {
            let server = permit.server().unwrap().clone();
            if server.as_str() == "broken" {
                return Err(SandboxError::Ended { server, reason: "no such image".to_owned() });
            }
            let (mute, deaf) = (server.as_str() == "mute", server.as_str() == "deaf");
            let (session, from_client, to_client) = Session::for_test(server.into());
            self.running.fetch_add(1, Ordering::SeqCst);
            let (running, cancelled) = (Arc::clone(&self.running), Arc::clone(&self.cancelled));
            tokio::spawn(async move {
                if mute {
                    to_client.closed().await;
                } else {
                    let heard = Vec::new();
                    let mut process = Process { from_client, to_client, asking: None, heard, cancelled };
                    process.run(if deaf { 1 } else { usize::MAX }).await;
                    if deaf {
                        process.to_client.closed().await;
                    }
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
            Ok(session)
        })
    }

    fn ask<'a>(
        &'a self,
        permit: Permit,
        _: &'a Principal,
        request: Bytes,
    ) -> BoxFuture<'a, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            let server = permit.server().unwrap().clone();
            match server.as_str() {
                "broken" => Err(SandboxError::Ended { server, reason: "no such image".to_owned() }),
                "mute" => self.stateless.never().await,
                _ => Ok(self.stateless.answer(request)),
            }
        })
    }

    fn input_schema(&self, _: &Endpoint, tool: &str) -> Option<Arc<str>> {
        let schema = json!({"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
        (tool == "regional").then(|| schema.to_string().into())
    }
}

struct Process {
    from_client: mpsc::Receiver<Bytes>,
    to_client: mpsc::Sender<Result<Bytes, SessionError>>,
    /// The call that waits for the client's answer.
    asking: Option<Value>,
    /// Messages that are told back.
    heard: Vec<String>,
    cancelled: Arc<Mutex<Vec<Value>>>,
}

impl Process {
    /// Hears at most so many messages.
    async fn run(&mut self, most: usize) {
        for _ in 0..most {
            let Some(raw) = self.from_client.recv().await else { return };
            let message: Value = serde_json::from_slice(&raw).unwrap();
            let handled = if is_strange(&message) || !self.heard.is_empty() {
                let raw = std::str::from_utf8(raw.trim_ascii()).unwrap();
                self.echo(raw, &message).await
            } else {
                self.handle(&message).await
            };
            if handled.is_none() {
                return;
            }
        }
    }

    /// Says back what no server knows, byte by byte: a request is told of and asked back, and answered with all that
    /// was heard once the answer to that is there.
    async fn echo(&mut self, raw: &str, message: &Value) -> Option<()> {
        self.heard.push(raw.to_owned());
        if message["method"].is_null() {
            let heard = std::mem::take(&mut self.heard).join(",");
            let call = self.asking.take()?;
            let result = format!(r#"{{"_meta":{{"heard":[{heard}]}}}}"#);
            return self
                .tell(format!(r#"{{"jsonrpc":"2.0","id":{call},"w":{raw},"result":{result}}}"#))
                .await;
        }
        if message["id"].is_null() {
            return Some(());
        }
        self.asking = Some(message["id"].clone());
        let params = format!(r#""params":{{"_meta":{raw}}},"w":{raw}"#);
        self.tell(format!(r#"{{"jsonrpc":"2.0","method":"notifications/x/heard",{params}}}"#)).await?;
        self.tell(format!(r#"{{"jsonrpc":"2.0","id":"s","method":"x/asked",{params}}}"#)).await
    }

    async fn handle(&mut self, message: &Value) -> Option<()> {
        let id = &message["id"];
        match message["method"].as_str() {
            Some("initialize") => {
                let version = &message["params"]["protocolVersion"];
                if version == "die" {
                    drop(self.to_client.send(Err(SessionError::Ended("exit code 3".to_owned()))).await);
                    return None;
                }
                let result = json!({"protocolVersion": version, "capabilities": {}, "serverInfo": {}});
                self.answer(id, &result).await
            }
            Some("tools/call") => self.call(id, &message["params"]).await,
            Some("notifications/cancelled") => {
                self.cancelled.lock().unwrap().push(message["params"].clone());
                Some(())
            }
            Some("ping") => self.answer(id, &json!({})).await,
            Some(_) => Some(()),
            None => {
                let call = self.asking.take()?;
                self.answer(&call, &json!({"heard": message})).await
            }
        }
    }

    async fn call(&mut self, id: &Value, params: &Value) -> Option<()> {
        let arguments = &params["arguments"];
        match params["name"].as_str()? {
            "echo" => self.answer(id, arguments).await,
            "progress" => {
                for step in 1..=3 {
                    let token = &params["_meta"]["progressToken"];
                    let params = json!({"progressToken": token, "progress": step, "extra": {"x": [step]}});
                    self.say(
                        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}),
                    )
                    .await?;
                }
                self.answer(id, &json!({"done": true})).await
            }
            "steady" => {
                for step in 0..8 {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    let params = json!({"progressToken": params["_meta"]["progressToken"], "progress": step});
                    self.say(
                        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}),
                    )
                    .await?;
                }
                self.answer(id, &json!({"steady": true})).await
            }
            "ask" => {
                self.asking = Some(id.clone());
                self.say(&json!({"jsonrpc": "2.0", "id": "ask-1", "method": "sampling/createMessage"})).await
            }
            "slow" => {
                tokio::time::sleep(std::time::Duration::from_millis(1300)).await;
                self.answer(id, &json!({"slow": true})).await
            }
            "lines" => {
                let text = format!("{{\"jsonrpc\":\"2.0\",\r\"id\":{id},\r\n\"result\":{{\n}}}}");
                self.to_client.send(Ok(text.into())).await.ok()
            }
            "large" => {
                let size = usize::try_from(arguments["bytes"].as_u64()?).unwrap();
                self.answer(id, &json!({"text": "x".repeat(size)})).await
            }
            "flood" => {
                let text = "x".repeat(64 << 10);
                for _ in 0..arguments["count"].as_u64()? {
                    self.say(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": text}))
                        .await?;
                }
                self.answer(id, &json!({"flooded": true})).await
            }
            "notify" => {
                self.answer(id, &json!({})).await?;
                self.say(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})).await
            }
            "die" => {
                drop(self.to_client.send(Err(SessionError::Ended("exit code 7".to_owned()))).await);
                None
            }
            _ => Some(()),
        }
    }

    async fn answer(&self, id: &Value, result: &Value) -> Option<()> {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "result": result})).await
    }

    async fn say(&self, message: &Value) -> Option<()> {
        self.tell(message.to_string()).await
    }

    async fn tell(&self, message: String) -> Option<()> {
        self.to_client.send(Ok(message.into())).await.ok()
    }
}

/// Whether a message's method is one that no protocol has.
fn is_strange(message: &Value) -> bool {
    let method = message["method"].as_str().unwrap_or_default();
    method.starts_with("x/") || method.starts_with("notifications/x/")
}
