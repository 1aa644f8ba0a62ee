//! The whole HTTP edge, with a server in this process behind it.

mod client;
mod crossing;
mod fake;
mod http_sse;
mod limits;
mod metered;
mod modern;
mod resuming;
#[cfg(unix)]
mod socket;
mod stateless;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Bridge, BridgeError, BridgeSettings, Meter};
use crate::{
    gate::{
        Gate, GateParts, Scope,
        tokens::{TokenId, Tokens},
    },
    registry::State,
};
use client::{Client, Events, call, initialize, messages, refusal};
use fake::Fake;

const NEWEST: &str = "2025-11-25";

struct Setup {
    port: u16,
    /// Where the Unix socket is, far below.
    #[cfg(unix)]
    folder: tempfile::TempDir,
    /// How many seconds the gate's clock is ahead.
    ahead: Arc<AtomicU64>,
    gate: Gate,
    fake: Fake,
    token: String,
    id: TokenId,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Setup {
    async fn with(settings: BridgeSettings) -> Self {
        Self::of(settings, None).await
    }

    async fn of(settings: BridgeSettings, meter: Option<Arc<dyn Meter>>) -> Self {
        let tokens = Tokens::open(State::in_memory().unwrap(), SystemTime::now()).unwrap();
        let ahead = Arc::new(AtomicU64::new(0));
        let clock = {
            let ahead = Arc::clone(&ahead);
            Arc::new(move || SystemTime::now() + Duration::from_secs(ahead.load(Ordering::SeqCst)))
        };
        let gate = Gate::new(GateParts::for_test(tokens, clock));
        let (token, text) = gate.tokens().issue("test", Scope::All, None, SystemTime::now()).unwrap();
        #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no socket to add"))]
        let mut listener = Bridge::bind(0).await.unwrap();
        #[cfg(unix)]
        let folder = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        listener.add_socket(&socket::path(folder.path()), rustix::process::geteuid().as_raw()).unwrap();
        let fake = Fake::default();
        let shutdown = CancellationToken::new();
        let bridge = Bridge { meter, ..Bridge::new(gate.clone(), fake.clone(), settings) };
        let port = listener.port();
        let served = tokio::spawn(bridge.serve(listener, shutdown.clone()));
        let (token, id) = (text.expose().to_owned(), token.id);
        Self {
            port,
            #[cfg(unix)]
            folder,
            ahead,
            gate,
            fake,
            token,
            id,
            shutdown,
            served,
        }
    }

    async fn new() -> Self {
        Self::with(BridgeSettings::default()).await
    }

    fn client(&self) -> Client {
        Client::new(self.port, &self.token)
    }

    /// Waits until no server runs any more.
    async fn nothing_left(&self) {
        for _ in 0..200 {
            if self.fake.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{} servers still run", self.fake.running.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn a_request_must_be_allowed_here() {
    let setup = Setup::new().await;
    let client = setup.client();
    let port = setup.port.to_string();
    let refused = async |client: Client, method| {
        let (status, code, _) = refusal(client.send(method, initialize(NEWEST).to_string()).await).await;
        (status, code)
    };
    for (client, expected) in [
        (client.clone().with("host", "evil.com"), (421, -31010)),
        (client.clone().with("host", &format!("evil.com:{port}")), (421, -31010)),
        (client.clone().with("host", "127.0.0.1:1"), (421, -31010)),
        (client.clone().with("origin", "http://evil.com"), (403, -31010)),
        (client.clone().with("origin", "null"), (403, -31010)),
        (client.clone().with("authorization", ""), (401, -31010)),
        (client.clone().with("authorization", "Basic eDp5"), (401, -31010)),
        (client.clone().with("authorization", "Bearer csn_wrong"), (401, -31010)),
        (client.clone().to("/"), (404, -32600)),
        (client.clone().to("/s/none/mcp"), (404, -32600)),
        (client.clone().with("content-type", "text/plain"), (415, -32600)),
        (client.clone().with("accept", "application/json"), (406, -32600)),
        (client.clone().with("mcp-session-id", "none"), (404, -32001)),
        (client.clone().to("/s/broken/mcp"), (503, -32000)),
    ] {
        assert_eq!(refused(client.clone(), Method::POST).await, expected, "{:?}", client.headers);
    }
    assert_eq!(refused(client.clone(), Method::OPTIONS).await, (405, -32600));
    assert_eq!(refused(client.clone(), Method::GET).await, (400, -32600));
    assert_eq!(refused(client.clone(), Method::DELETE).await, (400, -32600));
    for origin in ["http://localhost:6274", "http://127.0.0.1"] {
        let response = client.clone().with("origin", origin).post(&initialize(NEWEST)).await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().keys().any(|name| name.as_str().starts_with("access-control")));
    }
    let response = client.with("authorization", "").post(&initialize(NEWEST)).await;
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"caisson\"");
}

#[tokio::test]
async fn a_body_must_be_a_message() {
    let setup = Setup::new().await;
    let fresh = setup.client();
    let client = fresh.clone().initialized(NEWEST).await;
    let deep = "[".repeat(100_000);
    let many = format!("[{}]", vec!["{}"; 300].join(","));
    for (body, status, code) in [
        ("", 400, -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/ca"#, 400, -32700),
        (deep.as_str(), 400, -32700),
        ("\u{0}\u{1}", 400, -32700),
        ("{}", 400, -32600),
        ("[]", 400, -32600),
        (many.as_str(), 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, 400, -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":"nobody asked","result":{}}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#, 400, -32600),
    ] {
        let answered = refusal(client.send(Method::POST, body.to_owned()).await).await;
        assert_eq!((answered.0, answered.1), (status, code), "{:.60}: {}", body, answered.2);
    }
    let invalid = client.send(Method::POST, &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"[..]).await;
    assert_eq!(refusal(invalid).await.0, 400);
    let ping = json!({"jsonrpc": "2.0", "id": 9, "method": "ping"});
    assert_eq!(refusal(fresh.post(&ping).await).await.0, 400);
    let old = client.clone().with("mcp-protocol-version", "1999-01-01");
    assert_eq!(refusal(old.post(&ping).await).await.0, 400);
    assert_eq!(messages(client.post(&ping).await).await, [json!({"jsonrpc": "2.0", "id": 9, "result": {}})]);
}

#[tokio::test]
async fn a_large_body_is_refused_and_not_held() {
    let setup = Setup::new().await;
    let client = setup.client();
    let body = vec![b'x'; 50 << 20];
    let (status, _, text) = refusal(client.send(Method::POST, body).await).await;
    assert_eq!((status, text.contains("16777216 bytes")), (413, true), "{text}");
    // Without a length: it shows while it comes.
    let head = format!(
        "POST /s/fake/mcp HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        setup.port, setup.token
    );
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let mut answer = [0; 12];
    let mut tcp = TcpStream::connect(("127.0.0.1", setup.port)).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..20 {
        tcp.write_all(&chunk).await.unwrap();
    }
    tcp.write_all(b"0\r\n\r\n").await.unwrap();
    tcp.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Without an end: at some point nobody listens any more.
    let mut tcp = TcpStream::connect(("127.0.0.1", setup.port)).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut written = 0;
    while written < 1024 && tcp.write_all(&chunk).await.is_ok() {
        written += 1;
    }
    assert!(written < 1024, "it took a gigabyte");
    // Who asks first is answered before it sends.
    let mut tcp = TcpStream::connect(("127.0.0.1", setup.port)).await.unwrap();
    let head = head.replace("Transfer-Encoding: chunked", "Content-Length: 52428800\r\nExpect: 100-continue");
    tcp.write_all(head.as_bytes()).await.unwrap();
    tcp.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn messages_cross_unchanged() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let strange = json!({"unknown": [1.0e300, "\u{202e}", {"": null}], "n": 12_345_678_901_234_567_890_u64});
    let answered = client.call("a/b", "echo", strange.clone()).await;
    assert_eq!(answered, [json!({"jsonrpc": "2.0", "id": "a/b", "result": strange})]);
    let lines = client.call(2, "lines", json!({})).await;
    assert_eq!(lines, [json!({"jsonrpc": "2.0", "id": 2, "result": {}})]);
    for size in [10_000, 20_000, 5_000_000] {
        let large = client.call(3, "large", json!({"bytes": size})).await;
        assert_eq!(large[0]["result"]["text"].as_str().unwrap().len(), size);
    }
}

#[tokio::test]
async fn progress_comes_before_its_answer_and_on_the_same_stream() {
    let setup = Setup::new().await;
    for version in ["2025-03-26", "2025-06-18", NEWEST] {
        let client = setup.client().initialized(version).await;
        let listening = Events::of(client.send(Method::GET, "").await);
        let answered = client.call(1, "progress", json!({})).await;
        let steps: Vec<_> = answered.iter().map(|message| message["params"]["progress"].as_u64()).collect();
        assert_eq!(steps, [Some(1), Some(2), Some(3), None], "{version}");
        assert_eq!(answered[0]["params"]["extra"], json!({"x": [1]}));
        assert_eq!(answered[3]["id"], 1);
        drop(listening);
    }
}

#[tokio::test]
async fn the_server_asks_and_the_client_answers() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut events = Events::of(client.post(&call(5, "ask", json!({}))).await);
    let primer = events.next().await.unwrap();
    assert!(primer.message.is_none() && primer.id.ends_with("-0"));
    let asked = events.next().await.unwrap().message.unwrap();
    assert_eq!((&asked["id"], &asked["method"]), (&json!("ask-1"), &json!("sampling/createMessage")));
    let answer = json!({"jsonrpc": "2.0", "id": "ask-1", "result": {"role": "assistant", "new": 1}});
    assert_eq!(client.post(&answer).await.status(), StatusCode::ACCEPTED);
    let answered = events.next().await.unwrap().message.unwrap();
    assert_eq!((&answered["id"], &answered["result"]["heard"]), (&json!(5), &answer));
    assert!(events.next().await.is_none());
    assert_eq!(refusal(client.post(&answer).await).await.0, 400, "it was answered");
}

#[tokio::test]
async fn what_belongs_to_no_request_waits_for_a_listener() {
    let setup = Setup::new().await;
    let client = setup.client().initialized("2025-06-18").await;
    client.call(1, "notify", json!({})).await;
    let mut first = Events::of(client.send(Method::GET, "").await);
    let event = first.next().await.unwrap();
    assert_eq!(event.message.unwrap()["method"], "notifications/tools/list_changed");
    let mut second = Events::of(client.send(Method::GET, "").await);
    client.call(2, "notify", json!({})).await;
    let again = first.next().await.unwrap();
    assert!(again.message.is_some());
    assert!(timeout(Duration::from_millis(100), second.next()).await.is_err(), "one stream, not both");
    // Resumed after the first event, the second comes again, and the reader from before ends.
    let mut resumed = Events::of(client.clone().with("last-event-id", &event.id).send(Method::GET, "").await);
    assert_eq!(resumed.next().await.unwrap().id, again.id);
    assert!(first.next().await.is_none());
    let unknown = client.clone().with("last-event-id", "77-1").send(Method::GET, "").await;
    assert_eq!(refusal(unknown).await.0, 400);
}

#[tokio::test]
async fn an_answer_that_was_missed_is_read_later() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut events = Events::of(client.post(&call(1, "slow", json!({}))).await);
    let primer = events.next().await.unwrap();
    drop(events);
    sleep(Duration::from_millis(600)).await;
    let resumed = client.clone().with("last-event-id", &primer.id).send(Method::GET, "").await;
    assert_eq!(messages(resumed).await, [json!({"jsonrpc": "2.0", "id": 1, "result": {"slow": true}})]);
}

#[tokio::test]
async fn batches_where_there_are_batches() {
    let setup = Setup::new().await;
    let client = setup.client().initialized("2025-03-26").await;
    let batch = json!([
        call(1, "echo", json!({"a": 1})),
        {"jsonrpc": "2.0", "method": "notifications/x"},
        call("2", "echo", json!({"b": 2})),
    ]);
    let answered = messages(client.post(&batch).await).await;
    assert_eq!(answered[0].as_array().unwrap().len(), 2);
    let notes = json!([{"jsonrpc": "2.0", "method": "notifications/x"}]);
    assert_eq!(client.post(&notes).await.status(), StatusCode::ACCEPTED);
    let streamed = messages(client.post(&json!([call(3, "progress", json!({}))])).await).await;
    assert_eq!(streamed.len(), 4);
}

#[tokio::test]
async fn sessions_are_apart() {
    let setup = Setup::new().await;
    let mut clients = Vec::new();
    for number in 0..50 {
        let client = setup.client().initialized(NEWEST).await;
        clients.push(tokio::spawn(async move {
            for round in 0..5 {
                let said = json!({"who": number, "round": round});
                assert_eq!(client.call(1, "echo", said.clone()).await[0]["result"], said);
                assert_eq!(client.call(1, "progress", json!({})).await.len(), 4);
            }
            client
        }));
    }
    let mut ended = Vec::new();
    for client in clients {
        let client = client.await.unwrap();
        assert_eq!(client.send(Method::DELETE, "").await.status(), StatusCode::NO_CONTENT);
        ended.push(client);
    }
    assert_eq!(refusal(ended[0].post(&call(1, "echo", json!({}))).await).await.0, 404);
    setup.nothing_left().await;
}

#[tokio::test]
async fn a_session_is_its_clients_own() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let issue = |scope| setup.gate.tokens().issue("other", scope, None, SystemTime::now()).unwrap().1;
    let mut thief = client.clone();
    issue(Scope::All).expose().clone_into(&mut thief.token);
    assert_eq!(refusal(thief.post(&call(1, "echo", json!({}))).await).await.0, 404);
    assert_eq!(refusal(thief.send(Method::GET, "").await).await.0, 404);
    assert_eq!(refusal(thief.send(Method::DELETE, "").await).await.0, 404);
    assert_eq!(refusal(client.clone().to("/s/other/mcp").send(Method::GET, "").await).await.0, 404);
    let mut limited = setup.client();
    issue(Scope::only(["other".parse().unwrap()])).expose().clone_into(&mut limited.token);
    assert_eq!(refusal(limited.post(&initialize(NEWEST)).await).await.0, 403);
    assert_eq!(refusal(limited.clone().to("/s/none/mcp").post(&initialize(NEWEST)).await).await.0, 403);
    assert_eq!(limited.to("/s/other/mcp").post(&initialize(NEWEST)).await.status(), 200);
}

#[tokio::test]
async fn a_tool_outside_the_scope_is_an_error_and_not_called() {
    let setup = Setup::new().await;
    let only = |tool: &str| crate::gate::ToolScope::Only([tool.to_owned()].into());
    let scope = Scope::Only([("fake".parse().unwrap(), only("echo"))].into());
    let (_, text) = setup.gate.tokens().issue("limited", scope, None, SystemTime::now()).unwrap();
    let client = Client::new(setup.port, text.expose()).initialized(NEWEST).await;
    assert_eq!(client.call(1, "echo", json!({})).await[0]["result"], json!({}));
    let denied = client.call(2, "die", json!({})).await;
    assert_eq!((&denied[0]["id"], &denied[0]["error"]["code"]), (&json!(2), &json!(-31010)));
    assert_eq!(client.call(3, "echo", json!({})).await[0]["id"], 3);
}

#[tokio::test]
async fn an_id_in_flight_is_refused_and_a_cancelled_one_is_free() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut hanging = Events::of(client.post(&call(1, "hang", json!({}))).await);
    let (status, code, text) = refusal(client.post(&call(1, "echo", json!({}))).await).await;
    assert_eq!((status, code, text.contains("id 1")), (400, -32600, true));
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(client.post(&cancel).await.status(), StatusCode::ACCEPTED);
    while hanging.next().await.is_some() {}
    assert_eq!(client.call(1, "echo", json!({})).await[0]["id"], 1);
}

