use std::{sync::Arc, time::Duration};

use futures::future::poll_fn;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufStream},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{driver::Driver, pressure::Pressure, stream::Stream};

/// Streams one side holds open at a time. Below the 256 unacknowledged streams at which yamux makes an
/// opener wait, so that silent streams never block the next.
pub const MOST_OPENED: usize = 224;
/// Streams yamux takes, both ways together; one more would end the pipe. Twice [`MOST_OPENED`], and room
/// for those one side has let go of and the other has not.
const MOST_STREAMS: usize = 512;
/// Bytes received and not yet read, over all streams: what a flood can make this side hold at most.
const MOST_UNREAD: usize = MOST_STREAMS * (256 << 10);
/// The largest frame yamux sends: a head of 12 bytes, and 16 KiB.
const FRAME: usize = 12 + (16 << 10);
/// How long the last bytes may take to leave when the pipe is closed from this side.
const FAREWELL: Duration = Duration::from_secs(2);

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
    /// This side holds [`MOST_OPENED`] streams open. Others can be opened when some of them end.
    #[error("the pipe carries {MOST_OPENED} streams, the most it takes; wait until some of them end")]
    Full,
    /// The other side broke the protocol, or the pipe failed.
    #[error("the pipe failed: {0}")]
    Failed(#[from] yamux::ConnectionError),
}

impl MuxError {
    /// Whether the other side broke the protocol; else the pipe itself has ended or failed. A pipe fails with
    /// `InvalidData` when what came on it is no byte at all.
    pub fn is_breach(&self) -> bool {
        use yamux::{ConnectionError, FrameDecodeError};
        match self {
            Self::Closed | Self::Full | Self::Failed(ConnectionError::Closed) => false,
            Self::Failed(
                ConnectionError::Io(error) | ConnectionError::Decode(FrameDecodeError::Io(error)),
            ) => error.kind() == std::io::ErrorKind::InvalidData,
            Self::Failed(_) => true,
        }
    }
}

/// Opens streams to the other side.
#[derive(Clone, Debug)]
pub struct Opener {
    requests: mpsc::Sender<oneshot::Sender<Stream>>,
    room: Arc<Semaphore>,
}

/// The streams the other side opens. Those that nobody takes are held, up to the most the pipe carries;
/// when this is dropped they are reset.
#[derive(Debug)]
pub struct Incoming {
    streams: mpsc::UnboundedReceiver<Stream>,
    /// Keeps the pipe open for as long as somebody listens, though nobody opens.
    _open: Opener,
}

impl Mux {
    /// The host's end of a pipe. Must be called within a Tokio runtime that has its clock enabled.
    pub fn host<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(pipe: T) -> Self {
        Self::start(pipe, yamux::Mode::Client)
    }

    /// The airlock's end of a pipe. Must be called within a Tokio runtime that has its clock enabled.
    pub fn airlock<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(pipe: T) -> Self {
        Self::start(pipe, yamux::Mode::Server)
    }

    fn start<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(pipe: T, mode: yamux::Mode) -> Self {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(MOST_STREAMS).set_max_connection_receive_window(Some(MOST_UNREAD));
        let (requests, asked) = mpsc::channel(32);
        // Bounded by MOST_STREAMS: yamux takes no more.
        let (accepted, streams) = mpsc::unbounded_channel();
        let (pipe, jammed) = Pressure::watch(pipe);
        // yamux writes and reads the head and the body of a frame apart. Each piece would wake every process
        // that the pipe leads through.
        let pipe = BufStream::with_capacity(FRAME, FRAME, pipe);
        let mut driver = Driver::new(pipe, config, mode, asked, accepted, jammed);
        let driver = tokio::spawn(async move {
            let ended = poll_fn(|cx| driver.poll(cx)).await;
            // What was written before the end is sent, if the pipe takes it in time.
            drop(tokio::time::timeout(FAREWELL, poll_fn(|cx| driver.poll_close(cx))).await);
            ended
        });
        let opener = Opener { requests, room: Arc::new(Semaphore::new(MOST_OPENED)) };
        let incoming = Incoming { streams, _open: opener.clone() };
        Self { opener, incoming, driver }
    }
}

impl Opener {
    /// Opens a stream. The other side learns of it with the first bytes written.
    ///
    /// # Errors
    /// When the pipe is closed, or this side holds [`MOST_OPENED`] streams.
    pub async fn open(&self) -> Result<Stream, MuxError> {
        let permit = self.room.clone().try_acquire_owned().map_err(|_| MuxError::Full)?;
        let (reply, stream) = oneshot::channel();
        self.requests.send(reply).await.map_err(|_| MuxError::Closed)?;
        let stream = tokio::select! {
            biased;
            stream = stream => stream.map_err(|_| MuxError::Closed)?,
            // A request that is sent while the other end of the channel is dropped may stay in it, unanswered.
            () = self.requests.closed() => return Err(MuxError::Closed),
        };
        Ok(stream.holding(permit))
    }
}

impl Incoming {
    /// The next stream; none when the pipe has closed.
    pub async fn next(&mut self) -> Option<Stream> {
        self.streams.recv().await
    }
}
