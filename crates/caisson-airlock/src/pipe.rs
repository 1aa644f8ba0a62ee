use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::OFlags,
    process::{DumpableBehavior, set_dumpable_behavior},
};
use tokio::{io::Join, net::unix::pipe};

/// Standard input and output as one stream of bytes.
pub(crate) type Pipe = Join<pipe::Receiver, pipe::Sender>;

/// Takes standard input and output for the pipe, out of reach of everything else in the container.
///
/// Children run under the same user id. Without what is done here they could open `/proc/1/fd/0` and speak
/// in the airlock's name, or read its memory: a process that is not dumpable belongs to root in `/proc` and
/// cannot be traced. (gVisor guards its memory so, but not its descriptors. Whoever speaks on the pipe from
/// inside is no more than an airlock, though, which the host takes for hostile.) Descriptors 0 and 1 themselves lead nowhere afterwards, so that no stray print can
/// damage the pipe.
pub(crate) fn take() -> io::Result<Pipe> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
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

fn non_blocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    let flags = rustix::fs::fcntl_getfl(fd.as_fd())?;
    rustix::fs::fcntl_setfl(fd.as_fd(), flags | OFlags::NONBLOCK)?;
    Ok(fd)
}
