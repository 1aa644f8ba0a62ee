//! A session: one client and one endpoint; a server has a process of its own for it. What the server says is put on
//! the stream it belongs on; what the client says is sent on as the bytes it came in.

mod held;
mod pump;
mod routes;
mod table;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    message::{Message, Posted},
    refusal::Refusal,
    sse::EventId,
    stream::Reader,
    version::Version,
};
use crate::{
    gate::{Permit, Principal},
    model::{Endpoint, RequestId},
    sandbox::{self, SessionSender},
};
use held::Held;
use routes::{Begun, Routes};
pub(super) use table::Table;

/// What names a session: 144 random bits as visible ASCII. Knowing it opens nothing without the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SessionId(Arc<str>);

impl SessionId {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 18];
        getrandom::fill(&mut bits)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bits).into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for SessionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// On what its messages leave for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    /// Each answer on the response to its request (Streamable HTTP).
    ManyStreams,
    /// Everything on one stream, with which the session ends (HTTP+SSE).
    OneStream,
}

/// An open session.
pub(super) struct Session {
    id: SessionId,
    principal: Principal,
    endpoint: Endpoint,
    carriage: Carriage,
    /// Taken away when the session ends, which closes the server's input, however long clients hold on.
    sender: RwLock<Option<Arc<SessionSender>>>,
    routes: Mutex<Routes>,
    version: OnceLock<Version>,
    held: Held,
    attended: AtomicUsize,
    last_attended: Mutex<Instant>,
    ending: CancellationToken,
    reason: OnceLock<String>,
}

impl Session {
    fn new(
        id: SessionId,
        principal: Principal,
        endpoint: Endpoint,
        carriage: Carriage,
        sender: SessionSender,
    ) -> Self {
        Self {
            id,
            principal,
            endpoint,
            carriage,
            sender: RwLock::new(Some(Arc::new(sender))),
            routes: Mutex::new(Routes::new(carriage)),
            version: OnceLock::new(),
            held: Held::default(),
            attended: AtomicUsize::new(0),
            last_attended: Mutex::new(Instant::now()),
            ending: CancellationToken::new(),
            reason: OnceLock::new(),
        }
    }

