//! One shared process, and the two tasks on it: one that reads, and one for each request that waits to be given
//! up.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::super::{
        Exchange, SessionError,
        logs::Logs,
        session::{Session, SessionReceiver, SessionSender},
    },
    calls::{Calls, Routed, Sink},
};
use crate::{
    gate::CallerId,
    model::{Envelope, RequestId, error_response},
};

/// Messages of one request that wait to be read.
const WAITING: usize = 64;
/// A message from this size on waits until those before it were read.
const LARGE: usize = 256 << 10;
/// So long a client may take nothing, while others wait behind it. Then its request is given up.
const STALL: Duration = Duration::from_secs(5);
/// So long a process may take nothing of what it is sent besides requests. Then it is given up.
const DEAF: Duration = Duration::from_secs(30);
/// Refusals that wait for the process to read them.
const MOST_REFUSALS: usize = 64;
/// A process without requests ends after one to two of these.
const IDLE: Duration = Duration::from_secs(30);
/// Requests one caller may have open with an HTTP server: each takes one of the pipe's places for streams, and all
/// callers share those.
const MOST_PLACES: usize = 64;
/// JSON-RPC's code for what failed for no fault of the request's.
const INTERNAL: i32 = -32603;
/// JSON-RPC's code for a method that is not there.
const UNKNOWN_METHOD: i32 = -32601;

/// A process that is shared.
pub(super) struct Wire {
    sender: SessionSender,
    /// How many requests one caller may have open.
    most_per_caller: usize,
    calls: Mutex<Calls>,
    logs: Logs,
    /// Why it takes no more.
    over: OnceLock<SessionError>,
    /// Ends what is left to be sent, and the reading.
    ends: CancellationToken,
    refusals: Arc<Semaphore>,
}

impl Wire {
    /// Takes a session on which nothing was said yet.
    pub(super) fn start(session: Session, logs: Logs) -> Arc<Self> {
        let most_per_caller = if session.takes_places() { MOST_PLACES } else { usize::MAX };
        let (sender, receiver) = session.split();
        let wire = Arc::new(Self {
            sender,
            most_per_caller,
            calls: Mutex::default(),
            logs,
            over: OnceLock::new(),
            ends: CancellationToken::new(),
            refusals: Arc::new(Semaphore::new(MOST_REFUSALS)),
        });
        tokio::spawn(Arc::clone(&wire).read(receiver));
        wire
    }

    /// Whether it takes no more requests.
    pub(super) fn is_closed(&self) -> bool {
        self.over.get().is_some()
    }

    /// Sends a request.
    pub(super) async fn ask(
        self: &Arc<Self>,
        caller: &CallerId,
        request: &[u8],
    ) -> Result<Exchange, SessionError> {
        let (sink, messages) = mpsc::channel(WAITING);
        let begun = {
            let mut calls = self.calls();
            // Under the lock: once it is over, no request is taken in that nobody would end.
            if let Some(error) = self.over.get() {
                return Err(error.clone());
            }
            if calls.count(caller) >= self.most_per_caller {
                return Ok(refused(request, &sink, messages));
            }
            calls.begin(caller, request, sink)
        };
        let no_request = || SessionError::Protocol("what was sent is no request".to_owned());
        let (number, request) = begun.ok_or_else(no_request)?;
        let given_up = CancellationToken::new();
        let exchange = Exchange::new(messages, given_up.clone().drop_guard());
        tokio::spawn(Arc::clone(self).cancel_when(number, given_up));
        // When this is given up in the middle, the request is sent whole or not at all; the cancellation follows.
        if let Err(error) = self.sender.pass(&request).await {
            // It was not sent: there is nothing to cancel.
            self.calls().end(number);
            return Err(error);
        }
        Ok(exchange)
    }

    /// Cancels a request at the server once nobody waits for it.
    async fn cancel_when(self: Arc<Self>, number: i64, given_up: CancellationToken) {
        given_up.cancelled().await;
        if self.calls().end(number) {
            self.cancel(number).await;
        }
    }

