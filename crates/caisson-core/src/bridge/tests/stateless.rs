//! A server without sessions that does on command what servers do, in this process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::sandbox::{Exchange, SessionError};

/// Answers each request by its method, and a tool call by the tool.
#[derive(Clone, Default)]
pub(super) struct Stateless {
    /// Requests that came in.
    pub(super) asked: Arc<AtomicUsize>,
    /// Requests that were cancelled before they were answered.
    pub(super) cancelled: Arc<AtomicUsize>,
}

/// One request, and the way back.
struct Answer {
    request: Bytes,
    id: Value,
    back: mpsc::Sender<Result<Bytes, SessionError>>,
}

impl Stateless {
    /// A server that is being started for ever.
    pub(super) async fn never<T>(&self) -> T {
        struct Gone(Arc<AtomicUsize>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let _gone = Gone(Arc::clone(&self.cancelled));
        std::future::pending().await
    }

    pub(super) fn answer(&self, request: Bytes) -> Exchange {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (exchange, back, gone) = Exchange::for_test();
        let message: Value = serde_json::from_slice(&request).unwrap();
        let answer = Answer { request, id: message["id"].clone(), back };
        tokio::spawn(answer.give(message, gone, Arc::clone(&self.cancelled)));
        exchange
    }
}

impl Answer {
    async fn give(self, message: Value, gone: CancellationToken, cancelled: Arc<AtomicUsize>) {
        let answered = tokio::select! {
            answered = self.play(&message) => answered,
            () = gone.cancelled() => None,
        };
        if answered.is_none() {
            cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Does what the message asks for; none when nobody listens any more.
    async fn play(&self, message: &Value) -> Option<()> {
        let params = &message["params"];
        match (message["method"].as_str()?, params["name"].as_str()) {
            ("subscriptions/listen", _) if params["refused"] == true => self.error(-32601).await,
            ("subscriptions/listen", _) if params["silent"] == true => {
                self.note("subscriptions/acknowledged", &json!({})).await?;
                std::future::pending().await
            }
            ("subscriptions/listen", _) if params["cancelled"].is_array() => {
                for name in params["cancelled"].as_array().unwrap() {
                    self.note(name.as_str().unwrap(), &json!({"requestId": self.id})).await?;
                }
                std::future::pending().await
            }
            ("subscriptions/listen", _) => loop {
                self.note("subscriptions/acknowledged", &json!({})).await?;
                sleep(Duration::from_millis(100)).await;
            },
            ("tools/call", Some("error")) => self.error(params["arguments"]["code"].as_i64().unwrap()).await,
            ("tools/call", Some("progress")) => {
                for step in 1..=3 {
                    self.note("progress", &json!({"progress": step, "extra": {"x": [step]}})).await?;
                }
                self.result("{}").await
            }
            ("tools/call", Some("hang")) => std::future::pending().await,
            ("tools/call", Some("hang after a note")) => {
                self.note("message", &json!({})).await?;
                std::future::pending().await
            }
            ("tools/call", Some("slow")) => {
                sleep(Duration::from_millis(1300)).await;
                self.result(r#"{"slow":true}"#).await
            }
            ("tools/call", Some("slow error")) => {
                sleep(Duration::from_millis(800)).await;
                self.error(-32601).await
            }
            ("tools/call", Some("steady")) => {
                for step in 0..8 {
                    sleep(Duration::from_millis(100)).await;
                    self.note("progress", &json!({"progress": step})).await?;
                }
                self.result("{}").await
            }
            ("tools/call", Some("lines")) => self.result("{\r\n}").await,
            ("tools/call", Some("large")) => {
                self.note("message", &json!("x".repeat(50_000))).await?;
                self.result(&json!({"text": "x".repeat(5_000_000)}).to_string()).await
            }
            ("tools/call", Some("flood")) => {
                let text = json!("x".repeat(64 << 10));
                for _ in 0..params["arguments"]["count"].as_u64()? {
                    self.note("message", &text).await?;
                }
                self.result("{}").await
            }
            ("tools/call", Some("die")) => self.end().await,
            ("tools/call", Some("die after a note")) => {
                self.note("message", &json!({})).await?;
                self.end().await
            }
            ("tools/call", Some("say no more")) => Some(()),
            ("tools/call", Some("ask back")) => {
                self.say(r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}"#.to_owned()).await
            }
            _ => {
                let heard = std::str::from_utf8(&self.request).unwrap();
                self.result(&format!(r#"{{"heard":{heard}}}"#)).await
            }
        }
    }

    async fn end(&self) -> Option<()> {
        self.back.send(Err(SessionError::Ended("exit code 7".to_owned()))).await.ok()
    }

    async fn note(&self, name: &str, params: &Value) -> Option<()> {
        let method = format!("notifications/{name}");
        self.say(json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()).await
    }

    async fn error(&self, code: i64) -> Option<()> {
        let error = json!({"code": code, "message": "as asked", "data": {"x": 1}});
        self.say(json!({"jsonrpc": "2.0", "id": self.id, "error": error}).to_string()).await
    }

    async fn result(&self, result: &str) -> Option<()> {
        self.say(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.id)).await
    }

    async fn say(&self, message: String) -> Option<()> {
        self.back.send(Ok(message.into())).await.ok()
    }
}