    pub(super) fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whose it is. It is nobody else's, whatever they know.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn carriage(&self) -> Carriage {
        self.carriage
    }

    /// The version agreed on; none before the server has answered `initialize`.
    pub(super) fn version(&self) -> Option<&Version> {
        self.version.get()
    }

    pub(super) fn agree(&self, version: Version) {
        // The first answer counts; there is one only.
        drop(self.version.set(version));
    }

    /// Begins to wait for the answers to what is posted; none when it wants none.
    pub(super) fn begin(self: &Arc<Self>, posted: &Posted<'_>) -> Result<Option<Asked>, Refusal> {
        let begun = self.routes().begin(posted)?;
        // The end of the session may have come before the requests, and would not find them again.
        if let (Some(begun), Some(why)) = (&begun, self.reason.get()) {
            self.routes().forget(begun.post);
            return Err(Refusal::Ended(why.clone()));
        }
        Ok(begun.map(|Begun { post, reader }| Asked { session: Arc::clone(self), post, reader, sent: false }))
    }

    /// Sends one message on.
    pub(super) async fn send(&self, permit: Permit, message: &Message<'_>) -> Result<(), Refusal> {
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner).clone();
        let ended =
            || Refusal::Ended(self.reason.get().cloned().unwrap_or_else(|| "it was ended".to_owned()));
        let sender = sender.ok_or_else(ended)?;
        self.routes().heard(&message.envelope, message.kind)?;
        if message.envelope.cancels().is_some_and(|id| self.held.release(&id)) {
            // The server has not heard of the call.
            return Ok(());
        }
        tokio::select! {
            sent = sender.send(permit, message.raw) => sent.map_err(|error| Refusal::Unsent(error.to_string())),
            () = self.ending.cancelled() => Err(ended()),
        }
    }

    /// Answers a request in the server's place.
    pub(super) fn answer(&self, id: &RequestId, refusal: &Refusal) {
        self.routes().answer(id, refusal.message(Some(id)));
    }

    /// Answers the requests on which the server was silent for `limit` with an error, and says which.
    pub(super) fn give_up(&self, limit: Duration) -> Vec<RequestId> {
        let silent = self.routes().silent(limit);
        for id in &silent {
            self.answer(id, &Refusal::Silent(limit.as_secs()));
        }
        silent
    }

    /// A reader for what belongs to no request.
    pub(super) fn listen(&self) -> Result<Reader, Refusal> {
        self.routes().listen()
    }

    /// A reader that resumes a stream.
    pub(super) fn resume(&self, seen: EventId) -> Result<Reader, Refusal> {
        self.routes().resume(seen)
    }

    /// Ends it: whoever waits for an answer gets an error with this reason. Only the first call counts.
    pub(super) fn end(&self, why: impl Into<String>) {
        if self.reason.set(why.into()).is_err() {
            return;
        }
        self.ending.cancel();
        drop(self.sender.write().unwrap_or_else(PoisonError::into_inner).take());
        let refusal = Refusal::Ended(self.reason.get().cloned().unwrap_or_default());
        self.routes().end(|id| refusal.message(Some(id)));
    }

    /// Why it has ended, once it has.
    pub(super) fn ended(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Says that no more messages without a request will come, since Caisson shuts down.
    pub(super) fn stop_listening(&self) {
        self.routes().stop_listening();
    }

    /// Whether a request waits for its answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.routes().is_awaited()
    }

    /// How long nobody has used it; none while somebody does.
    pub(super) fn unattended(&self) -> Option<Duration> {
        let last = *self.last_attended.lock().unwrap_or_else(PoisonError::into_inner);
        (self.attended.load(Ordering::Acquire) == 0).then(|| last.elapsed())
    }

    /// Says that somebody uses it, until the answer is dropped.
    pub(super) fn attend(self: &Arc<Self>) -> Attendance {
        self.attended.fetch_add(1, Ordering::AcqRel);
        Attendance { session: Arc::clone(self), is_last: false }
    }

    /// As [`Self::attend`]; and when the answer is dropped, the session ends.
    pub(super) fn attend_to_the_end(self: &Arc<Self>) -> Attendance {
        let mut attendance = self.attend();
        attendance.is_last = true;
        attendance
    }

    // No panic happens while the lock is held.
    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody uses a session: a request is being handled, or a stream is being read.
pub(super) struct Attendance {
    session: Arc<Session>,
    is_last: bool,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        *self.session.last_attended.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.session.attended.fetch_sub(1, Ordering::AcqRel);
        if self.is_last {
            self.session.end("its client closed the event stream");
        }
    }
}

/// Requests whose answers are waited for. Dropped before they were sent, they were never asked; dropped
/// later, nobody can read the answers: without an event the client has no id to resume from.
pub(super) struct Asked {
    session: Arc<Session>,
    post: u32,
    reader: Option<Reader>,
    sent: bool,
}

impl Asked {
    /// Takes note that the server has been asked.
    pub(super) fn sent(&mut self) {
        self.sent = true;
    }

    /// The reader of the answers, where they have a stream of their own.
    pub(super) fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// The reader, for a response of events. From here on the stream can be resumed.
    pub(super) fn into_events(mut self) -> Option<Reader> {
        let reader = self.reader.take()?;
        self.session.routes().keep(reader.stream());
        Some(reader)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.sent {
            self.session.routes().forget(self.post);
        }
    }
}

/// Opens a session and listens to it. `ended` is called when it has ended.
pub(super) fn open(
    id: SessionId,
    principal: Principal,
    endpoint: Endpoint,
    carriage: Carriage,
    opened: sandbox::Session,
    ended: impl FnOnce(&Session) + Send + 'static,
) -> Arc<Session> {
    let (sender, receiver) = opened.split();
    let session = Arc::new(Session::new(id, principal, endpoint, carriage, sender));
    pump::start(Arc::clone(&session), receiver, ended);
    session
}
