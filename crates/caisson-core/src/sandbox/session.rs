//! A session: JSON-RPC messages to and from one process of a server, and nothing else above this line.
//!
//! Everything is bounded: a server that floods is slowed down by the pipe's flow control, since nobody reads
//! ahead; a client that floods waits in [`SessionSender::send`].

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{SessionError, lease::Lease, stdio::StdioReader};
use crate::{
    audit::Written,
    gate::{Expected, Inspector, Permit, Permitted},
    model::{Endpoint, Envelope, EnvelopeKind, RequestId, ServerName},
};

/// The largest message either way, in bytes.
pub const MOST_MESSAGE: usize = 16 << 20;
/// Messages that wait to be written, or read, at a time.
const WAITING: usize = 4;

/// An open session with a server: both directions of it. When both are dropped, it ends.
#[derive(Debug)]
pub struct Session {
    sender: SessionSender,
    receiver: SessionReceiver,
}

/// The way to the server. When dropped, the server is told that nothing more comes.
#[derive(Debug)]
pub struct SessionSender {
    endpoint: Endpoint,
    messages: mpsc::Sender<Bytes>,
    closed: Arc<AtomicBool>,
    expecting: Expecting,
    _lease: Option<Arc<Lease>>,
}

/// The way from the server.
#[derive(Debug)]
pub struct SessionReceiver {
    source: Source,
    expecting: Expecting,
    /// Looks through what is received.
    inspector: Option<Box<Inspector>>,
    /// An answer that may be passed on when its call is in the audit.
    held: Option<(Written, Bytes)>,
    _lease: Option<Arc<Lease>>,
}

/// The requests that were sent and are not answered yet, where something is done with the answer.
#[derive(Clone, Debug, Default)]
struct Expecting(Arc<Mutex<HashMap<RequestId, Box<Expected>>>>);

#[derive(Debug)]
enum Source {
    Stdio(Box<StdioReader>),
    Messages(mpsc::Receiver<Result<Bytes, SessionError>>),
}

/// The far ends of a session: for whoever carries its messages.
#[derive(Debug)]
pub(super) struct SessionEnds {
    /// Messages for the server, each with one line end, its last byte (in JSON a blank). None when the sender was
    /// dropped.
    pub(super) outgoing: mpsc::Receiver<Bytes>,
    /// Whether the sender was dropped.
    pub(super) closed: Arc<AtomicBool>,
}

impl Session {
    /// A session whose messages are read from a process's standard output. `reader` is handed the flag that
    /// says whether the client has closed its side.
    pub(super) fn stdio(
        server: ServerName,
        lease: Arc<Lease>,
        reader: impl FnOnce(Arc<AtomicBool>) -> StdioReader,
    ) -> (Self, SessionEnds) {
        let (sender, ends) = SessionSender::new(server.into(), Some(lease.clone()));
        let source = Source::Stdio(Box::new(reader(ends.closed.clone())));
        (Self::of(sender, source, Some(lease)), ends)
    }

    /// A session whose messages somebody else carries: the adapter of HTTP servers. What is sent comes out of the
    /// ends; what is put into the last is received. An error put there should be the last. Without a lease, the
    /// session does not keep a container running.
    pub(super) fn carried(
        endpoint: Endpoint,
        lease: Option<Arc<Lease>>,
    ) -> (Self, SessionEnds, mpsc::Sender<Result<Bytes, SessionError>>) {
        let (sender, ends) = SessionSender::new(endpoint, lease.clone());
        let (incoming, messages) = mpsc::channel(WAITING);
        (Self::of(sender, Source::Messages(messages), lease), ends, incoming)
    }

    fn of(sender: SessionSender, source: Source, lease: Option<Arc<Lease>>) -> Self {
        let receiver = SessionReceiver {
            source,
            expecting: sender.expecting.clone(),
            inspector: None,
            held: None,
            _lease: lease,
        };
        Self { sender, receiver }
    }

    /// A session without a server: what is sent comes out of the second, what is put into the third is received.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn for_test(
        endpoint: Endpoint,
    ) -> (Self, mpsc::Receiver<Bytes>, mpsc::Sender<Result<Bytes, SessionError>>) {
        let (session, ends, incoming) = Self::carried(endpoint, None);
        (session, ends.outgoing, incoming)
    }

    /// The same session, of which only what may reach a client is received.
    pub(super) fn inspected(mut self, inspector: Option<Box<Inspector>>) -> Self {
        self.receiver.inspector = inspector;
        self
    }

    /// Whether each request takes a place of its own in the pipe, as it does with an HTTP server.
    pub(super) fn takes_places(&self) -> bool {
        matches!(self.receiver.source, Source::Messages(_))
    }

    /// The two directions, to be used by two tasks.
    pub fn split(self) -> (SessionSender, SessionReceiver) {
        (self.sender, self.receiver)
    }
}

