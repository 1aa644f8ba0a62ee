//! Carries the bytes of connections. All share one room to read into: a connection on which nothing moves holds none.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::atomic::AtomicU64,
    task::{Context, Poll, ready},
};

use caisson_wire::{
    Stream,
    splice::{self, Pipes},
};
use rustix::net::{Shutdown, shutdown};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, split},
    net::{TcpStream, UnixStream},
};

/// What is read at a time.
const ROOM: usize = 32 << 10;

thread_local! {
    /// Used within one poll, and never across a wait.
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM].into());
}

/// Carries bytes both ways until both have ended. Each way closes on its own; an error of either ends both.
pub(super) async fn carry<A, B>(one: &mut A, other: &mut B) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut out, mut back) = (Way::default(), Way::default());
    poll_fn(|cx| {
        let out = out.poll(cx, one, other)?;
        let back = back.poll(cx, other, one)?;
        if out.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// As [`carry`], through a socket beside the pipe. How each of its halves ends, `stream` tells.
pub(super) async fn beside(
    client: &TcpStream,
    socket: &UnixStream,
    stream: Stream,
    pipes: &Pipes,
) -> io::Result<()> {
    // The host counts.
    let count = AtomicU64::new(0);
    let (mut ends, mut ending) = split(stream);
    let out = async {
        splice::flow(client, socket, pipes, &count).await?;
        shutdown(socket, Shutdown::Write)?;
        ending.shutdown().await
    };
    let back = async {
        splice::flow(socket, client, pipes, &count).await?;
        // Fails where the connection was cut.
        if ends.read(&mut [0; 1]).await? > 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // The client may have gone already, which is as good.
        let _gone = shutdown(client, Shutdown::Write);
        Ok(())
    };
    tokio::try_join!(out, back).map(drop)
}

/// One way of a connection.
#[derive(Default)]
struct Way {
    /// What was read and could not be written yet.
    held: Vec<u8>,
    /// So much of it has been written.
    written: usize,
    ended: bool,
    closed: bool,
}

impl Way {
    fn poll<F, T>(&mut self, cx: &mut Context<'_>, from: &mut F, to: &mut T) -> Poll<io::Result<()>>
    where
        F: AsyncRead + Unpin,
        T: AsyncWrite + Unpin,
    {
        while !self.closed {
            while self.written < self.held.len() {
                self.written += ready!(write(cx, to, &self.held[self.written..]))?;
            }
            (self.held, self.written) = (Vec::new(), 0);
            if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.closed = true;
            } else {
                ready!(SHARED.with_borrow_mut(|room| self.poll_read(cx, from, to, room)))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, and writes what can be written at once. Ready when there may be more to do.
    fn poll_read<F, T>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut F,
        to: &mut T,
        room: &mut [u8],
    ) -> Poll<io::Result<()>>
    where
        F: AsyncRead + Unpin,
        T: AsyncWrite + Unpin,
    {
        let mut read = ReadBuf::new(room);
        ready!(Pin::new(from).poll_read(cx, &mut read))?;
        let read = read.filled();
        if read.is_empty() {
            self.ended = true;
            return Poll::Ready(Ok(()));
        }
        let written = match write(cx, to, read)? {
            Poll::Ready(written) => written,
            Poll::Pending => 0,
        };
        self.held.extend_from_slice(&read[written..]);
        Poll::Ready(Ok(()))
    }
}

fn write<T: AsyncWrite + Unpin>(cx: &mut Context<'_>, to: &mut T, bytes: &[u8]) -> Poll<io::Result<usize>> {
    match ready!(Pin::new(to).poll_write(cx, bytes))? {
        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        written => Poll::Ready(Ok(written)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Through pipes so narrow that nearly every write is cut short, and many at a time.
    #[tokio::test]
    async fn all_bytes_arrive_in_order_and_each_way_closes_alone() {
        let connections = (0..20_u8).map(|number| async move {
            let (mut client, mut near) = duplex(7);
            let (mut far, mut server) = duplex(5);
            let carrying = async { carry(&mut near, &mut far).await };
            let asking = async {
                client.write_all(&[number; 1000]).await.unwrap();
                client.shutdown().await.unwrap();
                let mut answer = Vec::new();
                client.read_to_end(&mut answer).await.unwrap();
                answer
            };
            let answering = async {
                let mut asked = Vec::new();
                server.read_to_end(&mut asked).await.unwrap();
                server.write_all(&asked).await.unwrap();
                server.write_all(b"end").await.unwrap();
                server.shutdown().await.unwrap();
            };
            let (carried, answer, ()) = tokio::join!(carrying, asking, answering);
            carried.unwrap();
            assert_eq!(answer, [&[number; 1000][..], b"end"].concat());
        });
        let mut running = tokio::task::JoinSet::new();
        let local = tokio::task::LocalSet::new();
        for connection in connections {
            running.spawn_local_on(connection, &local);
        }
        local
            .run_until(async {
                while let Some(ended) = running.join_next().await {
                    ended.unwrap();
                }
            })
            .await;
    }

    #[tokio::test]
    async fn an_error_of_one_way_ends_both() {
        let (client, mut near) = duplex(64);
        let (mut far, server) = duplex(64);
        drop(server);
        let mut client = client;
        client.write_all(b"x").await.unwrap();
        assert!(carry(&mut near, &mut far).await.is_err());
    }
}
