//! One process of a server of sessions: what is said to it, and what is heard from it that matters to the
//! request it serves. What matters to no request is dealt with here.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{json, value::RawValue};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    audience::{Audience, Topic},
    client::Client,
    heard::{Ask, Heard},
    request::{Level, NO_SUCH_METHOD},
    reshape::Hello,
};
use crate::{
    model::{Envelope, EnvelopeKind, RequestId, error_response},
    sandbox::era::patience::before,
    sandbox::{MOST_MESSAGE, Session, SessionError, SessionReceiver, SessionSender},
};

/// So long a process may take to say what it is.
const HELLO: Duration = Duration::from_secs(60);
/// So long one may take to do what it was told besides requests.
const SETTLE: Duration = Duration::from_secs(5);
/// When so many messages wait for the process to read them, it is not listened to meanwhile.
const MOST_UNSENT: usize = 64;

/// A process of a server, on which a session has begun.
pub(super) struct Process {
    sender: SessionSender,
    receiver: SessionReceiver,
    /// What is to be sent. Sent while listening, so that neither side ever waits for the other.
    outbox: VecDeque<Vec<u8>>,
    is_deaf: bool,
    last_id: i64,
    /// Requests of Caisson's own that are not answered yet.
    own: HashSet<i64>,
    hello: Arc<Hello>,
    level: Option<Level>,
    audience: Arc<Audience>,
    wanted: watch::Receiver<BTreeSet<String>>,
    subscribed: BTreeSet<String>,
    ends: CancellationToken,
}

impl Process {
    /// Begins a session for `client`. When `ends` is triggered, it is over.
    ///
    /// # Errors
    /// When the process does not speak MCP, ends, or is too slow.
    pub(super) async fn begin(
        session: Session,
        client: &Client,
        audience: Arc<Audience>,
        ends: CancellationToken,
    ) -> Result<Self, SessionError> {
        let (sender, receiver) = session.split();
        let mut process = Self {
            sender,
            receiver,
            outbox: VecDeque::new(),
            is_deaf: false,
            last_id: 0,
            own: HashSet::new(),
            hello: Arc::default(),
            level: None,
            wanted: audience.wanted(),
            audience,
            subscribed: BTreeSet::new(),
            ends,
        };
        let late = || SessionError::Protocol(format!("no answer to initialize in {} s", HELLO.as_secs()));
        timeout(HELLO, process.initialize(client)).await.map_err(|_| late())??;
        process.follow();
        Ok(process)
    }

