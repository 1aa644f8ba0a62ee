//! Messages as server-sent events (WHATWG HTML, "Server-sent events").

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::time::{Instant, Sleep, sleep};

use super::{session::Attendance, stream::Reader};

/// So long nothing may be sent before a comment is, which tells the client, and proxies, that we live.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client that lost its connection is asked to wait so many milliseconds before the next.
const RETRY: u32 = 1000;
/// A message from this size on is sent as it lies, and not copied.
const LARGE: usize = 16 << 10;
/// Events that are ready together leave together, up to about so many bytes.
const PIECE: usize = 32 << 10;

/// An event's id: the stream's number and the event's place on it. Says to a client nothing, to us where to
/// resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) stream: u32,
    pub(super) place: u64,
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (stream, place) = text.split_once('-').ok_or(())?;
        Ok(Self { stream: stream.parse().map_err(drop)?, place: place.parse().map_err(drop)? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.place)
    }
}

/// Where a stream's messages come from.
pub(super) trait Messages: Send + 'static {
    /// The next message, with the id of its event, where events have one; none at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Option<EventId>, Bytes)>>;
}

/// A stream of messages, as the body of a response.
pub(super) struct SseBody {
    messages: Box<dyn Messages>,
    pieces: VecDeque<Bytes>,
    /// Whether events say that they are messages: not every client of HTTP+SSE takes one without a name for one.
    names_events: bool,
    keep_alive: Pin<Box<Sleep>>,
}

/// The messages of a stream that can be resumed, and the use of its session meanwhile.
struct Resumable {
    reader: Reader,
    /// Whether each event has an id, by which a client resumes.
    has_ids: bool,
    _attendance: Attendance,
}

impl Messages for Resumable {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Option<EventId>, Bytes)>> {
        let stream = self.reader.stream().number();
        let id = |place| self.has_ids.then_some(EventId { stream, place });
        let next = self.reader.poll_next(cx);
        next.map(|event| event.map(|event| (id(event.place), event.message)))
    }
}

impl SseBody {
    /// What `reader` reads. `prime` begins with an event that has an id and no data (MCP 2025-11-25,
    /// "Transports: Sending Messages to the Server", 6): that of the last event before, so that nothing is read twice.
    pub(super) fn new(reader: Reader, prime: bool, attendance: Attendance) -> Self {
        let id = EventId { stream: reader.stream().number(), place: reader.seen() };
        let mut body = Self::of(Resumable { reader, has_ids: true, _attendance: attendance });
        if prime {
            body.pieces.push_back(Bytes::from(format!("id: {id}\nretry: {RETRY}\ndata: \n\n")));
        }
        body
    }

    /// What `messages` gives.
    pub(super) fn of(messages: impl Messages) -> Self {
        let keep_alive = Box::pin(sleep(KEEP_ALIVE));
        Self { messages: Box::new(messages), pieces: VecDeque::new(), names_events: false, keep_alive }
    }

    /// What `reader` reads, after an event that says where to post (MCP 2024-11-05, "Transports: HTTP with SSE").
    /// A stream of this kind cannot be resumed.
    pub(super) fn with_endpoint(reader: Reader, endpoint: &str, attendance: Attendance) -> Self {
        let mut body = Self::of(Resumable { reader, has_ids: false, _attendance: attendance });
        body.names_events = true;
        body.pieces.push_back(Bytes::from(format!("event: endpoint\ndata: {endpoint}\n\n")));
        body
    }

    /// The next piece of the body.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(piece));
        }
        let mut events = BytesMut::new();
        while self.pieces.is_empty() && events.len() < PIECE {
            match self.messages.poll_next(cx) {
                Poll::Ready(Some((id, message))) => self.encode(&mut events, id, message),
                Poll::Ready(None) if events.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) => break,
                Poll::Pending if events.is_empty() => return self.poll_keep_alive(cx),
                Poll::Pending => break,
            }
        }
        self.keep_alive.as_mut().reset(Instant::now() + KEEP_ALIVE);
        Poll::Ready(Some(events.freeze()))
    }

    /// Writes an event. A large one goes, behind what was written, into the pieces that follow.
    fn encode(&mut self, events: &mut BytesMut, id: Option<EventId>, message: Bytes) {
        let is_large = message.len() >= LARGE;
        events.reserve(32 + if is_large { 0 } else { message.len() });
        if let Some(id) = id {
            events.put_slice(format!("id: {id}\n").as_bytes());
        } else if self.names_events {
            events.put_slice(b"event: message\n");
        }
        if message.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            // Between JSON's tokens a line may end. Here an end of line ends the field.
            for line in message.split(|byte| matches!(byte, b'\r' | b'\n')) {
                events.reserve(16 + line.len());
                events.put_slice(b"data: ");
                events.put_slice(line);
                events.put_u8(b'\n');
            }
            events.put_u8(b'\n');
        } else if is_large {
            events.put_slice(b"data: ");
            self.pieces.push_back(message);
            self.pieces.push_back(Bytes::from_static(b"\n\n"));
        } else {
            events.put_slice(b"data: ");
            events.put_slice(&message);
            events.put_slice(b"\n\n");
        }
    }

    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.keep_alive.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.keep_alive.as_mut().reset(Instant::now() + KEEP_ALIVE);
                Poll::Ready(Some(Bytes::from_static(b": \n\n")))
            }
        }
    }
}