#[tokio::test]
async fn a_server_that_dies_says_why() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut listening = Events::of(client.send(Method::GET, "").await);
    let hanging = client.post(&call(1, "hang", json!({}))).await;
    let answered = client.call(2, "die", json!({})).await;
    let error = |message: &Value| {
        (
            message["error"]["code"].as_i64(),
            message["error"]["message"].as_str().unwrap().contains("exit code 7"),
        )
    };
    assert_eq!(error(&answered[0]), (Some(-32000), true), "{answered:?}");
    assert_eq!(error(&messages(hanging).await[0]), (Some(-32000), true));
    while listening.next().await.is_some() {}
    assert_eq!(refusal(client.post(&call(3, "echo", json!({}))).await).await.0, 404);
    let (status, code, text) = refusal(setup.client().post(&initialize("die")).await).await;
    assert_eq!((status, code, text.contains("exit code 3")), (503, -32000, true), "{text}");
    setup.nothing_left().await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let settings = BridgeSettings { initialize_timeout: Duration::from_millis(100), ..Default::default() };
    let setup = Setup::with(settings).await;
    let (status, _, text) = refusal(setup.client().to("/s/mute/mcp").post(&initialize(NEWEST)).await).await;
    assert_eq!(status, 504, "{text}");
    setup.nothing_left().await;
}

