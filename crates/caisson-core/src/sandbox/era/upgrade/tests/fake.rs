//! A server of sessions whose processes are tasks that do on command what servers do.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use crate::{
    gate::CallerId,
    model::ServerName,
    sandbox::{SandboxError, Session, SessionError, exchange::Opens},
};

/// Opens processes, and knows what each was told.
#[derive(Clone)]
pub(super) struct Fake {
    server: ServerName,
    pub(super) capabilities: Value,
    opened: Arc<AtomicUsize>,
    live: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<(usize, Value)>>>,
    /// Lets `tools/call` of `gate` go on, one for each permit.
    pub(super) gate: Arc<Notify>,
}

impl Fake {
    pub(super) fn new() -> Self {
        let list = json!({"listChanged": true});
        Self {
            server: "fake".parse().unwrap(),
            capabilities: json!({
                "tools": list, "resources": {"subscribe": true}, "logging": {}, "x/y": {"z": 1}
            }),
            opened: Arc::default(),
            live: Arc::default(),
            heard: Arc::default(),
            gate: Arc::default(),
        }
    }

    /// How many processes were opened.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(SeqCst)
    }

    /// How many processes run.
    pub(super) fn live(&self) -> usize {
        self.live.load(SeqCst)
    }

    /// The messages of a method that were heard, each with the number of its process.
    pub(super) fn heard(&self, method: &str) -> Vec<(usize, Value)> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(_, message)| message["method"] == method).cloned().collect()
    }
}

impl Opens for Fake {
    fn server(&self) -> &ServerName {
        &self.server
    }

    fn open(&self, _: Option<CallerId>) -> BoxFuture<'_, Result<Session, SandboxError>> {
        Box::pin(async move {
            let (session, from_client, to_client) = Session::for_test(self.server.clone().into());
            let number = self.opened.fetch_add(1, SeqCst) + 1;
            self.live.fetch_add(1, SeqCst);
            let (fake, live) = (self.clone(), self.live.clone());
            let process = Process { number, fake, to_client, asking: None, hanging: None };
            tokio::spawn(async move {
                process.run(from_client).await;
                live.fetch_sub(1, SeqCst);
            });
            Ok(session)
        })
    }
}

struct Process {
    number: usize,
    fake: Fake,
    to_client: mpsc::Sender<Result<Bytes, SessionError>>,
    asking: Option<Asking>,
    /// The call that is never answered, and whether it is once it is cancelled.
    hanging: Option<(Value, bool)>,
}

struct Asking {
    call: Value,
    token: Value,
    left: usize,
    answers: Vec<Value>,
}

impl Process {
    async fn run(mut self, mut from_client: mpsc::Receiver<Bytes>) {
        while let Some(message) = from_client.recv().await {
            let message: Value = serde_json::from_slice(&message).unwrap();
            self.fake.heard.lock().unwrap().push((self.number, message.clone()));
            if self.handle(&message).await.is_none() {
                return;
            }
        }
    }

    async fn handle(&mut self, message: &Value) -> Option<()> {
        let (id, params) = (&message["id"], &message["params"]);
        match message["method"].as_str() {
            Some("initialize") => {
                assert_eq!(params["protocolVersion"], "2025-11-25");
                let result = json!({
                    "protocolVersion": "2025-06-18", "capabilities": self.fake.capabilities,
                    "serverInfo": {"name": "fake", "version": "1"}, "instructions": "be kind",
                    "_meta": {"a": 1}, "unknown": [1, 2],
                });
                self.answer(id, &result).await
            }
            Some("tools/call") => self.call(id, params).await,
            Some("resources/read") if params["uri"] == "test://none" => {
                let error = json!({"code": -32002, "message": "Resource not found", "data": {"x": 1}});
                self.say(&json!({"jsonrpc": "2.0", "id": id, "error": error})).await
            }
            Some("notifications/cancelled") => match self.hanging.take() {
                Some((call, true)) => {
                    self.notify("notifications/message", &json!({"level": "alert", "data": "late"})).await?;
                    self.answer(&call, &json!({"late": true})).await
                }
                _ => Some(()),
            },
            Some("tools/list") => {
                // A list may not be interrupted by a question.
                self.asking = Some(Asking { call: id.clone(), token: Value::Null, left: 1, answers: vec![] });
                self.request("s-1", "roots/list", &Value::Null).await
            }
            Some("resources/subscribe") if params["uri"] == "test://mute" => Some(()),
            Some(_) if id.is_null() => Some(()),
            Some(method) => self.answer(id, &json!({"method": method, "params": params})).await,
            None => {
                let asking = self.asking.as_mut()?;
                asking.answers.push(message.clone());
                asking.left -= 1;
                if asking.left > 0 {
                    return Some(());
                }
                let Asking { call, token, answers, .. } = self.asking.take()?;
                self.progress(&token, 9).await?;
                self.answer(&call, &json!({"answers": answers, "process": self.number})).await
            }
        }
    }

