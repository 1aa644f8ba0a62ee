use std::{
    sync::{Arc, Once},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    super::{MOST_MESSAGE, SessionError, lease::Lease, mark::marked, session::one_line},
    Dial,
    alone::{self, Tools},
    endpoint::{Endpoint, NoReply, Reply},
    events::{Events, Position},
};
use crate::model::{Envelope, EnvelopeKind, RequestId, Splice, error_response};

/// A notification goes before what is sent after it, unless the server takes longer than this to take it.
pub(super) const IN_ORDER: Duration = Duration::from_secs(5);
/// So long answers may still come after the client has said its last.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// So long the server may take to hear that the session is over.
const FAREWELL: Duration = Duration::from_secs(2);
/// A stream that ended before its answer is taken up again so often in a row.
const RESUMES: u32 = 5;
/// Of an error's body, so much is read.
pub(super) const ERROR_BODY: usize = 64 << 10;
/// The code of an answer given in the server's place: what SDKs report for a connection that closed.
pub(super) const CLOSED: i32 = -32000;
/// The code of an error that says that headers and body disagree (MCP 2026-07-28).
const HEADER_MISMATCH: i64 = -32020;

/// Carries the messages of one session to an HTTP server and back.
pub(super) struct Carrier<D> {
    pub(super) endpoint: Endpoint<D>,
    pub(super) incoming: mpsc::Sender<Result<Bytes, SessionError>>,
    pub(super) tools: Tools,
    lease: Arc<Lease>,
    healthy: Once,
}

/// A message on its way, as far as it matters to what comes back.
#[derive(Default)]
pub(super) struct Call {
    /// The id, when it wants an answer.
    pub(super) id: Option<RequestId>,
    pub(super) initializes: bool,
    /// The headers it goes with, when it stands alone.
    pub(super) alone: Option<HeaderMap>,
    /// Whether its answer tells of tools whose schemas matter.
    pub(super) lists_tools: bool,
}

/// Why a message went wrong.
pub(super) enum Fault {
    /// The session is over.
    Over(SessionError),
    /// This message alone.
    Message(String),
    /// The server does not take this message here; it may be one that speaks HTTP+SSE alone.
    NotHere(String),
}

impl From<NoReply> for Fault {
    fn from(no_reply: NoReply) -> Self {
        match no_reply {
            NoReply::Over(error) => Self::Over(error),
            NoReply::Full(error) => Self::Message(error.to_string()),
            NoReply::Broken(why) => Self::Message(format!("the server closed the connection: {why}")),
        }
    }
}

impl<D: Dial> Carrier<D> {
    pub(super) fn new(
        endpoint: Endpoint<D>,
        incoming: mpsc::Sender<Result<Bytes, SessionError>>,
        lease: Arc<Lease>,
    ) -> Self {
        Self { endpoint, incoming, tools: Tools::default(), lease, healthy: Once::new() }
    }

    /// Carries until one side is done; then tells the server.
    pub(super) async fn carry(self: Arc<Self>, outgoing: mpsc::Receiver<Bytes>) {
        tokio::select! {
            () = self.clone().send_all(outgoing) => {}
            () = self.incoming.closed() => {}
            // Whoever asks next is to begin anew, and not to find out first.
            error = self.endpoint.ended() => return drop(self.incoming.send(Err(error)).await),
        }
        drop(timeout(FAREWELL, self.endpoint.delete()).await);
    }

    /// Sends every message, and waits for the last answers.
    async fn send_all(self: Arc<Self>, mut outgoing: mpsc::Receiver<Bytes>) {
        let mut next = outgoing.recv().await;
        if let Some(first) = next.take_if(|first| alone::stands_alone(first)) {
            return self.carry_alone(first, outgoing).await;
        }
        // Dropped, both end what runs in them.
        let mut calls = JoinSet::new();
        let mut listening = JoinSet::new();
        while let Some(message) = next {
            while calls.try_join_next().is_some() {}
            if let Ok((envelope, kind)) = Envelope::read(&message) {
                let method = envelope.method.as_deref();
                let initializes = method == Some("initialize");
                let initialized = method == Some("notifications/initialized");
                let id = if kind == EnvelopeKind::Request { envelope.id } else { None };
                let call = Call { id, initializes, ..Call::default() };
                if initializes {
                    // Nothing else can be said before the session has its name.
                    let answered = self.exchange(message.clone(), &call).await;
                    if matches!(answered, Err(Fault::NotHere(_)))
                        && self.clone().carry_beside(&message, &mut outgoing).await
                    {
                        return;
                    }
                    self.conclude(answered, &call).await;
                } else {
                    let wants_answer = call.id.is_some();
                    let (done, is_done) = oneshot::channel::<()>();
                    let carrier = self.clone();
                    calls.spawn(async move {
                        carrier.call(message, &call).await;
                        drop(done);
                    });
                    if !wants_answer {
                        drop(timeout(IN_ORDER, is_done).await);
                    }
                }
                if initialized && listening.is_empty() {
                    listening.spawn(self.clone().listen());
                }
            }
            next = outgoing.recv().await;
        }
        let last = async { while calls.join_next().await.is_some() {} };
        drop(timeout(LAST_ANSWERS, last).await);
    }

