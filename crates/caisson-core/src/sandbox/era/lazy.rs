//! A session with a server that need not run yet. What the server is known to say is said at once, from its pins;
//! with the first request that needs the server itself, a process is opened, is told what the client has said so
//! far, and from there on both are connected. It must never answer what only the server can know.

mod relay;
mod told;

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use self::{relay::Relay, told::Told};
use super::{
    super::{SandboxError, Session, SessionError, SessionReceiver, SessionSender, exchange::Opens},
    conversation::LISTS,
    empty,
    kept::asks_for_all,
};
use crate::{
    gate::CallerId,
    model::{Envelope, EnvelopeKind, RequestId, Splice, error_response},
    pins::{Pin, Profile},
};

/// What SDKs report for a connection that closed.
const CLOSED: i32 = -32000;
/// Messages that wait for a process. When there are more, the client waits too.
const MOST_WAITING: usize = 64;
/// The id of the client's `logging/setLevel`, which was answered, as the process hears it.
const LEVEL: &str = "caisson:logging/setLevel";

/// What a lazy session is made of.
pub(super) struct Lazy {
    pub(super) opener: Arc<dyn Opens>,
    /// Whose it is.
    pub(super) caller: CallerId,
    pub(super) pin: Pin,
    pub(super) profile: Profile,
    /// Whether the client is told what others were, where all are alike to the server.
    pub(super) shares: bool,
    /// Whether the process is opened as soon as the client is ready, and not with its first request.
    pub(super) prewarm: bool,
    /// How long the server may take to answer `initialize`.
    pub(super) patience: Duration,
}

/// A process that has heard what the client said so far.
struct Opened {
    sender: SessionSender,
    receiver: SessionReceiver,
}

type Incoming = mpsc::Sender<Result<Bytes, SessionError>>;

impl Lazy {
    /// The session.
    pub(super) fn session(self) -> Session {
        let (session, ends, incoming) = Session::carried(self.opener.server().clone().into(), None);
        tokio::spawn(self.carry(ends.outgoing, incoming));
        session
    }