#[tokio::test]
async fn a_slow_client_slows_its_server_down_and_no_other() {
    let setup = Setup::new().await;
    let slow = setup.client().initialized(NEWEST).await;
    // 64 MB, of which nobody reads anything for a while.
    let response = slow.post(&call(1, "flood", json!({"count": 1000}))).await;
    sleep(Duration::from_millis(300)).await;
    let other = setup.client().initialized(NEWEST).await;
    assert_eq!(other.call(1, "echo", json!({})).await[0]["id"], 1);
    let all = messages(response).await;
    assert_eq!((all.len(), &all[1000]["result"]["flooded"]), (1001, &json!(true)));
}

#[tokio::test]
async fn a_client_that_goes_leaves_its_session_and_nothing_else() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let hanging = client.clone();
    let going = tokio::spawn(async move { hanging.post(&call(1, "slow", json!({}))).await });
    sleep(Duration::from_millis(100)).await;
    going.abort();
    assert_eq!(client.call(2, "echo", json!({})).await[0]["id"], 2);
    sleep(Duration::from_millis(1400)).await;
    assert_eq!(client.call(1, "echo", json!({})).await[0]["result"], json!({}), "its id is free again");
}

#[tokio::test]
async fn abandoned_sessions_end_by_themselves() {
    let idle = Duration::from_millis(300);
    let setup = Setup::with(BridgeSettings { idle, sessions_per_client: 1001, ..Default::default() }).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let attended = setup.client().initialized(NEWEST).await;
    let _listening = attended.send(Method::GET, "").await;
    for _ in 0..1000 {
        assert_eq!(setup.client().post(&initialize(NEWEST)).await.status(), 200);
    }
    for _ in 0..100 {
        if setup.fake.running.load(Ordering::SeqCst) == 1 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(setup.fake.running.load(Ordering::SeqCst), 1);
    assert_eq!(attended.call(1, "echo", json!({})).await[0]["id"], 1);
    sleep(Duration::from_millis(200)).await;
    // What the one session that is left needs, and nothing of a thousand others.
    assert!(tasks() < before + 20, "{} tasks are left of {before}", tasks());
}

#[tokio::test]
async fn a_client_has_so_many_sessions_and_another_its_own() {
    let settings = BridgeSettings { sessions_per_client: 3, ..Default::default() };
    let setup = Setup::with(settings).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(setup.client().initialized(NEWEST).await);
    }
    let response = setup.client().post(&initialize(NEWEST)).await;
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(refusal(response).await.0, 429);
    let (_, text) = setup.gate.tokens().issue("other", Scope::All, None, SystemTime::now()).unwrap();
    Client::new(setup.port, text.expose()).initialized(NEWEST).await;
    sessions[0].send(Method::DELETE, "").await;
    sleep(Duration::from_millis(50)).await;
    setup.client().initialized(NEWEST).await;
}