    /// Sends one message, and sees to its answer.
    pub(super) async fn call(&self, message: Bytes, call: &Call) {
        let answered = self.exchange(message, call).await;
        self.conclude(answered, call).await;
    }

    /// Answers in the server's place where it went wrong.
    async fn conclude(&self, answered: Result<(), Fault>, call: &Call) {
        let answer = match (answered, &call.id) {
            (Ok(()), _) => return,
            (Err(Fault::Over(error)), _) => Err(error),
            (Err(Fault::Message(why) | Fault::NotHere(why)), Some(id)) => {
                Ok(error_response(Some(id), CLOSED, &why).into())
            }
            (Err(Fault::Message(why) | Fault::NotHere(why)), None) => {
                tracing::debug!(why, "an HTTP server did not take a message");
                return;
            }
        };
        // Nobody listens any more when the session is over.
        drop(self.incoming.send(answer).await);
    }

    async fn exchange(&self, message: Bytes, call: &Call) -> Result<(), Fault> {
        let mut reply = self.endpoint.post(message, call.alone.clone().unwrap_or_default()).await?;
        let status = reply.response.status();
        if status != StatusCode::OK {
            return self.other_status(reply, status, call).await;
        }
        if call.initializes {
            self.endpoint.agree(reply.response.headers().get("mcp-session-id").cloned(), None);
        }
        let kind = reply.response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("text/event-stream") {
            return self.events(reply, call).await;
        }
        if !kind.eq_ignore_ascii_case("application/json") && call.id.is_some() {
            let kind = kind.escape_debug();
            return Err(Fault::Message(format!("the server answered with \"{kind}\", which is not MCP")));
        }
        let body = Limited::new(reply.response.body_mut(), MOST_MESSAGE).collect().await;
        let body = body.map_err(|error| Fault::Message(format!("the server's answer broke off: {error}")))?;
        self.endpoint.done(reply);
        let answered = self.heard(&body.to_bytes(), call).await?;
        if answered { Ok(()) } else { Err(Fault::Message("the server gave another answer".to_owned())) }
    }

