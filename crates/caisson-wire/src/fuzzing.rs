//! The entrance for fuzzing: bytes as a hostile other side would put them on the pipe.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex, sink, split},
    runtime::Builder,
    task::JoinSet,
    time::timeout,
};

use crate::{AirlockEvent, Header, Launch, Mux, Order, Stream, frame};

/// So long, by a clock that does not wait, everything may take to end.
const LIMIT: Duration = Duration::from_secs(600);

/// Feeds `bytes` to both ends of a pipe, and to what reads frames.
///
/// # Errors
/// When something did not end.
pub fn pipe(bytes: &[u8]) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        frames(bytes).await;
        for is_host in [true, false] {
            let ended = timeout(LIMIT, converse(bytes, is_host)).await;
            ended.map_err(|_| format!("the pipe did not end (host: {is_host})"))?;
        }
        Ok(())
    })
}

/// Reads `bytes` as every message there is.
async fn frames(mut bytes: &[u8]) {
    drop(frame::read::<Launch, _>(&mut { bytes }).await);
    drop(frame::read::<AirlockEvent, _>(&mut { bytes }).await);
    drop(frame::read::<Order, _>(&mut { bytes }).await);
    while let Ok(Some(_)) = frame::read::<Header, _>(&mut bytes).await {}
}

/// Plays one end of a pipe whose other end says `bytes` and closes.
async fn converse(bytes: &[u8], is_host: bool) {
    let (near, far) = duplex(16 << 10);
    let mut mux = if is_host { Mux::host(near) } else { Mux::airlock(near) };
    let (mut from, mut to) = split(far);
    let speak = async {
        // An end that has had enough reads no more.
        drop(to.write_all(bytes).await);
        drop(to.shutdown().await);
    };
    let listen = async { drop(tokio::io::copy(&mut from, &mut sink()).await) };
    let use_it = async {
        let mut streams = JoinSet::new();
        if let Ok(mut ours) = mux.opener.open().await {
            streams.spawn(async move {
                drop(ours.write_all(b"hello").await);
                read(ours).await;
            });
        }
        while let Some(stream) = mux.incoming.next().await {
            streams.spawn(read(stream));
        }
        while streams.join_next().await.is_some() {}
    };
    tokio::join!(speak, listen, use_it);
    drop(mux.driver.await);
}

/// Reads a stream as its taker does: a header, then bytes.
async fn read(mut stream: Stream) {
    drop(frame::read::<Header, _>(&mut stream).await);
    drop(stream.read_to_end(&mut Vec::new()).await);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header of yamux, well formed as far as that goes: version 0, kind, flags, stream, length.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let header = (0u8..5, 0u16..16, 0u32..6, prop_oneof![0u32..64, any::<u32>()]);
        (header, proptest::collection::vec(any::<u8>(), 0..64)).prop_map(
            |((kind, flags, stream, length), body)| {
                let mut piece = vec![0, kind];
                piece.extend(flags.to_be_bytes());
                piece.extend(stream.to_be_bytes());
                piece.extend(length.to_be_bytes());
                piece.extend(body);
                piece
            },
        )
    }

    #[test]
    fn the_corpus_ends() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/pipe");
        let mut read = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let path = entry.unwrap().path();
            pipe(&std::fs::read(&path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            read += 1;
        }
        assert!(read >= 4, "{read}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_comes_ends(pieces in proptest::collection::vec(piece(), 0..12)) {
            prop_assert_eq!(pipe(&pieces.concat()), Ok(()));
        }
    }
}
