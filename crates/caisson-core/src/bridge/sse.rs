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

/// A stream of messages, as the body of a response.
pub(super) struct SseBody {
    reader: Reader,
    pieces: VecDeque<Bytes>,
    /// Whether each event has an id, by which a client resumes.
    has_ids: bool,
    keep_alive: Pin<Box<Sleep>>,
    _attendance: Attendance,
}

impl SseBody {
    /// What `reader` reads. `prime` begins with an event that has an id and no data (MCP 2025-11-25,
    /// "Transports: Sending Messages to the Server", 6).
    pub(super) fn new(reader: Reader, prime: bool, attendance: Attendance) -> Self {
        let mut pieces = VecDeque::new();
        if prime {
            let id = EventId { stream: reader.stream().number(), place: 0 };
            let primer = format!("id: {id}\nretry: {RETRY}\ndata: \n\n");
            pieces.push_back(Bytes::from(primer));
        }
        let keep_alive = Box::pin(sleep(KEEP_ALIVE));
        Self { reader, pieces, has_ids: true, keep_alive, _attendance: attendance }
    }

    /// What `reader` reads, after an event that says where to post (MCP 2024-11-05, "Transports: HTTP with SSE").
    /// A stream of this kind cannot be resumed.
    pub(super) fn with_endpoint(reader: Reader, endpoint: &str, attendance: Attendance) -> Self {
        let first = Bytes::from(format!("event: endpoint\ndata: {endpoint}\n\n"));
        let keep_alive = Box::pin(sleep(KEEP_ALIVE));
        Self { reader, pieces: [first].into(), has_ids: false, keep_alive, _attendance: attendance }
    }

    /// The next piece of the body.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(piece));
        }
        let mut events = BytesMut::new();
        while self.pieces.is_empty() && events.len() < PIECE {
            match self.reader.poll_next(cx) {
                Poll::Ready(Some(event)) => {
                    self.encode(&mut events, event.place, event.message);
                }
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
    fn encode(&mut self, events: &mut BytesMut, place: u64, message: Bytes) {
        let is_large = message.len() >= LARGE;
        events.reserve(32 + if is_large { 0 } else { message.len() });
        if self.has_ids {
            let id = EventId { stream: self.reader.stream().number(), place };
            events.put_slice(format!("id: {id}\n").as_bytes());
        } else {
            // Not every client of this kind takes an event without a name for a message.
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
