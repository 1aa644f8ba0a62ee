use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use futures::{AsyncRead as FuturesRead, AsyncWrite as FuturesWrite};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};

/// Open streams at a time, both ways together. Beyond that, opening fails.
const MOST_STREAMS: usize = 1024;
/// Bytes received and not yet read, over all streams: what a flood can make this side hold at most.
const MOST_UNREAD: usize = MOST_STREAMS * (256 << 10);

/// One stream of the pipe: bytes both ways, each way closed on its own.
pub type Stream = Compat<yamux::Stream>;

/// The pipe, carrying streams. Dropping every [`Opener`] and the [`Incoming`] closes it.
#[derive(Debug)]
pub struct Mux {
    /// Opens streams to the other side.
    pub opener: Opener,
    /// The streams the other side opens.
    pub incoming: Incoming,
    /// Ends when the pipe has: with an error unless it ended in good order.
    pub driver: JoinHandle<Result<(), MuxError>>,
}

/// Why the pipe, or a stream of it, is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum MuxError {
    /// The pipe has closed.
    #[error("the pipe is closed")]
    Closed,
    /// The other side broke the protocol, or the pipe failed.
    #[error("the pipe failed: {0}")]
    Failed(#[from] yamux::ConnectionError),
}

/// Opens streams to the other side.
#[derive(Clone, Debug)]
pub struct Opener(mpsc::Sender<oneshot::Sender<Stream>>);

/// The streams the other side opens.
#[derive(Debug)]
pub struct Incoming(mpsc::UnboundedReceiver<Stream>);

impl Mux {
    /// The host's end of a pipe. Must be called within a Tokio runtime.
    pub fn host<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(pipe: T) -> Self {
        Self::start(pipe, yamux::Mode::Client)
    }

    /// The airlock's end of a pipe. Must be called within a Tokio runtime.
    pub fn airlock<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(pipe: T) -> Self {
        Self::start(pipe, yamux::Mode::Server)
    }

    fn start<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(pipe: T, mode: yamux::Mode) -> Self {
        let mut config = yamux::Config::default();
        config.set_max_connection_receive_window(Some(MOST_UNREAD)).set_max_num_streams(MOST_STREAMS);
        let (opener, requests) = mpsc::channel(32);
        // Bounded by MOST_STREAMS: yamux refuses more.
        let (accepted, incoming) = mpsc::unbounded_channel();
        let mut driver = Driver {
            connection: yamux::Connection::new(pipe.compat(), config, mode),
            requests,
            opening: None,
            accepted,
        };
        let driver = tokio::spawn(async move {
            let ended = poll_fn(|cx| driver.poll(cx)).await;
            // In good order or not, what was written before the end is sent, if the pipe still takes it.
            drop(poll_fn(|cx| driver.connection.poll_close(cx)).await);
            ended
        });
        Self { opener: Opener(opener), incoming: Incoming(incoming), driver }
    }
}

impl Opener {
    /// Opens a stream. The other side learns of it with the first bytes written.
    ///
    /// # Errors
    /// When the pipe is closed, or has as many streams as it takes.
    pub async fn open(&self) -> Result<Stream, MuxError> {
        let (reply, stream) = oneshot::channel();
        self.0.send(reply).await.map_err(|_| MuxError::Closed)?;
        stream.await.map_err(|_| MuxError::Closed)
    }
}

impl Incoming {
    /// The next stream; none when the pipe has closed.
    pub async fn next(&mut self) -> Option<Stream> {
        self.0.recv().await
    }
}

/// Moves the connection: yamux reads and writes only while it is polled.
struct Driver<T> {
    connection: yamux::Connection<T>,
    requests: mpsc::Receiver<oneshot::Sender<Stream>>,
    opening: Option<oneshot::Sender<Stream>>,
    accepted: mpsc::UnboundedSender<Stream>,
}

impl<T: FuturesRead + FuturesWrite + Unpin> Driver<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), MuxError>> {
        loop {
            if self.poll_opening(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            match self.connection.poll_next_inbound(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                // A receiver that is gone wants no stream; dropping it resets it.
                Poll::Ready(Some(Ok(stream))) => drop(self.accepted.send(stream.compat())),
            }
        }
    }

    /// Ready when nobody can open streams or take them any more: then the pipe closes.
    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.opening.is_some() {
                let Poll::Ready(opened) = self.connection.poll_new_outbound(cx) else {
                    return Poll::Pending;
                };
                let reply = self.opening.take();
                // On an error the reply is dropped, and the one who asked learns that it cannot be.
                if let (Some(reply), Ok(stream)) = (reply, opened) {
                    drop(reply.send(stream.compat()));
                }
            }
            match self.requests.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(reply)) => self.opening = Some(reply),
                Poll::Ready(None) if self.accepted.is_closed() => return Poll::Ready(()),
                Poll::Ready(None) => return Poll::Pending,
            }
        }
    }
}
