use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Stream;

/// A connection whose bytes take a socket beside the pipe. The stream it was opened by tells how each half ends: a
/// socket that has merely closed was cut, as one on which the other side is gone.
#[derive(Debug)]
pub struct Beside<T, S = Stream> {
    socket: T,
    stream: S,
    /// No more bytes come on the socket.
    drained: bool,
}

impl<T, S> Beside<T, S> {
    /// The connection of `stream`, whose other side has the other end of `socket`.
    pub fn new(socket: T, stream: S) -> Self {
        Self { socket, stream, drained: false }
    }
}

impl<T: AsyncRead + Unpin, S: AsyncRead + Unpin> AsyncRead for Beside<T, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.drained {
            let before = buf.filled().len();
            ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
            if buf.filled().len() > before || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            self.drained = true;
        }
        let mut odd = [0; 1];
        let mut odd = ReadBuf::new(&mut odd);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut odd))?;
        match odd.filled() {
            [] => Poll::Ready(Ok(())),
            [..] => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "bytes where none belong"))),
        }
    }
}

impl<T: AsyncWrite + Unpin, S: AsyncWrite + Unpin> AsyncWrite for Beside<T, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