    async fn initialize(&mut self, client: &Client) -> Result<(), SessionError> {
        let params = client.initialize();
        let asked = self.next_id();
        self.push(format!(r#"{{"jsonrpc":"2.0","id":{asked},"method":"initialize","params":{params}}}"#));
        loop {
            match self.hear().await? {
                Heard::Response(id, message) if id == asked => {
                    let (answer, _) = Envelope::read(&message).map_err(not_mcp)?;
                    let result = answer.result.ok_or_else(|| refused(answer.error))?;
                    self.hello = Arc::new(Hello::read(result));
                    self.push(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
                    return Ok(());
                }
                Heard::Ask(ask) => self.refuse(&ask),
                Heard::Response(..) | Heard::Notification(..) => {}
            }
        }
    }

    /// What the server said of itself.
    pub(super) fn hello(&self) -> &Arc<Hello> {
        &self.hello
    }

    /// Gets ready for a request: the level of its log messages is set, and what listeners want is subscribed to.
    ///
    /// # Errors
    /// When the process is gone.
    pub(super) async fn prepare(&mut self, level: Option<Level>) -> Result<(), SessionError> {
        if let Some(level) = level.filter(|level| self.hello.logs && self.level != Some(*level)) {
            self.level = Some(level);
            self.request("logging/setLevel", &json!({"level": level.name()}));
        }
        self.follow();
        self.settle().await
    }

    /// Waits until all that Caisson itself asked for is answered; not for ever, since no request depends on it.
    ///
    /// # Errors
    /// When the process is gone.
    pub(super) async fn settle(&mut self) -> Result<(), SessionError> {
        let limit = Instant::now() + SETTLE;
        while !self.own.is_empty() {
            match before(limit, self.hear_own()).await {
                Some(Ok(Some(Heard::Ask(ask)))) => self.refuse(&ask),
                Some(heard) => drop(heard?),
                // What comes late is an answer to nothing, and no request waits for it again.
                None => self.own.clear(),
            }
        }
        Ok(())
    }

    /// Asks a client's request, made by `message` from the id it gets here, which is returned.
    ///
    /// # Errors
    /// When the message is too large.
    pub(super) fn ask(&mut self, message: impl FnOnce(i64) -> Vec<u8>) -> Result<i64, SessionError> {
        let id = self.next_id();
        let message = message(id);
        if message.len() > MOST_MESSAGE {
            return Err(SessionError::TooLarge(message.len()));
        }
        self.push(message);
        Ok(id)
    }

    /// Answers what the server asked.
    pub(super) fn answer(&mut self, ask: &Ask, result: &RawValue) {
        let id = raw_id(&ask.id);
        self.push(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
    }

    /// Tells the server that nobody answers what it asked.
    pub(super) fn refuse(&mut self, ask: &Ask) {
        let why = format!("the client cannot be asked {} here", ask.method.escape_debug());
        self.push(error_response(Some(&ask.id), NO_SUCH_METHOD, &why));
    }

    /// Tells the server that nobody waits for the answer to this request any more.
    pub(super) fn cancel(&mut self, id: i64) {
        self.push(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"the client waits no more"}}}}"#,
        ));
    }

    /// What is heard next that matters to a request. Cancel-safe.
    ///
    /// # Errors
    /// When the process is gone.
    pub(super) async fn hear(&mut self) -> Result<Heard, SessionError> {
        loop {
            if let Some(heard) = self.hear_own().await? {
                return Ok(heard);
            }
        }
    }

    /// Sends and hears one thing, be it one that was dealt with here. Cancel-safe.
    async fn hear_own(&mut self) -> Result<Option<Heard>, SessionError> {
        let message = tokio::select! {
            () = self.ends.cancelled() => return Err(SessionError::Ended("it was stopped".to_owned())),
            sent = send(&self.sender, self.outbox.front()), if !self.is_deaf => {
                // When the session is over, the receiver says why.
                self.is_deaf = sent.is_err();
                self.outbox.pop_front();
                return Ok(None);
            }
            // It is never dropped: this holds its audience.
            Ok(()) = self.wanted.changed() => {
                self.follow();
                return Ok(None);
            }
            message = self.receiver.next(), if self.outbox.len() < MOST_UNSENT => message,
        };
        let message =
            message.unwrap_or_else(|| Err(SessionError::Ended("it closed its output".to_owned())))?;
        Ok(self.sort(message))
    }

    fn sort(&mut self, message: Bytes) -> Option<Heard> {
        let (envelope, kind) = match Envelope::read(&message) {
            Ok(read) => read,
            Err(error) => {
                tracing::debug!(%error, "a server said what is no message");
                return None;
            }
        };
        let Envelope { id, method, params, .. } = envelope;
        let method = method.map(std::borrow::Cow::into_owned).unwrap_or_default();
        match (kind, id) {
            (EnvelopeKind::Response, Some(RequestId::Number(id))) => {
                (!self.own.remove(&id)).then(|| Heard::Response(id, message.clone()))
            }
            (EnvelopeKind::Request, Some(id)) if method == "ping" => {
                let id = raw_id(&id);
                self.push(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
                None
            }
            (EnvelopeKind::Request, Some(id)) => {
                Some(Heard::Ask(Ask { id, method, params: params.map(ToOwned::to_owned) }))
            }
            (EnvelopeKind::Notification, _) => match Topic::of(&method, params) {
                Some(topic) => {
                    self.audience.tell(&topic, &message);
                    None
                }
                None => Some(Heard::Notification(method, message.clone())),
            },
            (EnvelopeKind::Response | EnvelopeKind::Request, _) => None,
        }
    }

    /// Subscribes to what listeners want, and no longer to what none wants.
    fn follow(&mut self) {
        let wanted = self.wanted.borrow_and_update().clone();
        if !self.hello.subscribes || wanted == self.subscribed {
            return;
        }
        let subscribed = std::mem::replace(&mut self.subscribed, wanted.clone());
        for uri in wanted.difference(&subscribed) {
            self.request("resources/subscribe", &json!({"uri": uri}));
        }
        for uri in subscribed.difference(&wanted) {
            self.request("resources/unsubscribe", &json!({"uri": uri}));
        }
    }

    /// Asks something of Caisson's own, whose answer is of no interest.
    fn request(&mut self, method: &str, params: &impl Serialize) {
        let id = self.next_id();
        self.own.insert(id);
        self.push(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn push(&mut self, message: impl Into<Vec<u8>>) {
        if !self.is_deaf {
            self.outbox.push_back(message.into());
        }
    }
}

/// Sends a message, if there is one.
async fn send(sender: &SessionSender, message: Option<&Vec<u8>>) -> Result<(), SessionError> {
    match message {
        Some(message) => sender.pass(message).await,
        None => std::future::pending().await,
    }
}

fn raw_id(id: &RequestId) -> String {
    serde_json::to_string(id).unwrap_or_default()
}

fn refused(error: Option<&RawValue>) -> SessionError {
    let error: String = error.map_or("", RawValue::get).chars().take(200).collect();
    SessionError::Protocol(format!("it refused initialize: {}", error.escape_debug()))
}

fn not_mcp(error: crate::model::EnvelopeError) -> SessionError {
    SessionError::Protocol(error.to_string())
}
