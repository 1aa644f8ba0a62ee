//! Places for connections. There are so many and no more; one that is idle, or does not get to the end of a
//! request's head, makes room for a new one, so that who only holds connections open starves nobody.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;

/// All places.
pub(super) struct Seats {
    most: usize,
    taken: Mutex<Taken>,
    /// Told when a place was left, or its connection has become idle.
    changed: Notify,
}

#[derive(Default)]
struct Taken {
    seats: HashMap<u64, Arc<Seat>>,
    last: u64,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing, since then.
    Idle(Instant),
    /// A request has begun to come, then, and its head is not all there.
    Beginning(Instant),
    /// A request is being answered.
    Answering,
}

/// The place of one connection.
pub(super) struct Seat {
    doing: Mutex<Doing>,
    leave: CancellationToken,
}

/// A place that is taken. Left when dropped.
pub(super) struct Taking {
    number: u64,
    pub(super) seat: Arc<Seat>,
    seats: Arc<Seats>,
}

impl Seats {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a connection. When all are taken, the one that has been idle for longest is to leave; when
    /// none is idle, waits.
    pub(super) async fn take(self: &Arc<Self>) -> Taking {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Enabled before the look, so that no notice falls in between.
            changed.as_mut().enable();
            if let Some(taking) = self.take_free() {
                return taking;
            }
            let seats: Vec<Arc<Seat>> = self.taken().seats.values().cloned().collect();
            let staying = seats.iter().filter(|seat| !seat.leave.is_cancelled());
            let idle = staying.filter_map(|seat| Some((seat.doing().idle_since()?, seat)));
            if let Some((_, seat)) = idle.min_by_key(|(since, _)| *since) {
                seat.leave.cancel();
            }
            changed.await;
        }
    }

    /// Tells those to leave whose request's head has been coming for longer than `limit`.
    pub(super) fn clear(&self, limit: Duration) {
        for seat in self.taken().seats.values() {
            if let Doing::Beginning(since) = seat.doing()
                && since.elapsed() > limit
            {
                seat.leave.cancel();
            }
        }
    }

    fn take_free(self: &Arc<Self>) -> Option<Taking> {
        let mut taken = self.taken();
        if taken.seats.len() >= self.most {
            return None;
        }
        taken.last += 1;
        let seat = Seat { doing: Mutex::new(Doing::Idle(Instant::now())), leave: CancellationToken::new() };
        let (number, seat) = (taken.last, Arc::new(seat));
        taken.seats.insert(number, Arc::clone(&seat));
        Some(Taking { number, seat, seats: Arc::clone(self) })
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn are_empty(&self) -> bool {
        self.taken().seats.is_empty()
    }

    // No panic happens while the lock is held.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.seats.taken().seats.remove(&self.number);
        self.seats.changed.notify_waiters();
    }
}

impl Taking {
    /// Says that a request is being answered, until the answer is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.seat.now(Doing::Answering);
        Answering(Arc::clone(self))
    }
}

impl Doing {
    fn idle_since(self) -> Option<Instant> {
        match self {
            Self::Idle(since) | Self::Beginning(since) => Some(since),
            Self::Answering => None,
        }
    }
}

impl Seat {
    pub(super) fn doing(&self) -> Doing {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when the connection is to make room.
    pub(super) async fn is_to_leave(&self) {
        self.leave.cancelled().await;
    }

    fn now(&self, doing: Doing) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    /// Takes note that bytes came.
    fn heard(&self) {
        let mut doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Doing::Idle(_) = *doing {
            *doing = Doing::Beginning(Instant::now());
        }
    }
}

/// A request is being answered.
pub(super) struct Answering(Arc<Taking>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.seat.now(Doing::Idle(Instant::now()));
        self.0.seats.changed.notify_waiters();
    }
}

/// A connection that tells its seat when bytes come.
pub(super) struct Heard<T> {
    pub(super) stream: T,
    pub(super) seat: Arc<Seat>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.seat.heard();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

/// A body that holds something until it has left.
pub(super) struct Holding<T> {
    pub(super) body: Answer,
    pub(super) _held: T,
}

impl<T: Unpin> Body for Holding<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
