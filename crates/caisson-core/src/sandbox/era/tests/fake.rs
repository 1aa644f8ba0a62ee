use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    gate::CallerId,
    sandbox::{
        Exchange, SandboxError, Session, SessionError, SessionReceiver, SessionSender, exchange::Stateless,
    },
};

/// Answers requests as the test does with each [`Asked`].
struct Fake {
    asked: mpsc::UnboundedSender<Asked>,
    /// With it, the server cannot be had.
    refuses: bool,
}

/// A request that has come down.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) caller: CallerId,
    pub(super) raw: Bytes,
    pub(super) request: Value,
    answers: mpsc::Sender<Result<Bytes, SessionError>>,
    cancelled: CancellationToken,
}

impl Stateless for Fake {
    fn ask(&self, caller: CallerId, raw: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            if self.refuses {
                return Err(SandboxError::Paused);
            }
            let (answers, messages) = mpsc::channel(1);
            let cancelled = CancellationToken::new();
            let exchange = Exchange::new(messages, cancelled.clone().drop_guard());
            let request = serde_json::from_slice(&raw).expect("JSON is asked");
            drop(self.asked.send(Asked { caller, raw, request, answers, cancelled }));
            Ok(exchange)
        })
    }
}

impl Asked {
    pub(super) fn method(&self) -> &str {
        self.request["method"].as_str().unwrap()
    }

    pub(super) fn params(&self) -> &Value {
        &self.request["params"]
    }

    /// Says raw bytes. They arrive as soon as somebody listens.
    pub(super) async fn say(&self, message: impl Into<Bytes>) {
        in_time(self.answers.send(Ok(message.into()))).await.expect("somebody listens");
    }

    pub(super) async fn notify(&self, method: &str, params: Value) {
        self.say(json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()).await;
    }

    pub(super) async fn answer(&self, result: Value) {
        self.say(json!({"jsonrpc": "2.0", "id": self.request["id"], "result": result}).to_string()).await;
    }

    pub(super) async fn refuse(&self, error: Value) {
        self.say(json!({"jsonrpc": "2.0", "id": self.request["id"], "error": error}).to_string()).await;
    }

    pub(super) async fn fail(self, error: SessionError) {
        in_time(self.answers.send(Err(error))).await.expect("somebody listens");
    }

    /// Returns when nobody waits for the answer any more.
    pub(super) async fn cancelled(&self) {
        in_time(self.cancelled.cancelled()).await;
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

/// A client above, and what is asked below.
pub(super) struct Pair {
    pub(super) sender: SessionSender,
    pub(super) receiver: SessionReceiver,
    pub(super) below: mpsc::UnboundedReceiver<Asked>,
}

impl Pair {
    pub(super) fn new(open: impl FnOnce(CallerId, Arc<dyn Stateless>) -> Session) -> Self {
        Self::with(false, open)
    }

    /// With a server that cannot be had.
    pub(super) fn refused(open: impl FnOnce(CallerId, Arc<dyn Stateless>) -> Session) -> Self {
        Self::with(true, open)
    }

    fn with(refuses: bool, open: impl FnOnce(CallerId, Arc<dyn Stateless>) -> Session) -> Self {
        let (asked, below) = mpsc::unbounded_channel();
        let session = open(CallerId::for_test("client"), Arc::new(Fake { asked, refuses }));
        let (sender, receiver) = session.split();
        Self { sender, receiver, below }
    }

    pub(super) async fn say(&self, message: &str) {
        in_time(self.sender.pass(message.as_bytes())).await.expect("the session is open");
    }

    pub(super) async fn request(&self, id: impl Into<Value>, method: &str, params: Value) {
        let id = id.into();
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()).await;
    }

    pub(super) async fn notify(&self, method: &str, params: Value) {
        self.say(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()).await;
    }

    /// Answers a request that came up.
    pub(super) async fn answer(&self, request: &Value, result: Value) {
        self.say(&json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string()).await;
    }

    /// The next request below.
    pub(super) async fn asked(&mut self) -> Asked {
        in_time(self.below.recv()).await.expect("something is asked")
    }

    /// The next message above, as it came.
    pub(super) async fn raw(&mut self) -> Bytes {
        in_time(self.receiver.next()).await.expect("the session is open").expect("a message")
    }

    /// The next message above.
    pub(super) async fn told(&mut self) -> Value {
        serde_json::from_slice(&self.raw().await).expect("JSON is told")
    }

    /// Why the session ended, which is told last.
    pub(super) async fn end(&mut self) -> String {
        let why = in_time(self.receiver.next()).await.expect("a reason").expect_err("no message");
        assert!(in_time(self.receiver.next()).await.is_none());
        why.to_string()
    }

    /// The error a request is answered with: its code and its words.
    pub(super) async fn error(&mut self, id: impl Into<Value>) -> (i64, String) {
        let told = self.told().await;
        assert_eq!(told["id"], id.into(), "{told}");
        let error = &told["error"];
        (error["code"].as_i64().expect("an error"), error["message"].as_str().unwrap().to_owned())
    }

    /// Nothing is told or asked for a while.
    pub(super) async fn is_quiet(&mut self) {
        tokio::select! {
            told = self.receiver.next() => panic!("told {told:?}"),
            asked = self.below.recv() => panic!("asked {asked:?}"),
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
        }
    }
}

pub(super) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("in time")
}