impl SessionSender {
    fn new(endpoint: Endpoint, lease: Option<Arc<Lease>>) -> (Self, SessionEnds) {
        let (messages, outgoing) = mpsc::channel(WAITING);
        let closed = Arc::new(AtomicBool::new(false));
        let ends = SessionEnds { outgoing, closed: closed.clone() };
        (Self { endpoint, messages, closed, expecting: Expecting::default(), _lease: lease }, ends)
    }

    /// Sends one JSON-RPC message. Line ends between its tokens become blanks. Waits while the server does not
    /// read. May be cancelled: the message is then sent whole or not at all.
    ///
    /// # Errors
    /// When the permit is not for a message to this endpoint, the message is larger than [`MOST_MESSAGE`], or
    /// the session has ended; then the receiver says why.
    pub async fn send(&self, mut permit: Permit, message: &[u8]) -> Result<(), SessionError> {
        if permit.endpoint() != &self.endpoint || permit.what() != Permitted::Message {
            return Err(SessionError::WrongPermit);
        }
        match permit.take_expected() {
            // Before it is sent: the answer may come at once.
            Some(expected) => self.expecting.begin(expected),
            None => self.expecting.cancel(message),
        }
        match permit.take_message() {
            Some(instead) => self.pass(&instead).await,
            None => self.pass(message).await,
        }
    }

    /// Sends one JSON-RPC message on, as [`Self::send`] does, for which a permit was shown further up.
    pub(super) async fn pass(&self, message: &[u8]) -> Result<(), SessionError> {
        if message.len() > MOST_MESSAGE {
            return Err(SessionError::TooLarge(message.len()));
        }
        self.messages.send(one_line(message)).await.map_err(|_| SessionError::Closed)
    }
}

impl Drop for SessionSender {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

impl SessionReceiver {
    /// The next message; none when the session has ended. May be cancelled: nothing is lost.
    ///
    /// # Errors
    /// When the server has ended without being asked to, or does not keep to the protocol. Then comes no more.
    pub async fn next(&mut self) -> Option<Result<Bytes, SessionError>> {
        loop {
            if let Some((written, _)) = &mut self.held {
                written.await;
            }
            if let Some((_, message)) = self.held.take() {
                return Some(Ok(message));
            }
            let next = match &mut self.source {
                Source::Stdio(reader) => reader.next().await,
                Source::Messages(messages) => messages.recv().await,
            };
            let message = match next {
                Some(Ok(message)) => message,
                other => return other,
            };
            let expected = self.expecting.answered_by(&message);
            let looked = match &self.inspector {
                Some(inspector) => inspector.incoming(message, expected.as_deref()),
                None => Some(message),
            };
            let Some(message) = looked else { continue };
            match expected {
                Some(expected) => self.held = Some((expected.answered(&message), message)),
                None => return Some(Ok(message)),
            }
        }
    }
}

impl Expecting {
    fn begin(&self, expected: Box<Expected>) {
        if let Some(id) = expected.id().cloned() {
            // One with the same id will not be answered any more.
            drop(self.lock().insert(id, expected));
        }
    }

    /// The client may have cancelled a request: then it wants no answer.
    fn cancel(&self, message: &[u8]) {
        let mut open = self.lock();
        if !open.is_empty()
            && let Ok((envelope, _)) = Envelope::read(message)
            && let Some(id) = envelope.cancels()
        {
            open.remove(&id);
        }
    }

    /// What a message of the server's answers, which is then no longer open.
    fn answered_by(&self, message: &[u8]) -> Option<Box<Expected>> {
        let mut open = self.lock();
        if open.is_empty() {
            return None;
        }
        match Envelope::read(message) {
            Ok((Envelope { id: Some(id), .. }, EnvelopeKind::Response)) => open.remove(&id),
            Ok(_) | Err(_) => None,
        }
    }

    // No panic happens while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Box<Expected>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message as one line, its end included. In JSON a raw line end can stand between tokens alone, where a
/// blank means the same (RFC 8259, section 2).
pub(super) fn one_line(message: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(message.len() + 1);
    line.extend_from_slice(message);
    line.iter_mut().filter(|byte| matches!(**byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    line.extend_from_slice(b"\n");
    line.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_one_line() {
        assert_eq!(one_line(b"{\n \"a\":\r\n 1}\n"), &b"{  \"a\":   1} \n"[..]);
        assert_eq!(one_line(br#"{"a":"\n"}"#), &b"{\"a\":\"\\n\"}\n"[..]);
    }
}