    /// Any status but 200.
    async fn other_status(&self, mut reply: Reply, status: StatusCode, call: &Call) -> Result<(), Fault> {
        if status == StatusCode::NOT_FOUND && self.endpoint.has_session() {
            let why = "the server has ended its HTTP session".to_owned();
            return Err(Fault::Over(SessionError::Ended(why)));
        }
        let body = Limited::new(reply.response.body_mut(), ERROR_BODY).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        if status.is_success() && call.id.is_none() {
            self.endpoint.done(reply);
            return Ok(());
        }
        // An error of JSON-RPC says more than the status does.
        if let Some(answer) = call.id.as_ref().and_then(|id| error_to(id, &body)) {
            self.heard(&answer, call).await?;
            return Ok(());
        }
        let text: String = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
        let why = format!("the server answered {status}: {}", text.escape_debug());
        let is_elsewhere = matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
        );
        Err(if call.initializes && is_elsewhere { Fault::NotHere(why) } else { Fault::Message(why) })
    }

    /// Reads a stream until it has brought the answer. One that ends before is taken up again.
    async fn events(&self, mut reply: Reply, call: &Call) -> Result<(), Fault> {
        let mut position = Position::default();
        let mut resumes = 0;
        loop {
            let before = position.seen.clone();
            let mut events = Events::of(reply.response.body_mut());
            let end = loop {
                match events.next(&mut position).await {
                    Ok(Some(message)) => {
                        if self.heard(message.as_bytes(), call).await? && call.id.is_some() {
                            return Ok(());
                        }
                    }
                    Ok(None) => break "it ended the stream".to_owned(),
                    Err(why) => break why,
                }
            };
            if call.id.is_none() {
                return Ok(());
            }
            resumes = if position.seen == before { resumes + 1 } else { 0 };
            let no_answer = || Fault::Message(format!("the server gave no answer: {end}"));
            // What stands alone is closed to cancel it, and cannot be taken up again.
            let may_resume = call.alone.is_none() && resumes < RESUMES;
            let seen = position.seen.as_deref().filter(|_| may_resume).ok_or_else(no_answer)?;
            sleep(position.retry).await;
            reply = self.endpoint.get(Some(seen)).await?;
            if reply.response.status() != StatusCode::OK {
                return Err(no_answer());
            }
        }
    }

    /// Reads the stream of what belongs to no request, for as long as the server has one.
    async fn listen(self: Arc<Self>) {
        let mut position = Position::default();
        loop {
            match self.endpoint.get(position.seen.as_deref()).await {
                Ok(mut reply) if reply.response.status() == StatusCode::OK => {
                    let nothing = Call::default();
                    let mut events = Events::of(reply.response.body_mut());
                    while let Ok(Some(message)) = events.next(&mut position).await {
                        if self.heard(message.as_bytes(), &nothing).await.is_err() {
                            return;
                        }
                    }
                }
                // It has no such stream (405), or knows the session no longer, as the next call will show.
                Ok(_) => return,
                Err(NoReply::Over(error)) => return drop(self.incoming.send(Err(error)).await),
                Err(NoReply::Broken(why)) => tracing::debug!(why, "an HTTP server's stream broke off"),
                Err(NoReply::Full(error)) => tracing::debug!(%error, "an HTTP server's stream must wait"),
            }
            sleep(position.retry).await;
        }
    }

    /// Passes on what the server said: one message, or a batch. Says whether the answer was among it.
    async fn heard(&self, said: &[u8], call: &Call) -> Result<bool, Fault> {
        let mut answered = false;
        for message in parts(said) {
            answered |= self.heard_one(message, call).await?;
        }
        Ok(answered || call.id.is_none())
    }

    async fn heard_one(&self, said: &[u8], call: &Call) -> Result<bool, Fault> {
        let Ok((envelope, kind)) = Envelope::read(said) else {
            tracing::debug!("an HTTP server sent what is no message");
            return Ok(false);
        };
        let is_answer = kind == EnvelopeKind::Response && envelope.id.is_some() && envelope.id == call.id;
        if is_answer && call.initializes {
            self.endpoint.agree(None, envelope.result.and_then(chosen_version).as_deref());
        }
        if call.alone.is_some() {
            self.heed(&envelope, call).await;
        }
        match (&call.id, kind) {
            (Some(RequestId::Number(number)), EnvelopeKind::Notification) if call.alone.is_some() => {
                self.pass(&marked(said, *number)).await?;
            }
            _ => self.pass(said).await?,
        }
        Ok(is_answer)
    }

    /// Takes note of what a message tells of the server's tools.
    async fn heed(&self, envelope: &Envelope<'_>, call: &Call) {
        let has_changed = envelope.method.as_deref() == Some("notifications/tools/list_changed");
        if has_changed || envelope.error.and_then(error_code) == Some(HEADER_MISMATCH) {
            self.tools.forget().await;
        } else if let Some(result) = envelope.result.filter(|_| call.lists_tools) {
            self.tools.listed(result).await;
        }
    }

    /// Passes on one message of the server.
    pub(super) async fn pass(&self, said: &[u8]) -> Result<(), Fault> {
        self.healthy.call_once(|| self.lease.healthy());
        let mut line = one_line(said);
        line.truncate(said.len());
        let passed = self.incoming.send(Ok(line)).await;
        passed.map_err(|_| Fault::Over(SessionError::Closed))
    }
}

/// The messages of what a server said: one, or a batch of them.
pub(super) fn parts(said: &[u8]) -> Vec<&[u8]> {
    let said = said.trim_ascii();
    if said.first() != Some(&b'[') {
        return vec![said];
    }
    let parts: Vec<&RawValue> = serde_json::from_slice(said).unwrap_or_default();
    parts.into_iter().map(|part| part.get().as_bytes()).collect()
}

/// The body of an error as the answer to the request `id`, if it is one. A server that did not get to reading
/// the id answers without.
fn error_to(id: &RequestId, body: &[u8]) -> Option<Bytes> {
    let (envelope, kind) = Envelope::read(body).ok()?;
    match &envelope.id {
        _ if kind != EnvelopeKind::Response => None,
        Some(answered) => (answered == id).then(|| Bytes::copy_from_slice(body)),
        None => {
            let mut answer = Splice::of(body)?;
            answer.set(&["id"], &serde_json::to_string(id).ok()?);
            Some(answer.done().into())
        }
    }
}

fn error_code(error: &RawValue) -> Option<i64> {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
    }
    serde_json::from_str::<Error>(error.get()).ok().map(|error| error.code)
}

/// The version an answer to `initialize` chooses.
fn chosen_version(result: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Chosen {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    serde_json::from_str::<Chosen>(result.get()).ok().map(|chosen| chosen.version)
}
