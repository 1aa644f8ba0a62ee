//! A session whose server is the test.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::Instant,
};

use super::*;
use crate::{
    control::LONGEST_LINE,
    gate::{GateParts, tokens::Tokens},
    registry::State,
    sandbox::SessionError,
};

struct Running {
    client: DuplexStream,
    from_client: mpsc::Receiver<Bytes>,
    to_client: mpsc::Sender<Result<Bytes, SessionError>>,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

/// A session in which the client has asked for one thing, which has reached the server.
async fn asked() -> Running {
    let tokens = Tokens::open(State::in_memory().unwrap(), SystemTime::now()).unwrap();
    let parts = GateParts::for_test(tokens, Arc::new(SystemTime::now));
    let audit = parts.audit.clone();
    let gate = Gate::new(parts);
    let endpoint: crate::model::Endpoint = "fake".parse().unwrap();
    let (session, mut from_client, to_client) = Session::for_test(endpoint.clone());
    let (client, ours) = duplex(1 << 10);
    let (from, to) = tokio::io::split(ours);
    let shutdown = CancellationToken::new();
    let principal = gate.local(LocalCaller::Shim);
    let relay = Relay { gate, principal, endpoint, session, shutdown: shutdown.clone() };
    let first = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}"#.to_vec();
    let running = tokio::spawn(relay.run(first, LineReader::new(from, LONGEST_LINE), to));
    from_client.recv().await.unwrap();
    // The thread that writes it does not know that a test's time stands still.
    audit.head().await.unwrap();
    Running { client, from_client, to_client, shutdown, running }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_is_answered_before_the_end() {
    let Running { mut client, mut from_client, to_client, shutdown, running } = asked().await;
    shutdown.cancel();
    sleep(Duration::from_secs(2)).await;
    assert!(from_client.try_recv().is_err() && !from_client.is_closed());
    client.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n").await.unwrap();
    to_client.send(Ok(Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#))).await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    running.await.unwrap();
    assert!(from_client.recv().await.is_none(), "what comes later is not read");
}

#[tokio::test(start_paused = true)]
async fn what_the_server_does_not_answer_is_answered_for_it() {
    let Running { mut client, from_client, to_client, shutdown, running } = asked().await;
    shutdown.cancel();
    let began = Instant::now();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    running.await.unwrap();
    assert!(began.elapsed() < DRAIN + Duration::from_secs(1));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["id"], &said["error"]["code"]), (&1.into(), &(-32000).into()), "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("shutting down"), "{said}");
    drop((from_client, to_client));
}
