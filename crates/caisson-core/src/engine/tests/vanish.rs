use std::path::Path;

use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

use super::*;
use crate::engine::{EngineError, Outcome};

on_engines!([podman docker] goes_and_comes_back);

/// Passes connections on to a real engine, until it is aborted: then all of them break.
fn relay(from: &Path, to: &Path) -> tokio::task::JoinHandle<()> {
    let _ = std::fs::remove_file(from);
    let listener = UnixListener::bind(from).unwrap();
    let to = to.to_owned();
    tokio::spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (mut here, _) = listener.accept().await.unwrap();
            let to = to.clone();
            open.spawn(async move {
                let mut there = UnixStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            });
        }
    })
}

/// An engine that goes away in the middle breaks what runs, says so, and is found again.
async fn goes_and_comes_back(real: Real) {
    let socket = real.folder.path().join("relay.sock");
    let running = relay(&socket, &real.socket);
    let engines = engines(&socket, real.folder.path(), None);
    let engine = engines.get().await.unwrap();
    let Container { mut pipe, handle, .. } = engine.run(&real.plan().await).await.unwrap();
    pipe.write_all(b"echo up; exec cat\n").await.unwrap();
    up(&mut pipe).await;

    running.abort();
    let exit = timeout(PATIENCE, handle.wait()).await.unwrap();
    assert!(exit.code.is_none() && exit.lost.is_some(), "{exit:?}");
    let end = timeout(PATIENCE, pipe.read(&mut [0])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    assert!(matches!(handle.kill().await, Err(EngineError::Gone { .. })));
    let error = engines.get().await.unwrap_err();
    assert!(matches!(&error, EngineError::NoEngine { tried } if tried.len() == 1), "{error}");
    assert_eq!(engines.survey().await[0].outcome, Outcome::NotRunning);

    let _again = relay(&socket, &real.socket);
    let engine = engines.get().await.unwrap();
    assert!(engine.image(IMAGE).await.unwrap().is_some());
    real.clean().await;
}

/// An engine that accepts and says nothing hangs nobody. Time is the runtime's own here.
#[tokio::test(start_paused = true)]
async fn an_engine_that_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("silent.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let error = engines(&socket, folder.path(), None).get().await.unwrap_err().to_string();
    assert!(error.contains("did not answer within 30 s"), "{error}");
}