    async fn cancel(&self, number: i64) {
        let cancel = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number}}}}}"#
        );
        self.tell(cancel.as_bytes()).await;
    }

    /// Tells the process what no request waits for. One that takes nothing for long is given up.
    async fn tell(&self, message: &[u8]) {
        let told = timeout(DEAF, self.sender.pass(message));
        // A process that is gone does nothing more.
        if let Some(Err(_)) = self.ends.run_until_cancelled(told).await {
            self.ends.cancel();
        }
    }

    /// Reads the server's messages until it ends, or nobody has wanted it for a while.
    async fn read(self: Arc<Self>, mut receiver: SessionReceiver) {
        let mut idle = interval(IDLE);
        let mut was_idle = false;
        let _ends = self.ends.clone().drop_guard();
        let error = loop {
            tokio::select! {
                message = receiver.next() => match message {
                    Some(Ok(message)) => Self::heard(&self, &message).await,
                    Some(Err(error)) => break error,
                    None => break SessionError::Ended("it closed its output".to_owned()),
                },
                () = self.ends.cancelled() => {
                    break SessionError::Ended("it does not read what it is sent".to_owned());
                }
                _ = idle.tick() => {
                    let calls = self.calls();
                    if calls.is_empty() && was_idle {
                        // Under the lock, so that no request is taken in after this.
                        drop(self.over.set(SessionError::Closed));
                        return;
                    }
                    was_idle = calls.is_empty();
                }
            }
        };
        let open = {
            let mut calls = self.calls();
            drop(self.over.set(error.clone()));
            calls.end_all()
        };
        for sink in open {
            tell(sink, Err(error.clone()));
        }
    }

    /// Acts on a message of the server. Sends nothing itself: a process may read no more until it was read.
    async fn heard(wire: &Arc<Self>, message: &Bytes) {
        let routed = wire.calls().route(message);
        match routed {
            Routed::Answer(sink, answer) => tell(sink, Ok(answer)),
            Routed::Notice(number, sink, notice) => {
                if !hand(&sink, notice).await && wire.calls().end(number) {
                    tell(sink, Err(SessionError::Protocol("its messages were not read in time".to_owned())));
                    let wire = Arc::clone(wire);
                    tokio::spawn(async move { wire.cancel(number).await });
                }
            }
            Routed::Asked(id) => {
                // So many are no honest server's.
                let Ok(place) = Arc::clone(&wire.refusals).try_acquire_owned() else { return };
                let wire = Arc::clone(wire);
                tokio::spawn(async move {
                    wire.refuse(&id).await;
                    drop(place);
                });
            }
            Routed::Unknown => wire.keep(message),
        }
    }

    /// A message that may belong to anybody is for the user's eyes alone.
    fn keep(&self, message: &[u8]) {
        let shown =
            [b"caisson: not delivered, since it names no request: ", &message[..message.len().min(400)]];
        self.logs.push(0, &shown.concat());
    }

    async fn refuse(&self, id: &RequestId) {
        let why = "since 2026-07-28 a server asks by an input_required result";
        self.tell(&error_response(Some(id), UNKNOWN_METHOD, why)).await;
    }

    // No panic happens while the lock is held.
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exchange of a request that its caller has no room for.
fn refused(request: &[u8], sink: &Sink, messages: mpsc::Receiver<Result<Bytes, SessionError>>) -> Exchange {
    let id = Envelope::read(request).ok().and_then(|(envelope, _)| envelope.id);
    let refusal = error_response(id.as_ref(), INTERNAL, &SessionError::Crowded.to_string());
    // It is empty, so there is room.
    drop(sink.try_send(Ok(refusal.into())));
    Exchange::new(messages, CancellationToken::new().drop_guard())
}

/// Hands a notification to its reader, who has a moment to catch up; whether it was taken.
async fn hand(sink: &Sink, notice: Bytes) -> bool {
    let room = if notice.len() < LARGE { 1 } else { WAITING };
    match timeout(STALL, sink.reserve_many(room)).await {
        Ok(Ok(mut permits)) => {
            if let Some(permit) = permits.next() {
                permit.send(Ok(notice));
            }
            true
        }
        // Nobody reads any more; the cancellation is on its way.
        Ok(Err(_)) => true,
        Err(_) => false,
    }
}

/// Tells the last word on a request. It waits for its reader, and nobody else does.
fn tell(sink: Sink, last: Result<Bytes, SessionError>) {
    if let Err(mpsc::error::TrySendError::Full(last)) = sink.try_send(last) {
        tokio::spawn(async move { drop(sink.send(last).await) });
    }
}
