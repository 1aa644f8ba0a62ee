use std::{
    io::{IoSliceMut, Write as _},
    net::{TcpListener as StdListener, TcpStream as StdTcpStream},
    time::{Duration, Instant},
};

use caisson_wire::{Beside, Mux, Stream};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt::set_socket_linger,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::{
    egress::{CarryError, Egress, HostRules, Outside, Tally, carry_beside},
    model::HostRule,
};

/// The next socket in a hatch.
fn fetch(inside: &OwnedFd) -> Option<(u64, StdStream)> {
    let mut number = [0; 8];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(inside, &mut [IoSliceMut::new(&mut number)], &mut control, RecvFlags::DONTWAIT).ok()?;
    let socket = control.drain().find_map(|message| {
        if let RecvAncillaryMessage::ScmRights(mut came) = message { came.next() } else { None }
    });
    Some((u64::from_be_bytes(number), socket?.into()))
}

/// A stream of a pipe: the host's end of it, and the airlock's.
async fn stream() -> (Stream, Stream) {
    let (host, airlock) = tokio::io::duplex(64 << 10);
    let (mut host, airlock) = (Mux::host(host), Mux::airlock(airlock));
    let mut opened = airlock.opener.open().await.unwrap();
    opened.write_all(b"x").await.unwrap();
    let mut taken = host.incoming.next().await.unwrap();
    assert_eq!(taken.read_u8().await.unwrap(), b'x');
    // They live as long as the test.
    std::mem::forget((host, airlock));
    (taken, opened)
}

struct Connection {
    carried: JoinHandle<Result<(), CarryError>>,
    inside: Beside<UnixStream>,
    outside: TcpStream,
    tally: Arc<Tally>,
}

/// What an airlock has when it has fetched its socket, not yet put together.
async fn parts() -> (StdStream, Stream, TcpStream, JoinHandle<Result<(), CarryError>>, Arc<Tally>) {
    let (hatch, inside) = Hatch::open().unwrap();
    let (number, hose) = hatch.hand().unwrap();
    let (fetched, socket) = fetch(&inside).unwrap();
    assert_eq!(number, fetched);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let rules: Vec<HostRule> = vec![format!("127.0.0.1:{port}").parse().unwrap()];
    let connecting =
        async { Egress::default().connect(&HostRules::allowing(rules), "127.0.0.1", port).await.unwrap() };
    let (outside, accepted): (Outside, _) = tokio::join!(connecting, listener.accept());
    let ((host, airlock), tally) = (stream().await, Arc::<Tally>::default());
    let counted = tally.clone();
    let carried = tokio::spawn(async move { carry_beside(hose, host, outside, &counted).await });
    (socket, airlock, accepted.unwrap().0, carried, tally)
}

async fn connection() -> Connection {
    let (socket, stream, outside, carried, tally) = parts().await;
    let inside = Beside::new(UnixStream::from_std(socket).unwrap(), stream);
    Connection { carried, inside, outside, tally }
}

async fn end(carried: JoinHandle<Result<(), CarryError>>) -> Result<(), CarryError> {
    timeout(Duration::from_secs(10), carried).await.expect("it ends").unwrap()
}

async fn all(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_both_ways_and_each_way_ends_alone() {
    let Connection { carried, mut inside, mut outside, tally } = connection().await;
    let down: Vec<u8> = (0..9_000_000_u32).map(|number| (number % 251) as u8).collect();
    outside.write_all(b"hello").await.unwrap();
    let mut hello = [0; 5];
    inside.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    inside.write_all(&down[..3_000_000]).await.unwrap();
    inside.shutdown().await.unwrap();
    let (answering, expected) = (outside, down.clone());
    let answering = tokio::spawn(async move {
        let mut outside = answering;
        let mut asked = Vec::new();
        outside.read_to_end(&mut asked).await.unwrap();
        assert!(asked == expected[..3_000_000]);
        outside.write_all(&expected).await.unwrap();
    });
    // Slow at first: what is held up must not be lost.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(all(inside).await == down);
    answering.await.unwrap();
    end(carried).await.unwrap();
    assert_eq!((tally.sent(), tally.received()), (3_000_000, 9_000_005));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_is_no_end() {
    // From inside.
    let Connection { carried, inside, mut outside, .. } = connection().await;
    drop(inside);
    assert!(matches!(end(carried).await, Err(CarryError::Io(_))));
    assert_eq!(outside.read(&mut [0; 1]).await.ok(), Some(0));
    // From the host, while the outside says nothing.
    let Connection { carried, mut inside, outside: _outside, .. } = connection().await;
    carried.abort();
    assert!(inside.read(&mut [0; 1]).await.is_err());
}

// On one thread: our own end is closed before the other reads, who then holds the last.
#[tokio::test]
async fn of_descriptors_none_is_taken_and_none_is_waited_for() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let full = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _kept = listener.accept().unwrap();
    full.set_nonblocking(true).unwrap();
    while (&full).write(&[0; 64 << 10]).is_ok() {}
    set_socket_linger(&full, Some(Duration::from_secs(20))).unwrap();
    let began = Instant::now();
    let (socket, _stream, _outside, carried, _tally) = parts().await;
    super::send(socket.as_fd(), b"bytes", &full.into()).unwrap();
    let ended = end(carried).await;
    assert!(matches!(&ended, Err(CarryError::Breach(what)) if what.contains("descriptors")), "{ended:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "it waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_on_the_stream_are_a_breach() {
    let (socket, mut stream, _outside, carried, _tally) = parts().await;
    stream.write_all(b"bytes").await.unwrap();
    stream.flush().await.unwrap();
    drop(socket);
    assert!(matches!(end(carried).await, Err(CarryError::Breach(_))));
}

#[tokio::test]
async fn sockets_that_nobody_fetches_are_few() {
    let (hatch, inside) = Hatch::open().unwrap();
    let handed = (0..1000).map_while(|_| hatch.hand().ok()).count();
    assert!((1..64).contains(&handed), "{handed}");
    // The wrong way is closed.
    assert!(super::send(inside.as_fd(), &[0], &inside).is_err());
    assert_eq!(fetch(&inside).unwrap().0, 0);
    hatch.hand().unwrap();
    drop(inside);
    assert!(hatch.hand().is_err());
}
