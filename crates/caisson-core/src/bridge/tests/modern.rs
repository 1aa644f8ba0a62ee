//! Requests without a session, over real HTTP.

mod endings;
mod refused;

use std::sync::atomic::AtomicUsize;

use http_body_util::BodyExt as _;
use hyper::{Response, body::Incoming};
use proptest::prelude::*;

use super::{
    client::{MODERN, request},
    *,
};

const LISTEN: &str = "subscriptions/listen";
const CALL: &str = "tools/call";

/// Asks for a tool.
async fn called(client: &Client, id: impl Into<Value>, tool: &str) -> Response<Incoming> {
    client.ask(id, CALL, &json!({"name": tool})).await
}

/// The message of an answer that came alone, and its status.
async fn whole(response: Response<Incoming>) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(!response.headers().contains_key("mcp-session-id"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Waits until so many have happened.
async fn counted(count: &AtomicUsize, expected: usize) {
    for _ in 0..200 {
        if count.load(Ordering::SeqCst) == expected {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{} and not {expected}", count.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_answer_leaves_alone_and_a_stream_has_all_that_belongs_to_it() {
    let setup = Setup::new().await;
    let client = setup.client();
    let discovered = client.ask("a/b", "server/discover", &json!({})).await;
    assert_eq!(discovered.headers()["cache-control"], "no-cache");
    let (status, message) = whole(discovered).await;
    assert_eq!((status, &message["id"]), (200, &json!("a/b")));
    assert_eq!(message["result"]["heard"]["method"], "server/discover");

    let streamed = called(&client, 1, "progress").await;
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    {
        assert_eq!(streamed.headers()[name], value);
    }
    assert!(!streamed.headers().contains_key("mcp-session-id"));
    let body = streamed.into_body().collect().await.unwrap().to_bytes();
    let lines: Vec<_> = std::str::from_utf8(&body).unwrap().lines().collect();
    assert!(lines.iter().all(|line| line.is_empty() || line.starts_with("data: ")), "{lines:?}");
    let all = messages(called(&client, 1, "progress").await).await;
    let steps: Vec<_> = all.iter().map(|message| message["params"]["progress"].as_u64()).collect();
    assert_eq!(steps, [Some(1), Some(2), Some(3), None]);
    assert_eq!((&all[0]["params"]["extra"], &all[3]["id"]), (&json!({"x": [1]}), &json!(1)));

    assert_eq!(messages(called(&client, 2, "lines").await).await[0]["result"], json!({}));
    let slow = messages(called(&client, 3, "slow").await).await;
    assert_eq!(slow, [json!({"jsonrpc": "2.0", "id": 3, "result": {"slow": true}})]);
    let large = messages(called(&client, 4, "large").await).await;
    assert_eq!(large[0]["params"].as_str().unwrap().len(), 50_000);
    assert_eq!(large[1]["result"]["text"].as_str().unwrap().len(), 5_000_000);
    counted(&setup.fake.stateless.cancelled, 0).await;
}

#[tokio::test]
async fn an_answer_that_is_ready_leaves_in_one_write() {
    let setup = Setup::new().await;
    let body = request(1, "tools/list", &json!({})).to_string();
    let head = format!(
        "POST /s/fake/mcp HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: {MODERN}\r\nMCP-METHOD:  tools/list \r\n\
         Content-Length: {}\r\n\r\n",
        setup.port,
        setup.token,
        body.len()
    );
    let mut tcp = TcpStream::connect(("127.0.0.1", setup.port)).await.unwrap();
    tcp.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = vec![0; 16 << 10];
    let read = tcp.read(&mut answer).await.unwrap();
    let answer = std::str::from_utf8(&answer[..read]).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("}}"), "{answer}");
}

#[tokio::test]
async fn the_status_says_how_it_went() {
    let setup = Setup::new().await;
    let client = setup.client();
    for (code, expected) in
        [(-32602, 400), (-32020, 400), (-32021, 400), (-32601, 404), (-32603, 200), (-32002, 200)]
    {
        let params = json!({"name": "error", "arguments": {"code": code}});
        let (status, message) = whole(client.ask(code, CALL, &params).await).await;
        assert_eq!(
            (status, &message["id"], &message["error"]["code"]),
            (expected, &json!(code), &json!(code))
        );
        assert_eq!(message["error"]["data"], json!({"x": 1}));
    }
}

#[tokio::test]
async fn a_server_that_cannot_answer_says_why() {
    let setup = Setup::new().await;
    let client = setup.client();
    let broken = client.clone().to("/s/broken/mcp").ask(1, "tools/list", &json!({})).await;
    assert!(broken.headers().contains_key("retry-after"));
    let (status, message) = whole(broken).await;
    assert_eq!((status, &message["error"]["code"], &message["id"]), (503, &json!(-32000), &json!(1)));
    assert!(message["error"]["message"].as_str().unwrap().contains("no such image"));
    for (tool, why) in
        [("die", "exit code 7"), ("say no more", "said no more"), ("ask back", "no part of an answer")]
    {
        let (status, message) = whole(called(&client, 2, tool).await).await;
        assert_eq!((status, &message["error"]["code"], &message["id"]), (200, &json!(-32000), &json!(2)));
        assert!(message["error"]["message"].as_str().unwrap().contains(why), "{message}");
    }
    let all = messages(called(&client, 3, "die after a note").await).await;
    assert_eq!((all.len(), &all[1]["error"]["code"], &all[1]["id"]), (2, &json!(-32000), &json!(3)));
    assert!(all[1]["error"]["message"].as_str().unwrap().contains("exit code 7"));
}

#[tokio::test]
async fn a_client_that_goes_away_cancels() {
    let setup = Setup::new().await;
    let cancelled = Arc::clone(&setup.fake.stateless.cancelled);
    let client = setup.client();
    // Before anything came back, also where the server is only being started.
    for (path, expected) in [("/s/fake/mcp", 1), ("/s/mute/mcp", 2)] {
        let going = client.clone().to(path);
        let going = tokio::spawn(async move { called(&going, 1, "hang").await });
        sleep(Duration::from_millis(100)).await;
        going.abort();
        counted(&cancelled, expected).await;
    }
    // In the middle of a stream, and when nothing but the patience's end made it one.
    let mut events = Events::of(called(&client, 2, "hang after a note").await);
    assert!(events.next().await.unwrap().message.is_some());
    drop(events);
    counted(&cancelled, 3).await;
    drop(Events::of(called(&client, 3, "hang").await));
    counted(&cancelled, 4).await;
}

#[tokio::test]
async fn a_posted_cancellation_reaches_nobody() {
    let setup = Setup::new().await;
    let client = setup.client();
    let slow = client.clone();
    let slow = tokio::spawn(async move { messages(called(&slow, 1, "slow").await).await });
    sleep(Duration::from_millis(100)).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    let response = client.clone().alone("notifications/cancelled", "").post(&cancel).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(slow.await.unwrap()[0]["result"], json!({"slow": true}));
    assert_eq!(setup.fake.stateless.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_listens_hears_until_they_go() {
    let setup = Setup::new().await;
    let client = setup.client();
    let mut events = Events::of(client.ask("s", LISTEN, &json!({})).await);
    for _ in 0..3 {
        let event = events.next().await.unwrap();
        assert_eq!(event.message.unwrap()["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(event.id, "");
    }
    drop(events);
    counted(&setup.fake.stateless.cancelled, 1).await;
    let (status, message) = whole(client.ask("s", LISTEN, &json!({"refused": true})).await).await;
    assert_eq!((status, &message["error"]["code"]), (404, &json!(-32601)));
}

#[tokio::test]
async fn clients_may_use_the_same_ids() {
    let setup = Setup::new().await;
    let mut asking = Vec::new();
    for number in 0..40 {
        let client = setup.client();
        asking.push(tokio::spawn(async move {
            for round in 0..5 {
                let said = json!({"who": number, "round": round});
                let answer = client.ask(1, CALL, &json!({"name": "echo", "arguments": said})).await;
                assert_eq!(whole(answer).await.1["result"]["heard"]["params"]["arguments"], said);
                assert_eq!(messages(called(&client, 1, "progress").await).await.len(), 4);
            }
        }));
    }
    for asking in asking {
        asking.await.unwrap();
    }
    counted(&setup.fake.stateless.cancelled, 0).await;
}

#[tokio::test]
async fn a_slow_reader_slows_its_own_answer_down() {
    let setup = Setup::new().await;
    let client = setup.client();
    // 20 MB, of which nobody reads anything for a while.
    let flood = json!({"name": "flood", "arguments": {"count": 300}});
    let response = client.ask(1, CALL, &flood).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(whole(called(&client, 1, "echo").await).await.0, 200);
    let all = messages(response).await;
    assert_eq!((all.len(), &all[300]["result"]), (301, &json!({})));
}

#[tokio::test]
async fn a_shutdown_lets_answers_out_and_listeners_go() {
    let settings = BridgeSettings { drain: Duration::from_millis(1500), ..Default::default() };
    let setup = Setup::with(settings).await;
    let client = setup.client();
    let listening = client.ask("s", LISTEN, &json!({})).await;
    let hanging = called(&client, 2, "hang").await;
    let slow = client.clone();
    let slow = tokio::spawn(async move { messages(called(&slow, 1, "slow").await).await });
    let kept = client.connect().await;
    sleep(Duration::from_millis(100)).await;
    setup.shutdown.cancel();
    let heard = timeout(Duration::from_millis(400), messages(listening)).await.unwrap();
    let last = heard.last().unwrap();
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!("s"), &json!("complete")));
    assert_eq!(last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s");
    let late = client.clone().alone("tools/list", "");
    let late = late.send_on(kept, Method::POST, request(4, "tools/list", &json!({})).to_string()).await;
    assert!(late.headers().contains_key("retry-after"));
    assert_eq!(refusal(late).await.0, 503);
    assert_eq!(slow.await.unwrap()[0]["result"], json!({"slow": true}));
    // Whoever waits longer than that learns why there is no answer.
    let hanging = messages(hanging).await;
    assert_eq!((&hanging[0]["id"], &hanging[0]["error"]["code"]), (&json!(2), &json!(-32000)));
    timeout(Duration::from_secs(3), setup.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_has_so_many_requests_open_and_another_its_own() {
    let settings = BridgeSettings { exchanges_per_client: 2, ..Default::default() };
    let setup = Setup::with(settings).await;
    let client = setup.client();
    let listening = Events::of(client.ask(1, LISTEN, &json!({})).await);
    let _hanging = Events::of(called(&client, 2, "hang").await);
    let refused = called(&client, 3, "echo").await;
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refusal(refused).await.0, 429);
    let (_, text) = setup.gate.tokens().issue("other", Scope::All, None, SystemTime::now()).unwrap();
    assert_eq!(whole(called(&Client::new(setup.port, text.expose()), 3, "echo").await).await.0, 200);
    drop(listening);
    counted(&setup.fake.stateless.cancelled, 1).await;
    for _ in 0..5 {
        assert_eq!(whole(called(&client, 3, "echo").await).await.0, 200);
    }
}

#[tokio::test]
async fn a_revoked_token_ends_what_is_open() {
    let setup = Setup::new().await;
    let client = setup.client();
    let listening = client.ask("s", LISTEN, &json!({})).await;
    let starting = client.clone().to("/s/mute/mcp");
    let starting = tokio::spawn(async move { called(&starting, 1, "echo").await });
    sleep(Duration::from_millis(100)).await;
    assert!(setup.gate.tokens().revoke(&setup.id).unwrap());
    let heard = timeout(Duration::from_secs(5), messages(listening)).await.unwrap();
    assert_eq!(heard.last().unwrap()["error"]["code"], -31010);
    assert_eq!(refusal(starting.await.unwrap()).await.0, 401);
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("\\PC{0,8}", inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..Default::default() })]

    /// What the bridge does not know crosses byte by byte, both ways.
    #[test]
    fn what_is_unknown_crosses_unchanged(
        asked in prop::collection::vec(("x/[a-z]{1,8}", anything(), anything(), anything()), 16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let setup = Setup::new().await;
            for (method, params, meta, field) in asked {
                let mut message = request(1, &method, &json!({"y": params, "_meta": {"z": meta}}));
                message["w"] = field;
                let client = setup.client().alone(&method, "");
                let response = client.send(Method::POST, message.to_string()).await;
                let body = response.into_body().collect().await.unwrap().to_bytes();
                let expected = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"heard":{message}}}}}"#);
                assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
            }
        });
    }
}
