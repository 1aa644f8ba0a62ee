use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

/// Bytes not yet given to a reader from which on it holds the server back.
const MOST_UNREAD: usize = 1 << 20;
/// Bytes given to a reader that are kept for the next one.
const MOST_KEPT: usize = 128 << 10;
/// Events given to a reader that are kept for the next one.
const MOST_KEPT_EVENTS: usize = 256;

/// A message with its place in the stream, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Event {
    pub(in super::super) place: u64,
    pub(in super::super) message: Bytes,
}

/// What was sent on a stream: first what a reader was given, then what none was.
#[derive(Default)]
pub(super) struct Log {
    messages: VecDeque<Bytes>,
    /// The place of the first message kept.
    first: u64,
    /// The place of the next message to give.
    next: u64,
    /// Bytes of the messages before `next`.
    kept: usize,
    /// Bytes of the messages from `next` on.
    unread: usize,
    /// Answers still to come, on a stream that ends with them.
    awaited: Option<usize>,
    /// Whether something other than an answer was sent.
    mixed: bool,
    closed: bool,
    /// Counts the readers there were; the last one is the reader.
    turn: u64,
    read: bool,
    waker: Option<Waker>,
}

impl Log {
    pub(super) fn new(awaited: Option<usize>) -> Self {
        Self { first: 1, next: 1, awaited, ..Self::default() }
    }

    pub(super) fn is_read(&self) -> bool {
        self.read
    }

