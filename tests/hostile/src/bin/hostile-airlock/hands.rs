//! What an airlock could hand to the host in place of bytes, on the pipe and on sockets it was handed itself; and what it
//! could say of these.

use std::{
    error::Error,
    fs::{self, File},
    io::{IoSlice, IoSliceMut, Write as _},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    time::Duration,
};

use caisson_wire::{Connection, Handed, Header, Opener, Stream, frame};
use rustix::{
    cmsg_space,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg, sockopt::set_socket_linger,
    },
};
use tokio::io::AsyncWriteExt as _;

use crate::{Outcome, hang};

/// The most that go with one message.
const MOST: usize = 253;

/// The first word on the pipe, and the hatch that comes with it.
pub(crate) fn first_word(pipe: &UnixStream) -> Result<Option<OwnedFd>, Box<dyn Error>> {
    Ok(receive(pipe.as_fd(), &mut [0; 1])?)
}

fn receive(from: BorrowedFd<'_>, word: &mut [u8]) -> rustix::io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(from, &mut [IoSliceMut::new(word)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let came = control.drain().filter_map(|message| {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message { Some(descriptors) } else { None }
    });
    Ok(came.flatten().next())
}

fn send(to: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> Outcome {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(descriptors));
    sendmsg(to, &[IoSlice::new(b"GET / HTTP/1.1\r\n")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Hands something over, as `what` says.
fn hand(to: &UnixStream, what: &str) -> Outcome {
    match what {
        "file" => send(to, &[File::open("/mode/mode")?.as_fd()]),
        "listener" => send(to, &[TcpListener::bind("127.0.0.1:0")?.as_fd()]),
        "socket" => send(to, &[UnixStream::pair()?.0.as_fd()]),
        "abstract" => send(to, &[UnixListener::bind("/tmp/listens")?.as_fd()]),
        "many" => {
            let many: Vec<File> = (0..MOST).map(|_| File::open("/dev/zero")).collect::<Result<_, _>>()?;
            let many: Vec<_> = many.iter().map(File::as_fd).collect();
            send(to, &many)
        }
        "lingers" => send(to, &[lingers()?.as_fd()]),
        _ => Err("nothing is known by that word".into()),
    }
}

/// A connection whose other end reads nothing, and that waits for an hour for it to do so when it is closed.
fn lingers() -> Result<TcpStream, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut full = TcpStream::connect(listener.local_addr()?)?;
    std::mem::forget(listener.accept()?);
    full.set_nonblocking(true)?;
    while full.write(&[0; 64 << 10]).is_ok() {}
    set_socket_linger(&full, Some(Duration::from_secs(3600)))?;
    Ok(full)
}

/// Hands things over on the pipe itself, `how` being `pipe-` and what.
pub(crate) async fn on_the_pipe(pipe: &UnixStream, how: &str) -> Outcome {
    hand(pipe, how)?;
    hang().await
}

/// Opens a connection that is granted, and misbehaves on it as `how` says.
pub(crate) async fn beside(opener: &Opener, hatch: Option<OwnedFd>, how: &str) -> Outcome {
    let hatch = hatch.ok_or("there is no hatch")?;
    if how == "stuffs" {
        // The wrong way: refused by the kernel.
        let hatch = UnixStream::from(hatch.try_clone()?);
        for _ in 0..50 {
            drop(hand(&hatch, "many"));
            // What was said before is to leave meanwhile.
            tokio::task::yield_now().await;
        }
    }
    let mut kept = Vec::new();
    let rounds = if how == "unfetched" { 200 } else { 1 };
    for _ in 0..rounds {
        let mut stream = connected(opener).await?;
        match how {
            "unfetched" => {
                frame::write(&mut stream, &Handed::Taken).await?;
                stream.shutdown().await?;
                // They are counted; each makes room for the next.
                drop(stream);
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            "answers" => {
                stream.write_all(b"\0\0\0\x04oops").await?;
                stream.flush().await?;
            }
            "bytes" => {
                frame::write(&mut stream, &Handed::Taken).await?;
                stream.write_all(b"GET / HTTP/1.1\r\n").await?;
                stream.flush().await?;
                // Fetched and let go of: the end of the socket is where the stream is looked at.
                drop(receive(hatch.as_fd(), &mut [0; 8])?);
            }
            "undecided" => {}
            how => {
                let socket = UnixStream::from(receive(hatch.as_fd(), &mut [0; 8])?.ok_or("no socket came")?);
                frame::write(&mut stream, &Handed::Taken).await?;
                // The host's end must not mind.
                socket.set_nonblocking(false)?;
                if !matches!(how, "mute" | "stuffs") {
                    hand(&socket, how)?;
                }
                std::mem::forget(socket);
            }
        }
        kept.push(stream);
    }
    hang().await
}

/// A connection that the host has made; what it says of it has been read.
async fn connected(opener: &Opener) -> Result<Stream, Box<dyn Error>> {
    let port = fs::read_to_string("/mode/port")?.trim().parse()?;
    let mut stream = opener.open().await?;
    frame::write(&mut stream, &Header::Egress { host: "127.0.0.1".to_owned(), port }).await?;
    match frame::read::<Connection, _>(&mut stream).await? {
        Some(Connection::Beside { .. } | Connection::Open) => Ok(stream),
        Some(Connection::Refused { detail, .. }) => Err(detail.into()),
        None => Err("the host hung up".into()),
    }
}