    async fn call(&mut self, id: &Value, params: &Value) -> Option<()> {
        let (arguments, token) = (&params["arguments"], &params["_meta"]["progressToken"]);
        match params["name"].as_str()? {
            "echo" => self.answer(id, &json!({"params": params, "process": self.number})).await,
            "ask" => {
                let asks = arguments["asks"].as_array()?;
                let call = id.clone();
                self.asking = Some(Asking { call, token: token.clone(), left: asks.len(), answers: vec![] });
                for (number, ask) in asks.iter().enumerate() {
                    let method = ask["method"].as_str()?;
                    self.request(&format!("s-{number}"), method, &ask["params"]).await?;
                }
                match arguments["then"].as_str() {
                    Some("die") => {
                        sleep(Duration::from_secs(1)).await;
                        None
                    }
                    Some("answer") => {
                        sleep(Duration::from_secs(1)).await;
                        self.progress(token, 5).await?;
                        self.answer(id, &json!({"process": self.number})).await
                    }
                    _ => Some(()),
                }
            }
            "url" => {
                let sign_in = json!({
                    "mode": "url", "elicitationId": "e", "url": "https://x.test/", "message": "sign in", "z": 1
                });
                let error = json!({
                    "code": -32042, "message": "sign in first", "data": {"elicitations": [sign_in, 7]}
                });
                self.say(&json!({"jsonrpc": "2.0", "id": id, "error": error})).await
            }
            "progress" => {
                self.progress(token, 1).await?;
                self.progress(&json!("another's"), 2).await?;
                self.notify("notifications/x/unknown", &json!({"y": 1})).await?;
                self.answer(id, &json!({})).await
            }
            "log" => {
                for level in ["debug", "error"] {
                    self.notify("notifications/message", &json!({"level": level, "data": "x"})).await?;
                }
                self.answer(id, &json!({})).await
            }
            "touch" => {
                let uri = &arguments["uri"];
                self.notify("notifications/resources/updated", &json!({"uri": uri, "x": 1})).await?;
                self.notify("notifications/tools/list_changed", &Value::Null).await?;
                self.notify("notifications/prompts/list_changed", &Value::Null).await?;
                self.answer(id, &json!({})).await
            }
            "flood" => {
                for step in 0..arguments["times"].as_u64()? {
                    self.progress(token, step).await?;
                }
                self.answer(id, &json!({})).await
            }
            "gate" => {
                self.fake.gate.notified().await;
                self.answer(id, &json!({"process": self.number})).await
            }
            "hang" => {
                self.hanging = Some((id.clone(), arguments["answers"] == true));
                Some(())
            }
            "die" => {
                drop(self.to_client.send(Err(SessionError::Ended("exit code 3".to_owned()))).await);
                None
            }
            other => panic!("no tool {other}"),
        }
    }

    async fn progress(&self, token: &Value, step: u64) -> Option<()> {
        self.notify("notifications/progress", &json!({"progressToken": token, "progress": step})).await
    }

    async fn notify(&self, method: &str, params: &Value) -> Option<()> {
        let mut message = json!({"jsonrpc": "2.0", "method": method});
        if !params.is_null() {
            message["params"] = params.clone();
        }
        self.say(&message).await
    }

    async fn request(&self, id: &str, method: &str, params: &Value) -> Option<()> {
        let mut message = json!({"jsonrpc": "2.0", "id": id, "method": method});
        if !params.is_null() {
            message["params"] = params.clone();
        }
        self.say(&message).await
    }

    async fn answer(&self, id: &Value, result: &Value) -> Option<()> {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "result": result})).await
    }

    async fn say(&self, message: &Value) -> Option<()> {
        self.to_client.send(Ok(message.to_string().into())).await.ok()
    }
}
