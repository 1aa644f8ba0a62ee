use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

/// One stream of the pipe: bytes both ways, each way closed on its own.
///
/// Dropping a stream that is open resets it; `shutdown` before dropping ends this side's half in good
/// order. A stream that the other side has reset, or whose pipe has gone, fails with `ConnectionReset`
/// where one that has ended reads as ended; for those who ended their own half first, both are an end.
#[derive(Debug)]
pub struct Stream {
    bytes: Compat<yamux::Stream>,
    /// This side's half has ended.
    ended: bool,
    /// This side's place among the streams it holds open; none for a stream the other side opened.
    _place: Option<OwnedSemaphorePermit>,
}

impl Stream {
    pub(crate) fn new(stream: yamux::Stream) -> Self {
        Self { bytes: stream.compat(), ended: false, _place: None }
    }

    pub(crate) fn holding(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.bytes).poll_read(cx, buf))?;
        let nothing_read = buf.filled().len() == before && buf.remaining() > 0;
        // Closed both ways, though this side's half has not ended.
        if nothing_read && !self.ended && self.bytes.get_ref().is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.bytes).poll_shutdown(cx))?;
        self.ended = true;
        Poll::Ready(Ok(()))
    }
}
