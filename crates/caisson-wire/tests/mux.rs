//! The pipe carries streams whole, bounds what it holds, and ends when it should.

#![cfg(test)]

use std::time::Duration;

use caisson_wire::{MOST_OPENED, Mux, MuxError, Stream};
use proptest::{collection::vec, prelude::*};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(40), future).await }).unwrap()
}

fn pair(room: usize) -> (Mux, Mux) {
    let (near, far) = duplex(room);
    (Mux::host(near), Mux::airlock(far))
}

async fn read_all(mut stream: Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Yamux frames that are well formed, but come at any time and name any stream.
fn yamux_frame() -> impl Strategy<Value = Vec<u8>> {
    (0..5u8, 0..16u16, 0..6u32, prop_oneof![0..64u32, any::<u32>()], vec(any::<u8>(), 0..64)).prop_map(
        |(kind, flags, stream, length, body)| {
            let mut bytes = vec![0, kind];
            bytes.extend(flags.to_be_bytes());
            bytes.extend(stream.to_be_bytes());
            bytes.extend(length.to_be_bytes());
            if kind == 0 {
                bytes.extend(
                    body.iter().cycle().take(length.min(64) as usize * usize::from(!body.is_empty())),
                );
            }
            bytes
        },
    )
}

async fn survives(bytes: Vec<u8>) {
    let (near, far) = duplex(1 << 16);
    let mut mux = Mux::host(near);
    let (mut from, mut to) = tokio::io::split(far);
    // An airlock that has been taken over: it writes what it likes, then goes.
    let hostile = tokio::spawn(async move {
        drop(to.write_all(&bytes).await);
        drop(to.shutdown().await);
        drop(from.read_to_end(&mut Vec::new()).await);
    });
    let own = mux.opener.open().await;
    while let Some(stream) = mux.incoming.next().await {
        drop(stream);
    }
    drop((own, mux.opener, mux.incoming));
    drop(mux.driver.await.unwrap());
    hostile.await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_end_the_pipe(bytes in vec(any::<u8>(), 0..4096)) {
        run(survives(bytes));
    }

    #[test]
    fn any_yamux_frames_end_the_pipe(frames in vec(yamux_frame(), 0..64)) {
        run(survives(frames.concat()));
    }

    #[test]
    fn streams_arrive_whole(sizes in vec(0..200_000usize, 1..8), room in 1..100_000usize) {
        run(async {
            let (host, mut airlock) = pair(room);
            let echo = tokio::spawn(async move {
                while let Some(stream) = airlock.incoming.next().await {
                    tokio::spawn(async move {
                        let (mut from, mut to) = tokio::io::split(stream);
                        tokio::io::copy(&mut from, &mut to).await.unwrap();
                        to.shutdown().await.unwrap();
                    });
                }
            });
            let calls = sizes.into_iter().enumerate().map(|(n, size)| {
                let opener = host.opener.clone();
                tokio::spawn(async move {
                    let sent: Vec<u8> = (0..=size).map(|i| (i * 31 + n) as u8).collect();
                    let (mut from, mut to) = tokio::io::split(opener.open().await.unwrap());
                    let expected = sent.clone();
                    let writer = tokio::spawn(async move {
                        to.write_all(&sent).await.unwrap();
                        to.shutdown().await.unwrap();
                    });
                    let mut back = Vec::new();
                    from.read_to_end(&mut back).await.unwrap();
                    writer.await.unwrap();
                    assert!(back == expected);
                })
            });
            for call in calls.collect::<Vec<_>>() {
                call.await.unwrap();
            }
            drop((host.opener, host.incoming));
            host.driver.await.unwrap().unwrap();
            echo.await.unwrap();
        });
    }
}

#[test]
fn a_closed_pipe_ends_everything() {
    run(async {
        let (near, far) = duplex(1024);
        let mut mux = Mux::airlock(near);
        let stream = mux.opener.open().await.unwrap();
        drop(far);
        assert!(mux.incoming.next().await.is_none());
        drop(mux.driver.await.unwrap());
        let mut stream = stream;
        let read = stream.read_u8().await.unwrap_err();
        assert_eq!(read.kind(), std::io::ErrorKind::ConnectionReset);
        assert!(stream.write_all(b"x").await.is_err());
        assert!(matches!(mux.opener.open().await, Err(MuxError::Closed)));
    });
}

#[test]
fn a_reset_is_no_end() {
    run(async {
        let (host, mut airlock) = pair(1 << 16);
        for ends_well in [true, false] {
            let mut near = host.opener.open().await.unwrap();
            near.write_all(b"x").await.unwrap();
            let mut far = airlock.incoming.next().await.unwrap();
            far.write_all(b"half an ans").await.unwrap();
            if ends_well {
                far.shutdown().await.unwrap();
            }
            drop(far);
            let mut read = Vec::new();
            let ended = near.read_to_end(&mut read).await;
            assert_eq!(read, b"half an ans", "what was sent before arrives");
            assert_eq!(ended.is_ok(), ends_well, "{ended:?}");
        }
    });
}

#[test]
fn the_pipe_closes_when_nobody_holds_it_whatever_goes_first() {
    for opener_first in [true, false] {
        run(async {
            let (host, mut airlock) = pair(1024);
            let Mux { opener, incoming, driver } = host;
            if opener_first {
                drop(opener);
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!driver.is_finished());
                drop(incoming);
            } else {
                drop(incoming);
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert!(!driver.is_finished());
                drop(opener);
            }
            driver.await.unwrap().unwrap();
            assert!(airlock.incoming.next().await.is_none());
        });
    }
}