    /// The place of the last message a reader was given; 0 before the first.
    pub(super) fn seen(&self) -> u64 {
        self.next - 1
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether a reader is there that has too much before it.
    pub(super) fn is_crowded(&self) -> bool {
        self.read && self.unread > MOST_UNREAD
    }

    pub(super) fn push(&mut self, message: Bytes, is_answer: bool) {
        if self.closed {
            return;
        }
        self.unread += message.len();
        self.messages.push_back(message);
        if is_answer {
            self.forgo_answer();
        } else {
            self.mixed = true;
        }
        self.trim();
        self.wake();
    }

    pub(super) fn forgo_answer(&mut self) {
        if let Some(awaited) = &mut self.awaited {
            *awaited = awaited.saturating_sub(1);
            if *awaited == 0 {
                self.close();
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.wake();
    }

    pub(super) fn attach(&mut self, seen: Option<u64>) -> u64 {
        if let Some(seen) = seen {
            let end = self.first + self.messages.len() as u64;
            self.next = seen.saturating_add(1).clamp(self.first, end);
            let given = self.given();
            self.kept = self.messages.iter().take(given).map(Bytes::len).sum();
            self.unread = self.messages.iter().skip(given).map(Bytes::len).sum();
        }
        self.turn += 1;
        self.read = true;
        // Whoever read until now is woken to find that it is no longer the reader.
        self.wake();
        self.turn
    }

    pub(super) fn detach(&mut self, turn: u64) {
        if turn == self.turn {
            self.read = false;
            self.waker = None;
            self.trim();
        }
    }

    /// Takes the stream away from a reader.
    pub(super) fn cut(&mut self) {
        self.turn += 1;
        self.read = false;
        self.trim();
        self.wake();
    }

    /// Ready with the answers once they are all there and nothing else is; with none once that cannot be.
    pub(super) fn poll_beginning(&mut self, cx: &mut Context<'_>, turn: u64) -> Poll<Option<Vec<Bytes>>> {
        if turn != self.turn || self.mixed || (self.closed && self.messages.is_empty()) {
            return Poll::Ready(None);
        }
        if self.closed {
            self.next = self.first + self.messages.len() as u64;
            self.unread = 0;
            return Poll::Ready(Some(self.messages.drain(..).collect()));
        }
        self.wait(cx)
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>, turn: u64) -> Poll<Option<Event>> {
        if turn != self.turn {
            return Poll::Ready(None);
        }
        let Some(message) = self.messages.get(self.given()).cloned() else {
            return if self.closed { Poll::Ready(None) } else { self.wait(cx) };
        };
        let place = self.next;
        self.next += 1;
        self.unread -= message.len();
        self.kept += message.len();
        self.trim();
        Poll::Ready(Some(Event { place, message }))
    }

    /// How many of the messages were given to a reader.
    fn given(&self) -> usize {
        // Never more than the messages there are, which are counted in usize.
        usize::try_from(self.next - self.first).unwrap_or(usize::MAX)
    }

    fn trim(&mut self) {
        while self.kept > MOST_KEPT || self.given() > MOST_KEPT_EVENTS {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.kept -= oldest.len();
            self.first += 1;
        }
        // With nobody reading, the server is not held back: it may wait for what others send it.
        while !self.read && self.unread > MOST_UNREAD && self.messages.len() > 1 {
            let Some(oldest) = self.messages.pop_front() else { return };
            if self.first < self.next {
                self.kept -= oldest.len();
            } else {
                self.unread -= oldest.len();
                self.next += 1;
            }
            self.first += 1;
        }
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(log: &mut Log, turn: u64) -> Poll<Option<(u64, Bytes)>> {
        let mut cx = Context::from_waker(Waker::noop());
        log.poll_next(&mut cx, turn).map(|event| event.map(|event| (event.place, event.message)))
    }

    fn beginning(log: &mut Log, turn: u64) -> Poll<Option<Vec<Bytes>>> {
        log.poll_beginning(&mut Context::from_waker(Waker::noop()), turn)
    }

    #[test]
    fn an_answer_alone_is_the_beginning() {
        let mut log = Log::new(Some(1));
        let turn = log.attach(None);
        assert!(beginning(&mut log, turn).is_pending());
        log.push("a".into(), true);
        assert_eq!(beginning(&mut log, turn), Poll::Ready(Some(vec!["a".into()])));
        assert!(log.is_closed());
        assert_eq!(next(&mut log, turn), Poll::Ready(None));
    }

    #[test]
    fn anything_else_makes_a_stream() {
        let mut log = Log::new(Some(1));
        let turn = log.attach(None);
        log.push("progress".into(), false);
        assert_eq!(beginning(&mut log, turn), Poll::Ready(None));
        log.push("a".into(), true);
        log.push("too late".into(), false);
        assert_eq!(next(&mut log, turn), Poll::Ready(Some((1, "progress".into()))));
        assert_eq!(next(&mut log, turn), Poll::Ready(Some((2, "a".into()))));
        assert_eq!(next(&mut log, turn), Poll::Ready(None));
        let mut cancelled = Log::new(Some(1));
        let turn = cancelled.attach(None);
        cancelled.forgo_answer();
        assert_eq!(beginning(&mut cancelled, turn), Poll::Ready(None));
        assert_eq!(next(&mut cancelled, turn), Poll::Ready(None));
    }

    #[test]
    fn a_new_reader_resumes_and_the_old_one_ends() {
        let mut log = Log::new(None);
        let old = log.attach(None);
        for message in ["a", "b", "c"] {
            log.push(message.into(), false);
        }
        assert_eq!(next(&mut log, old), Poll::Ready(Some((1, "a".into()))));
        assert_eq!(next(&mut log, old), Poll::Ready(Some((2, "b".into()))));
        let new = log.attach(Some(1));
        assert_eq!(next(&mut log, old), Poll::Ready(None));
        assert_eq!(next(&mut log, new), Poll::Ready(Some((2, "b".into()))));
        log.detach(old);
        assert!(log.is_read());
        log.detach(new);
        let third = log.attach(None);
        assert_eq!(next(&mut log, third), Poll::Ready(Some((3, "c".into()))));
        assert!(next(&mut log, third).is_pending());
        let hostile = log.attach(Some(u64::MAX));
        assert!(next(&mut log, hostile).is_pending());
        let all = log.attach(Some(0));
        assert_eq!(next(&mut log, all), Poll::Ready(Some((1, "a".into()))));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let big = Bytes::from(vec![b'x'; 100 << 10]);
        let mut log = Log::new(None);
        for _ in 0..100 {
            log.push(big.clone(), false);
        }
        assert!(log.unread <= MOST_UNREAD && !log.is_crowded());
        let turn = log.attach(None);
        for _ in 0..100 {
            log.push(big.clone(), false);
        }
        assert!(log.is_crowded());
        while next(&mut log, turn).is_ready() {}
        assert!(log.kept <= MOST_KEPT && log.unread == 0 && !log.is_crowded());
        assert_eq!(log.next, 201);
        for _ in 0..100 {
            log.push(big.clone(), false);
        }
        log.cut();
        assert!(log.unread <= MOST_UNREAD && !log.is_read());
        assert_eq!(next(&mut log, turn), Poll::Ready(None));
        // One that is larger than all bounds is carried all the same.
        let mut log = Log::new(None);
        log.push(Bytes::from(vec![b'x'; 2 << 20]), false);
        let turn = log.attach(None);
        assert!(next(&mut log, turn).is_ready());
    }
}
