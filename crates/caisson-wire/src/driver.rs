use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, oneshot},
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::{
    gather::{Flush, Gather},
    mux::MuxError,
    stream::Stream,
};

/// Moves the connection: yamux reads and writes only while it is polled.
pub(crate) struct Driver<T> {
    connection: yamux::Connection<Compat<Gather<T>>>,
    flush: Flush<T>,
    requests: mpsc::Receiver<oneshot::Sender<Stream>>,
    opening: Option<oneshot::Sender<Stream>>,
    accepted: mpsc::UnboundedSender<Stream>,
    /// Whether the pipe takes no more bytes for the moment.
    jammed: Arc<AtomicBool>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    pub(crate) fn new(
        pipe: T,
        config: yamux::Config,
        mode: yamux::Mode,
        requests: mpsc::Receiver<oneshot::Sender<Stream>>,
        accepted: mpsc::UnboundedSender<Stream>,
        jammed: Arc<AtomicBool>,
    ) -> Self {
        let (pipe, flush) = Gather::new(pipe);
        let connection = yamux::Connection::new(pipe.compat(), config, mode);
        Self { connection, flush, requests, opening: None, accepted, jammed }
    }

    /// Ready when the pipe has ended, or nobody can open streams or take them any more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), MuxError>> {
        loop {
            if let Poll::Ready(ended) = self.poll_streams(cx) {
                return Poll::Ready(ended);
            }
            let held_up = self.is_jammed();
            if let Poll::Ready(Err(error)) = self.flush.poll(cx) {
                return Poll::Ready(Err(yamux::ConnectionError::Io(error).into()));
            }
            // A flush that ends the jam wakes nobody: whoever was held up by it goes on here.
            if !held_up || self.is_jammed() {
                return Poll::Pending;
            }
        }
    }

    fn is_jammed(&self) -> bool {
        self.jammed.load(Ordering::Relaxed)
    }

    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), MuxError>> {
        loop {
            // First, so that streams let go of are forgotten before others are opened: yamux ends the whole
            // connection when it is asked for one stream too many.
            match self.connection.poll_next_inbound(cx) {
                Poll::Pending => {}
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                // A receiver that is gone wants no stream; dropping it resets it.
                Poll::Ready(Some(Ok(stream))) => {
                    drop(self.accepted.send(Stream::new(stream)));
                    continue;
                }
            }
            if self.opening.is_none() {
                match self.requests.poll_recv(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Ready(Some(reply)) => self.opening = Some(reply),
                }
            }
            // While the pipe is jammed yamux forgets nothing.
            if self.is_jammed() {
                return Poll::Pending;
            }
            match self.connection.poll_new_outbound(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Ready(Ok(stream)) => {
                    // Whoever asked and has gone wants no stream; dropping it resets it.
                    drop(self.opening.take().map(|reply| reply.send(Stream::new(stream))));
                }
            }
        }
    }

    /// Sends what was written, says goodbye and closes the pipe.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_close(cx).map(drop)
    }
}
