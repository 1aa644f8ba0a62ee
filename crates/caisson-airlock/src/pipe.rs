use std::{
    fs::File,
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    cmsg_space,
    fs::OFlags,
    net::{RecvAncillaryBuffer, RecvFlags, recvmsg},
    process::{DumpableBehavior, set_dumpable_behavior},
};
use tokio::{
    io::{Interest, Join},
    net::{UnixStream, unix::pipe},
};
use tokio_util::either::Either;

use crate::hatch::{self, Hatch};

/// The stream of bytes to Caisson: a socket, or standard input and output.
pub(crate) type Pipe = Either<UnixStream, Attached>;

type Attached = Join<pipe::Receiver, pipe::Sender>;

/// Takes the pipe, out of reach of everything else in the container: the socket if the host speaks there, else
/// standard input and output. With the socket may come a hatch.
///
/// Children run under the same user id. Without what is done here they could open `/proc/1/fd/0` and speak
/// in the airlock's name, or read its memory: a process that is not dumpable belongs to root in `/proc` and
/// cannot be traced. (gVisor guards its memory so, but not its descriptors. Whoever speaks on the pipe from
/// inside is no more than an airlock, though, which the host takes for hostile.) Descriptors 0 and 1 themselves lead nowhere afterwards, so that no stray print can
/// damage the pipe.
pub(crate) async fn take(socket: Option<&Path>) -> io::Result<(Pipe, Option<Hatch>)> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let attached = take_attached()?;
    let met = match socket {
        Some(path) => meet(path).await,
        None => None,
    };
    Ok(match met {
        Some((socket, hatch)) => (Either::Left(socket), hatch),
        None => (Either::Right(attached), None),
    })
}

fn take_attached() -> io::Result<Attached> {
    let input = non_blocking(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?)?;
    let output = non_blocking(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?)?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    // Unchecked, for an engine may attach sockets as well as pipes: what can be polled, read and written
    // will do, and what cannot be polled is refused here.
    Ok(tokio::io::join(
        pipe::Receiver::from_owned_fd_unchecked(input)?,
        pipe::Sender::from_owned_fd_unchecked(output)?,
    ))
}

/// The connected socket, once the host has spoken on it, and the hatch it hands over with that. None when it cannot
/// be reached from here, or the host has given it up: it speaks first, one byte, and where it waits no longer it closes.
async fn meet(path: &Path) -> Option<(UnixStream, Option<Hatch>)> {
    let socket = UnixStream::connect(path).await.ok()?;
    let hear = || {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let (mut word, flags) = ([0; 1], RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC);
        let heard = recvmsg(&socket, &mut [IoSliceMut::new(&mut word)], &mut control, flags)?;
        Ok((heard.bytes, hatch::only(&mut control)))
    };
    let (bytes, hatch) = socket.async_io(Interest::READABLE, hear).await.ok()?;
    (bytes > 0).then(|| (socket, hatch.map(Hatch::new)))
}

fn non_blocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    let flags = rustix::fs::fcntl_getfl(fd.as_fd())?;
    rustix::fs::fcntl_setfl(fd.as_fd(), flags | OFlags::NONBLOCK)?;
    Ok(fd)
}
