//! Carries bytes from one socket to another without looking at them: within the kernel, by way of a pipe that nobody else
//! has (`splice(2)`).

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::{
    net::{RecvFlags, SendFlags, recv, send},
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};
use tokio::{
    io::Interest,
    net::{TcpStream, UnixStream},
    task::consume_budget,
};

/// Bytes that are taken at a time: what a pipe is asked to have room for. Fewer wake-ups than with the 64 KiB it has by itself.
const ROOM: usize = 256 << 10;
/// Bytes that are taken at a time where there is no pipe.
const PIECE: usize = 64 << 10;
/// Pipes that are kept for the next connection on which something moves.
const SPARE: usize = 4;

/// A socket of this process's own, which does not block.
pub trait Socket: AsFd + Sync {
    /// As the sockets of Tokio have it.
    ///
    /// # Errors
    /// `WouldBlock` when the socket is not ready, and those of `operation`.
    fn try_io<R>(&self, interest: Interest, operation: impl FnOnce() -> io::Result<R>) -> io::Result<R>;

    /// As the sockets of Tokio have it.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<()>> + Send;
}

impl Socket for TcpStream {
    fn try_io<R>(&self, interest: Interest, operation: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(interest, operation)
    }

    async fn ready(&self, interest: Interest) -> io::Result<()> {
        self.ready(interest).await.map(drop)
    }
}

impl Socket for UnixStream {
    fn try_io<R>(&self, interest: Interest, operation: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(interest, operation)
    }

    async fn ready(&self, interest: Interest) -> io::Result<()> {
        self.ready(interest).await.map(drop)
    }
}

/// Pipes that are empty. A connection on which nothing moves holds none.
#[derive(Debug, Default)]
pub struct Pipes(Mutex<Vec<Pipe>>);

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipes {
    fn take(&self) -> io::Result<Pipe> {
        if let Some(pipe) = self.lock().pop() {
            return Ok(pipe);
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A user's pipes have so much room together, and no more: then this one stays as it is.
        let _room = fcntl_setpipe_size(&write, ROOM);
        Ok(Pipe { read, write })
    }

    fn give_back(&self, pipe: Pipe) {
        let mut spare = self.lock();
        if spare.len() < SPARE {
            spare.push(pipe);
        }
    }

    // No panic happens while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Vec<Pipe>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries bytes until `from` has ended, and counts them. Descriptors that come along are closed on the way, however long
/// that takes: for sockets whose other end is trusted, or can have none.
///
/// # Errors
/// When either socket fails.
pub async fn flow<F: Socket, T: Socket>(
    from: &F,
    to: &T,
    pipes: &Pipes,
    count: &AtomicU64,
) -> io::Result<()> {
    loop {
        from.ready(Interest::READABLE).await?;
        let ended = match pipes.take() {
            Ok(pipe) => {
                let ended = drain(from, to, &pipe, count).await?;
                // Only an empty one comes here.
                pipes.give_back(pipe);
                ended
            }
            // There is no room for two more descriptors.
            Err(_) => copy(from, to, count).await?,
        };
        if ended {
            return Ok(());
        }
    }
}

/// Carries what there is. Whether `from` has ended.
async fn drain<F: Socket, T: Socket>(from: &F, to: &T, pipe: &Pipe, count: &AtomicU64) -> io::Result<bool> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    loop {
        let take = || Ok(splice(from, None, &pipe.write, None, ROOM, flags)?);
        let mut held = match from.try_io(Interest::READABLE, take) {
            Ok(0) => return Ok(true),
            Ok(held) => held,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        while held > 0 {
            held -= put(to, count, || Ok(splice(&pipe.read, None, to, None, held, flags)?)).await?;
        }
        consume_budget().await;
    }
}

/// Carries one piece by way of this process. Whether `from` has ended.
async fn copy<F: Socket, T: Socket>(from: &F, to: &T, count: &AtomicU64) -> io::Result<bool> {
    let mut room = vec![0; PIECE];
    let take = || Ok(recv(from, &mut *room, RecvFlags::DONTWAIT)?.0);
    let read = match from.try_io(Interest::READABLE, take) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut written = 0;
    while written < read {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        written += put(to, count, || Ok(send(to, &room[written..read], flags)?)).await?;
    }
    consume_budget().await;
    Ok(read == 0)
}

/// Puts in what there is room for, at least one byte.
async fn put<T: Socket>(to: &T, count: &AtomicU64, put: impl Fn() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match to.try_io(Interest::WRITABLE, &put) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                count.fetch_add(bytes as u64, Ordering::Relaxed);
                return Ok(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.ready(Interest::WRITABLE).await?,
            Err(error) => return Err(error),
        }
    }
}
