use std::{io, time::Duration};

use caisson_wire::{Header, Opener, ProcessId, Stream, frame};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::unix::pipe,
    sync::watch,
    time::timeout,
};

/// After a process has ended, how long to wait for output when something it left running holds the pipe open.
const PATIENCE: Duration = Duration::from_millis(250);
/// After a process has ended, how much output to take: what a pipe holds at most (pipe(7)).
const LEFT_IN_PIPE: usize = 1 << 20;

/// What a process writes, read until nobody can write any more, or the process has ended and the pipe is
/// empty. Turns true when the process has ended.
pub(crate) struct Output {
    from: pipe::Receiver,
    ended: watch::Receiver<bool>,
    left: usize,
}

impl Output {
    pub(crate) fn new(from: pipe::Receiver, ended: watch::Receiver<bool>) -> Self {
        Self { from, ended, left: LEFT_IN_PIPE }
    }

    /// The next bytes; none at the end.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !*self.ended.borrow() {
            tokio::select! {
                read = self.from.read(buffer) => return read,
                _ended = self.ended.wait_for(|ended| *ended) => {}
            }
        }
        let room = buffer.len().min(self.left);
        let read = timeout(PATIENCE, self.from.read(&mut buffer[..room])).await.unwrap_or(Ok(0))?;
        self.left -= read;
        Ok(read)
    }

    /// Sends everything. No faster than the host reads: the process waits, and nothing is piled up.
    pub(crate) async fn send(mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut buffer = vec![0; 32 << 10];
        loop {
            let read = self.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..read]).await?;
        }
    }

    /// Sends everything on a stream of its own, which is opened with the first byte.
    pub(crate) async fn send_apart(mut self, process: ProcessId, opener: Opener) -> io::Result<()> {
        let mut first = vec![0; 4096];
        let read = self.read(&mut first).await?;
        if read == 0 {
            return Ok(());
        }
        let mut to = match open(process, &opener).await {
            Ok(stream) => stream,
            // No room for another stream: the process must not be stopped by that.
            Err(_) => return self.send(&mut tokio::io::sink()).await,
        };
        to.write_all(&first[..read]).await?;
        drop(first);
        self.send(&mut to).await?;
        to.shutdown().await
    }
}

async fn open(process: ProcessId, opener: &Opener) -> io::Result<Stream> {
    let mut stream = opener.open().await.map_err(io::Error::other)?;
    frame::write(&mut stream, &Header::Stderr { process }).await.map_err(io::Error::other)?;
    Ok(stream)
}
