//! Sockets that the airlock is handed, one for each connection, beside the pipe. See
//! `docs/adr/0008-a-socket-for-each-connection.md`.
//!
//! Descriptors go in, and none comes out: what the host uses is what the host has made. Of the sockets that are handed in
//! it keeps the other end, of which the container shares nothing, no flag and no lock.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream as StdStream,
    },
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use caisson_wire::splice::{self, Pipes};
use rustix::{
    cmsg_space,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags,
        SocketType, sendmsg, shutdown, socketpair, sockopt::set_socket_send_buffer_size,
    },
};
use tokio::net::{TcpStream, UnixStream};

use super::BytesOnly;

/// Bytes of the kernel's that sockets may take which nobody fetches: some twenty of them.
const QUEUE: usize = 8 << 10;

/// Where an airlock is handed sockets.
#[derive(Debug)]
pub struct Hatch {
    socket: OwnedFd,
    handed: AtomicU64,
    pipes: Arc<Pipes>,
}

/// The host's end of a socket that was handed in.
#[derive(Debug)]
pub struct Hose {
    bytes: BytesOnly,
    pipes: Arc<Pipes>,
}

impl Hatch {
    /// A hatch, and the end of it that is the airlock's.
    ///
    /// # Errors
    /// When there is no room for two more descriptors.
    pub fn open() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, inside) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        // Nothing comes back through it.
        shutdown(&socket, Shutdown::Read)?;
        set_socket_send_buffer_size(&socket, QUEUE)?;
        Ok((Self { socket, handed: AtomicU64::new(0), pipes: Arc::default() }, inside))
    }

    /// Speaks the first word on a pipe, and hands over the airlock's end with it.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn introduce(pipe: &UnixStream, inside: &OwnedFd) -> io::Result<()> {
        // The socket is new: there is room in it.
        send(pipe.as_fd(), &[0], inside)
    }

    /// Hands the airlock a socket. Gives the number it was sent under, and its other end.
    ///
    /// # Errors
    /// When it does not fetch those it was handed, or there is no room for two more descriptors.
    pub fn hand(&self) -> io::Result<(u64, Hose)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, inside) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let number = self.handed.fetch_add(1, Ordering::Relaxed);
        send(self.socket.as_fd(), &number.to_be_bytes(), &inside)?;
        let bytes = BytesOnly::new(UnixStream::from_std(StdStream::from(ours))?);
        Ok((number, Hose { bytes, pipes: self.pipes.clone() }))
    }
}

impl Hose {
    /// What comes from inside.
    pub(super) fn bytes(&self) -> &BytesOnly {
        &self.bytes
    }

    /// Carries what comes from outside in, to its end.
    pub(super) async fn fill(&self, from: &TcpStream, count: &AtomicU64) -> io::Result<()> {
        splice::flow(from, self.bytes.socket(), &self.pipes, count).await
    }

    /// Nothing more comes from outside.
    pub(super) fn end(&self) {
        // The other side may have gone.
        let _gone = shutdown(self.bytes.socket(), Shutdown::Write);
    }
}

fn send(to: std::os::fd::BorrowedFd<'_>, word: &[u8], handed: &OwnedFd) -> io::Result<()> {
    let handed = [handed.as_fd()];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&handed));
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(sendmsg(to, &[IoSlice::new(word)], &mut control, flags).map(drop)?)
}

#[cfg(test)]
mod tests;
