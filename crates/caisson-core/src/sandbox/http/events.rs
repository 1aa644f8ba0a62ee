use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use hyper::body::{Body, Incoming};
use sse_stream::{Sse, SseByteStream};

use super::super::MOST_MESSAGE;

/// How long a server may ask us to wait before the next connection.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
const SHORTEST_RETRY: Duration = Duration::from_millis(100);

/// Where a stream of events stands, over the connections that carry it.
pub(super) struct Position {
    /// The last event's id.
    pub(super) seen: Option<String>,
    /// How long to wait before the next connection.
    pub(super) retry: Duration,
}

impl Default for Position {
    fn default() -> Self {
        Self { seen: None, retry: Duration::from_secs(1) }
    }
}

/// The events of one response.
pub(super) struct Events<'a> {
    stream: SseByteStream<Bounded<'a>>,
    unparsed: Arc<AtomicUsize>,
}

impl<'a> Events<'a> {
    pub(super) fn of(body: &'a mut Incoming) -> Self {
        let unparsed = Arc::new(AtomicUsize::new(0));
        let stream = SseByteStream::new(Bounded { body, unparsed: Arc::clone(&unparsed) });
        Self { stream, unparsed }
    }

    /// The address that the first event names as the one to post to; none when it is another event.
    pub(super) async fn endpoint(&mut self) -> Option<String> {
        let first = self.stream.next().await?.ok()?;
        self.unparsed.store(0, Ordering::Relaxed);
        first.data.filter(|_| first.event.as_deref() == Some("endpoint"))
    }

    /// The next message, in which lines may end; none when the response has ended.
    pub(super) async fn next(&mut self, position: &mut Position) -> Result<Option<String>, String> {
        while let Some(event) = self.stream.next().await {
            let Sse { event: kind, data, id, retry } = event.map_err(|error| error.to_string())?;
            self.unparsed.store(0, Ordering::Relaxed);
            if let Some(id) = id {
                position.seen = Some(id).filter(|id| !id.is_empty());
            }
            if let Some(retry) = retry {
                position.retry = Duration::from_millis(retry).clamp(SHORTEST_RETRY, LONGEST_RETRY);
            }
            let is_message = kind.is_none_or(|kind| kind.is_empty() || kind == "message");
            // An event without data tells an id alone.
            if let Some(data) = data.filter(|data| is_message && !data.is_empty()) {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// A body that fails when an event in it never ends: the parser holds what it has of one.
struct Bounded<'a> {
    body: &'a mut Incoming,
    unparsed: Arc<AtomicUsize>,
}

/// Why a body is read no further.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("{0}")]
    Broken(#[from] hyper::Error),
    #[error("an event is larger than {} MiB", MOST_MESSAGE >> 20)]
    TooLarge,
}

impl Stream for Bounded<'_> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut *self.body).poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            // Trailers say nothing to MCP.
            if let Ok(data) = frame?.into_data() {
                let before = self.unparsed.fetch_add(data.len(), Ordering::Relaxed);
                let is_large = before + data.len() > MOST_MESSAGE + (MOST_MESSAGE >> 4);
                return Poll::Ready(Some(if is_large { Err(BodyError::TooLarge) } else { Ok(data) }));
            }
        }
    }
}
