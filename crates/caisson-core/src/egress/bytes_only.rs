//! A socket shared with a container, of which bytes are read and nothing else.
//!
//! Whoever has the other end may send descriptors along with the bytes. What a plain `read` does with them is close them,
//! in this very thread, and closing can be made to take for ever: the last descriptor of a TCP connection that lingers.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::{
    cmsg_space,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::UnixStream,
    runtime::Handle,
};

/// The most descriptors that can come at a time (`SCM_MAX_FD`): with room for fewer, the kernel would close the rest here.
const MOST: usize = 253;

/// The socket. Reading fails with `InvalidData` when a descriptor comes, which then is closed elsewhere.
#[derive(Debug)]
pub struct BytesOnly(UnixStream);

impl BytesOnly {
    /// Takes care of what comes on `socket`.
    pub fn new(socket: UnixStream) -> Self {
        Self(socket)
    }

    /// The socket itself, for writing.
    pub(super) fn socket(&self) -> &UnixStream {
        &self.0
    }

    fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let bytes = recvmsg(&self.0, &mut [IoSliceMut::new(room)], &mut control, flags)?.bytes;
        let mut descriptors: Vec<OwnedFd> = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(came) = message {
                descriptors.extend(came);
            }
        }
        if descriptors.is_empty() {
            return Ok(bytes);
        }
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(descriptors)));
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "descriptors where none belong"))
    }
}

impl AsyncRead for &BytesOnly {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let received = self.0.try_io(Interest::READABLE, || self.receive(buf.initialize_unfilled()));
            match received {
                Ok(bytes) => {
                    buf.advance(bytes);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for BytesOnly {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }
}

impl AsyncWrite for BytesOnly {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