#[tokio::test]
async fn a_revoked_token_ends_its_sessions() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut listening = Events::of(client.send(Method::GET, "").await);
    assert!(setup.gate.tokens().revoke(&setup.id).unwrap());
    assert_eq!(refusal(client.post(&call(1, "echo", json!({}))).await).await.0, 401);
    while timeout(Duration::from_secs(5), listening.next()).await.unwrap().is_some() {}
    setup.nothing_left().await;
}

#[tokio::test]
async fn half_a_request_holds_nobody_up() {
    let setup = Setup::new().await;
    let mut halves = Vec::new();
    for half in ["", "POST /s/fa", "POST /s/fake/mcp HTTP/1.1\r\nHost: 127"] {
        let mut tcp = TcpStream::connect(("127.0.0.1", setup.port)).await.unwrap();
        tcp.write_all(half.as_bytes()).await.unwrap();
        halves.push(tcp);
    }
    let client = setup.client().initialized(NEWEST).await;
    assert_eq!(client.call(1, "echo", json!({})).await[0]["id"], 1);
    setup.shutdown.cancel();
    timeout(Duration::from_secs(4), setup.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_lets_answers_out() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut listening = Events::of(client.send(Method::GET, "").await);
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.call(1, "slow", json!({})).await });
    sleep(Duration::from_millis(100)).await;
    setup.shutdown.cancel();
    while listening.next().await.is_some() {}
    assert_eq!(slow.await.unwrap()[0]["result"]["slow"], true);
    timeout(Duration::from_secs(2), setup.served).await.unwrap().unwrap();
    assert_eq!(setup.fake.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = Bridge::bind(0).await.unwrap();
    let error = Bridge::bind(taken.port()).await.err().unwrap();
    assert!(matches!(error, BridgeError::PortTaken { port } if port == taken.port()));
    assert!(
        error.to_string().contains("settings.toml") && error.to_string().contains(&taken.port().to_string())
    );
}
