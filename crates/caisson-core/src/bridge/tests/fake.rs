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

/// Servers called `fake`, one for each session. `broken` cannot be started.
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
        matches!(endpoint.name(), "fake" | "other" | "broken" | "mute")
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
            let mute = server.as_str() == "mute";
            let (session, from_client, to_client) = Session::for_test(server.into());
            self.running.fetch_add(1, Ordering::SeqCst);
            let (running, cancelled) = (Arc::clone(&self.running), Arc::clone(&self.cancelled));
            tokio::spawn(async move {
                if mute {
                    to_client.closed().await;
                } else {
                    Process { from_client, to_client, asking: None, cancelled }.run().await;
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
    cancelled: Arc<Mutex<Vec<Value>>>,
}

impl Process {
    async fn run(mut self) {
        while let Some(message) = self.from_client.recv().await {
            let message: Value = serde_json::from_slice(&message).unwrap();
            if self.handle(&message).await.is_none() {
                return;
            }
        }
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
                tokio::time::sleep(std::time::Duration::from_millis(800)).await;
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
        self.to_client.send(Ok(message.to_string().into())).await.ok()
    }
}
