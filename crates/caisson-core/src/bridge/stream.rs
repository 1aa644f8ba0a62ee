//! A stream of messages to a client, whichever response carries it. It outlives connections: what a
//! connection was given is kept for a while, so that the next one can resume after the last event it saw.
//! Memory is bounded: a reader that is slow holds the server back; without a reader the oldest is dropped.

mod log;

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Notify, time::timeout};

pub(super) use log::Event;
use log::Log;

/// So long a reader may take nothing while it holds the server back. Then it is cut off; it can resume.
const STALL: Duration = Duration::from_secs(30);

/// A stream of messages to a client.
pub(super) struct Stream {
    /// Its number within the session; part of its events' ids.
    number: u32,
    log: Mutex<Log>,
    room: Notify,
}

/// The one who reads a stream. Whoever attaches later takes its place.
pub(super) struct Reader {
    stream: Arc<Stream>,
    turn: u64,
}

/// How a stream that answers requests begins, which decides what response carries it.
pub(super) enum Beginning {
    /// All answers, and nothing else, were there at once.
    Answers(Vec<Bytes>),
    /// There is more to come, or there was something other than answers.
    Stream,
}

impl Stream {
    /// A stream that ends when so many answers were sent on it, and the one who reads it.
    pub(super) fn answering(number: u32, answers: usize) -> (Arc<Self>, Reader) {
        let stream = Arc::new(Self::with(number, Log::new(Some(answers))));
        let reader = stream.attach(None);
        (stream, reader)
    }

    /// A stream without an end of its own, which nobody reads yet.
    pub(super) fn lasting(number: u32) -> Arc<Self> {
        Arc::new(Self::with(number, Log::new(None)))
    }

    fn with(number: u32, log: Log) -> Self {
        Self { number, log: Mutex::new(log), room: Notify::new() }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Whether somebody reads it.
    pub(super) fn is_read(&self) -> bool {
        self.log().is_read()
    }

    /// Whether nothing more will be sent on it.
    pub(super) fn is_closed(&self) -> bool {
        self.log().is_closed()
    }

    /// Makes the caller its reader, from the first event nobody was given, or from the one after `seen`.
    pub(super) fn attach(self: &Arc<Self>, seen: Option<u64>) -> Reader {
        let turn = self.log().attach(seen);
        self.room.notify_waiters();
        Reader { stream: Arc::clone(self), turn }
    }

    /// Sends a request or notification on it.
    pub(super) fn push(&self, message: Bytes) {
        self.log().push(message, false);
    }

    /// Sends an answer on it; the last of those it waits for closes it.
    pub(super) fn push_answer(&self, message: Bytes) {
        self.log().push(message, true);
    }

    /// Says that one of the answers it waits for will not come.
    pub(super) fn forgo_answer(&self) {
        self.log().forgo_answer();
    }

    /// Closes it: what is on it is still read.
    pub(super) fn close(&self) {
        self.log().close();
    }

    /// Waits until a reader that fell behind has caught up. One that takes nothing for too long is cut off.
    pub(super) async fn has_room(&self) {
        while self.log().is_crowded() {
            let room = self.room.notified();
            tokio::pin!(room);
            // Enabled before the second look, so that no notice falls in between.
            room.as_mut().enable();
            if !self.log().is_crowded() {
                return;
            }
            if timeout(STALL, room).await.is_err() {
                self.log().cut();
            }
        }
    }

    // No panic happens while the lock is held.
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// The stream it reads.
    pub(super) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The place of the last event before those it reads; 0 when it reads from the beginning.
    pub(super) fn seen(&self) -> u64 {
        self.stream.log().seen()
    }

    /// Waits, at most for `patience`, to see whether the answers come at once. Nothing is taken off the
    /// stream but what [`Beginning::Answers`] holds.
    pub(super) async fn beginning(&self, patience: Duration) -> Beginning {
        let begun = poll_fn(|cx| self.stream.log().poll_beginning(cx, self.turn));
        timeout(patience, begun).await.ok().flatten().map_or(Beginning::Stream, Beginning::Answers)
    }

    /// The next event; none when the stream has ended, or somebody else reads it.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let (next, room) = {
            let mut log = self.stream.log();
            let was_crowded = log.is_crowded();
            let next = log.poll_next(cx, self.turn);
            (next, was_crowded && !log.is_crowded())
        };
        if room {
            self.stream.room.notify_waiters();
        }
        next
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stream.log().detach(self.turn);
        self.stream.room.notify_waiters();
    }
}