#[test]
fn closing_does_not_wait_for_a_pipe_that_takes_nothing() {
    run(async {
        let (near, _far) = duplex(16);
        let mux = Mux::host(near);
        let mut stream = mux.opener.open().await.unwrap();
        stream.write_all(&[0; 1000]).await.unwrap();
        drop((stream, mux.opener, mux.incoming));
        drop(mux.driver.await.unwrap());
    });
}

#[test]
fn one_stream_too_many_is_refused_and_the_pipe_lives() {
    run(async {
        let (host, mut airlock) = pair(1 << 16);
        let mut held = Vec::new();
        for _ in 0..MOST_OPENED {
            let mut stream = host.opener.open().await.unwrap();
            stream.write_all(b"x").await.unwrap();
            held.push(stream);
        }
        assert!(matches!(host.opener.open().await, Err(MuxError::Full)));
        let other_way = airlock.opener.open().await.unwrap();
        held.pop();
        let mut stream = host.opener.open().await.unwrap();
        stream.write_all(b"last").await.unwrap();
        drop(stream.shutdown().await);
        let mut last = None;
        for _ in 0..=MOST_OPENED {
            last = airlock.incoming.next().await;
        }
        assert_eq!(read_all(last.unwrap()).await, b"last");
        drop(other_way);
    });
}

/// A server that connects and hangs up in a loop, while the pipe takes nothing.
#[test]
fn streams_opened_and_let_go_in_a_hurry_do_not_end_the_pipe() {
    run(async {
        let (near, far) = duplex(64);
        let airlock = Mux::airlock(near);
        for _ in 0..4000 {
            let open = async {
                let mut stream = airlock.opener.open().await?;
                stream.write_all(b"header").await.ok();
                Ok::<_, MuxError>(())
            };
            match tokio::time::timeout(Duration::from_micros(200), open).await {
                Err(_) | Ok(Ok(()) | Err(MuxError::Full)) => {}
                Ok(Err(error)) => panic!("{error}"),
            }
        }
        assert!(!airlock.driver.is_finished());
        let mut host = Mux::host(far);
        tokio::spawn(async move { while host.incoming.next().await.is_some() {} });
        let mut stream = loop {
            match airlock.opener.open().await {
                Ok(stream) => break stream,
                Err(MuxError::Full) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        stream.write_all(b"still here").await.unwrap();
        assert!(!airlock.driver.is_finished());
    });
}

/// A flood into a stream that nobody reads stops at the window, and other streams go on.
#[test]
fn a_flood_is_held_back_and_holds_up_nobody() {
    run(async {
        let (mut host, airlock) = pair(1 << 16);
        let mut flood = airlock.opener.open().await.unwrap();
        let mut sent = 0;
        while let Ok(n) = tokio::time::timeout(Duration::from_millis(300), flood.write(&[0; 8192])).await {
            sent += n.unwrap();
            assert!(sent < 2 << 20, "{sent}");
        }
        let _unread = host.incoming.next().await.unwrap();
        let mut other = airlock.opener.open().await.unwrap();
        other.write_all(b"through").await.unwrap();
        other.shutdown().await.unwrap();
        assert_eq!(read_all(host.incoming.next().await.unwrap()).await, b"through");
    });
}
