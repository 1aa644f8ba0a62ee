use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A buffered pipe whose frames are sent together: yamux flushes after each of them, which does nothing here. What
/// was written leaves with [`Flush::poll`], with the pipe's end, or when the buffer is full.
pub(crate) struct Gather<T>(Arc<Mutex<T>>);

/// Sends what a [`Gather`] holds.
pub(crate) struct Flush<T>(Arc<Mutex<T>>);

impl<T> Gather<T> {
    pub(crate) fn new(pipe: T) -> (Self, Flush<T>) {
        let shared = Arc::new(Mutex::new(pipe));
        (Self(shared.clone()), Flush(shared))
    }
}

impl<T: AsyncWrite + Unpin> Flush<T> {
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_flush(cx)
    }
}

/// Nobody waits for it: both ends are used by one task.
fn lock<T>(pipe: &Mutex<T>) -> MutexGuard<'_, T> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: AsyncRead + Unpin> AsyncRead for Gather<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gather<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_shutdown(cx)
    }
}