    async fn carry(self, mut outgoing: mpsc::Receiver<Bytes>, incoming: Incoming) {
        let mut told = Told::default();
        let mut warm = None;
        let mut waiting = VecDeque::new();
        loop {
            let waited = waiting.pop_front();
            let message = if waited.is_some() { waited } else { outgoing.recv().await };
            let Some(message) = message else { return };
            let Ok((envelope, kind)) = Envelope::read(&message) else { continue };
            if let Some(answer) = self.answer(&mut told, &message, &envelope, kind) {
                if incoming.send(Ok(answer)).await.is_err() {
                    return;
                }
                continue;
            }
            if kind == EnvelopeKind::Notification {
                if told.initialized.is_some() && self.prewarm && warm.is_none() {
                    warm = Some(self.warm());
                }
                continue;
            }
            waiting.push_front(message);
            let so_far = told.clone();
            let opened = tokio::select! {
                opened = self.open(&so_far, warm.take(), &incoming) => opened,
                never = self.meanwhile(&mut told, &mut waiting, &mut outgoing, &incoming) => match never {},
                () = incoming.closed() => return,
            };
            match opened {
                Ok(opened) => {
                    let relay = Relay::new(self.pin, self.profile, told);
                    return relay.run(opened, waiting, outgoing, incoming).await;
                }
                // What has not begun ends with that: whoever waits for the answer learns by the end why there is none.
                Err(error) if told.result.is_none() => {
                    return drop(incoming.send(Err(SessionError::NotStarted(error.to_string()))).await);
                }
                Err(error) => {
                    let Some(id) = waiting.pop_front().as_ref().and_then(request_id) else { continue };
                    let refusal = error_response(Some(&id), CLOSED, &error.to_string());
                    if incoming.send(Ok(refusal.into())).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Hears the client while a process is opened: answers what is known, and lets the rest wait.
    async fn meanwhile(
        &self,
        told: &mut Told,
        waiting: &mut VecDeque<Bytes>,
        outgoing: &mut mpsc::Receiver<Bytes>,
        incoming: &Incoming,
    ) -> Infallible {
        while waiting.len() < MOST_WAITING
            && let Some(message) = outgoing.recv().await
        {
            let Ok((envelope, kind)) = Envelope::read(&message) else { continue };
            if let Some(id) = envelope.cancels() {
                waiting.retain(|waiting| request_id(waiting).as_ref() != Some(&id));
                continue;
            }
            let method = envelope.method.as_deref();
            let may_be_known = method == Some("ping") || LISTS.iter().any(|(list, _)| Some(*list) == method);
            let answer = may_be_known.then(|| self.answer(told, &message, &envelope, kind)).flatten();
            match answer {
                Some(answer) => drop(incoming.send(Ok(answer)).await),
                None => waiting.push_back(message),
            }
        }
        std::future::pending().await
    }

    /// The answer to a request, where it is known; takes note of what the client says. A notification has none.
    fn answer(
        &self,
        told: &mut Told,
        message: &Bytes,
        envelope: &Envelope<'_>,
        kind: EnvelopeKind,
    ) -> Option<Bytes> {
        let method = envelope.method.as_deref()?;
        if kind == EnvelopeKind::Notification {
            match method {
                "notifications/initialized" => told.initialized = Some(message.clone()),
                // What it cancels was answered.
                "notifications/cancelled" => {}
                _ if told.notifications.len() < MOST_WAITING => told.notifications.push(message.clone()),
                _ => {}
            }
            return None;
        }
        let id = envelope.id.as_ref()?;
        let result = match method {
            "initialize" => {
                told.hello = Some((message.clone(), id.clone()));
                told.result = self.known("initialize");
                told.result.clone()?
            }
            // Before `initialize`, or when it was not answered from the pins, all else is the server's to say.
            _ if told.result.is_none() => return None,
            "ping" => empty()?,
            "logging/setLevel" => {
                if !told.takes_level(envelope.params) {
                    return None;
                }
                told.level = Some(message.clone());
                empty()?
            }
            _ => {
                let (list, _) = LISTS.iter().find(|(list, _)| *list == method)?;
                let result = self.known(list).filter(|_| asks_for_all(envelope.params))?;
                told.list(list, &result);
                result
            }
        };
        let id = serde_json::to_string(id).ok()?;
        Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into())
    }

    fn known(&self, method: &str) -> Option<Box<RawValue>> {
        if self.shares {
            self.pin.known(&self.profile, method)
        } else {
            self.pin.result(&self.profile, method)
        }
    }

    fn warm(&self) -> JoinHandle<Result<Session, SandboxError>> {
        let (opener, caller) = (Arc::clone(&self.opener), Some(self.caller.clone()));
        tokio::spawn(async move { opener.open(caller).await })
    }

    /// Opens a process and tells it what the client has said so far.
    async fn open(
        &self,
        told: &Told,
        warm: Option<JoinHandle<Result<Session, SandboxError>>>,
        incoming: &Incoming,
    ) -> Result<Opened, SandboxError> {
        if let Some(warm) = warm {
            // A task that panicked opened nothing.
            let warm =
                warm.await.unwrap_or_else(|_| Err(SandboxError::Stopped(self.opener.server().clone())));
            // It may have ended while it waited.
            if let Ok(opened) = self.begin(told, warm?, incoming).await {
                return Ok(opened);
            }
        }
        let session = self.opener.open(Some(self.caller.clone())).await?;
        self.begin(told, session, incoming).await
    }

    /// Tells a new process what the client has said so far.
    async fn begin(
        &self,
        told: &Told,
        session: Session,
        incoming: &Incoming,
    ) -> Result<Opened, SandboxError> {
        let (sender, receiver) = session.split();
        let mut opened = Opened { sender, receiver };
        if told.result.is_some() {
            let ended = |error: SessionError| SandboxError::Ended {
                server: self.opener.server().clone(),
                reason: error.to_string(),
            };
            timeout(self.patience, self.catch_up(told, &mut opened, incoming))
                .await
                .unwrap_or_else(|_| {
                    Err(SessionError::Protocol("it did not answer initialize in time".to_owned()))
                })
                .map_err(ended)?;
        }
        Ok(opened)
    }

    /// Goes through the beginning that the client has behind it already.
    async fn catch_up(
        &self,
        told: &Told,
        opened: &mut Opened,
        incoming: &Incoming,
    ) -> Result<(), SessionError> {
        let (Some((hello, id)), Some(result)) = (&told.hello, &told.result) else { return Ok(()) };
        opened.sender.pass(hello).await?;
        loop {
            let message = opened.receiver.next().await.unwrap_or(Err(SessionError::Closed))?;
            let answer = match Envelope::read(&message) {
                Ok((envelope, EnvelopeKind::Response)) if envelope.id.as_ref() == Some(id) => envelope.result,
                // The client's own answer could not be passed on yet.
                Ok((Envelope { id: Some(id), method, .. }, EnvelopeKind::Request))
                    if method.as_deref() == Some("ping") =>
                {
                    let id = serde_json::to_string(&id).unwrap_or_default();
                    let pong = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
                    opened.sender.pass(pong.as_bytes()).await?;
                    continue;
                }
                _ => {
                    // What a server says before it is initialized is the client's to hear.
                    incoming.send(Ok(message)).await.map_err(|_| SessionError::Closed)?;
                    continue;
                }
            };
            let answer =
                answer.ok_or_else(|| SessionError::Protocol("it refused to initialize".to_owned()))?;
            self.pin.set_result(&self.profile, "initialize", answer);
            self.pin.compare(&self.profile, "initialize", answer);
            if version(answer) != version(result) {
                let why = "it speaks another version than it did; connect again";
                return Err(SessionError::Protocol(why.to_owned()));
            }
            break;
        }
        for message in told.initialized.iter().chain(&told.notifications) {
            opened.sender.pass(message).await?;
        }
        if let Some(mut level) = told.level.as_ref().and_then(|level| Splice::of(level)) {
            level.set(&["id"], &format!("\"{LEVEL}\""));
            opened.sender.pass(&level.done()).await?;
        }
        Ok(())
    }
}

/// The id of a message that is a request.
fn request_id(message: &Bytes) -> Option<RequestId> {
    let (envelope, kind) = Envelope::read(message).ok()?;
    envelope.id.filter(|_| kind == EnvelopeKind::Request)
}

fn version(initialize: &RawValue) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Chosen {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    serde_json::from_str::<Chosen>(initialize.get()).ok().map(|chosen| chosen.version)
}
