//! Clients that ask for too much, too slowly, or of a server that is silent.

use super::*;

/// A connection on which a test says byte for byte what it wants.
async fn raw(setup: &Setup, said: &str) -> TcpStream {
    let mut tcp = TcpStream::connect(("127.0.0.1", setup.port)).await.unwrap();
    tcp.write_all(said.as_bytes()).await.unwrap();
    tcp
}

fn head(setup: &Setup, length: usize) -> String {
    format!(
        "POST /s/fake/mcp HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nAccept: */*\r\nContent-Length: {length}\r\n\r\n",
        setup.port, setup.token
    )
}

/// All that is answered until the connection closes.
async fn last_words(mut tcp: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is closed while it was written to ends with a reset.
    let closed = timeout(Duration::from_secs(5), tcp.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(closed.is_ok(), "it stays open after {answer}");
    answer
}

#[tokio::test]
async fn so_many_requests_a_second_and_no_more() {
    let settings = BridgeSettings { requests_per_second: 4, ..Default::default() };
    let setup = Setup::with(settings).await;
    let client = setup.client().initialized(NEWEST).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let refused = loop {
        let response = client.post(&ping).await;
        if response.status() != 200 {
            break response;
        }
    };
    assert!(refused.headers().contains_key("retry-after"));
    let (status, code, text) = refusal(refused).await;
    assert_eq!((status, code, text.contains("4 requests a second")), (429, -32000, true), "{text}");
    let (_, text) = setup.gate.tokens().issue("other", Scope::All, None, SystemTime::now()).unwrap();
    Client::new(setup.port, text.expose()).initialized(NEWEST).await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(client.post(&ping).await.status(), 200);
}

#[tokio::test]
async fn so_many_requests_at_a_time_and_no_more() {
    let settings = BridgeSettings { requests_at_once: 3, ..Default::default() };
    let setup = Setup::with(settings).await;
    let client = setup.client().initialized(NEWEST).await;
    let mut hanging = Vec::new();
    for id in 0..3 {
        hanging.push(client.post(&call(id, "hang", json!({}))).await);
    }
    assert_eq!(refusal(client.post(&call(9, "echo", json!({}))).await).await.0, 429);
    hanging.pop();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(client.call(9, "echo", json!({})).await[0]["id"], 9);
}

#[tokio::test]
async fn a_request_the_server_says_nothing_on_is_given_up() {
    let settings = BridgeSettings { request_timeout: Duration::from_millis(400), ..Default::default() };
    let setup = Setup::with(settings).await;
    let client = setup.client().initialized(NEWEST).await;
    let (hanging, steady) = (client.clone(), client.clone());
    let hanging = tokio::spawn(async move { hanging.call("a", "hang", json!({})).await });
    let answered = hanging.await.unwrap();
    let text = answered[0]["error"]["message"].as_str().unwrap();
    assert_eq!((&answered[0]["id"], &answered[0]["error"]["code"]), (&json!("a"), &json!(-32001)));
    assert!(text.contains("request_timeout"), "{text}");
    for _ in 0..100 {
        if !setup.fake.cancelled.lock().unwrap().is_empty() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(setup.fake.cancelled.lock().unwrap()[0]["requestId"], "a");
    // Progress is a word, and so is a question of the server's: then it waits for the client.
    assert_eq!(steady.call(2, "steady", json!({})).await[8]["result"]["steady"], true);
    let mut events = Events::of(client.post(&call(3, "ask", json!({}))).await);
    while events.next().await.unwrap().message.is_none() {}
    sleep(Duration::from_millis(900)).await;
    client.post(&json!({"jsonrpc": "2.0", "id": "ask-1", "result": {}})).await;
    assert_eq!(events.next().await.unwrap().message.unwrap()["id"], 3);
    assert_eq!(setup.fake.cancelled.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_reads_nothing_holds_no_request_up() {
    let settings = BridgeSettings { request_timeout: Duration::from_millis(400), ..Default::default() };
    let setup = Setup::with(settings).await;
    let response = setup.client().to("/s/deaf/mcp").post(&initialize(NEWEST)).await;
    let id = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let client = setup.client().to("/s/deaf/mcp").with("mcp-session-id", &id);
    let mut asking = Vec::new();
    for number in 0..12 {
        let client = client.clone();
        asking.push(tokio::spawn(async move { client.call(number, "echo", json!({})).await }));
    }
    for (number, asked) in asking.into_iter().enumerate() {
        let answered = timeout(Duration::from_secs(5), asked).await.expect("it is answered").unwrap();
        assert_eq!((&answered[0]["id"], &answered[0]["error"]["code"]), (&json!(number), &json!(-32001)));
    }
    let note = json!({"jsonrpc": "2.0", "method": "notifications/x"});
    let (status, code, _) = refusal(client.post(&note).await).await;
    assert_eq!((status, code), (504, -32001));
}

#[tokio::test]
async fn half_a_head_and_a_body_that_trickles_are_given_up() {
    let limit = Duration::from_millis(300);
    let setup = Setup::with(BridgeSettings { head: limit, body: limit, ..Default::default() }).await;
    for half in ["P", "POST /s/fake/mcp HTTP/1.1\r\nHost: 127"] {
        let answer = last_words(raw(&setup, half).await).await;
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("-32000"), "{answer}");
    }
    let mut trickle = raw(&setup, &head(&setup, 1000)).await;
    let started = std::time::Instant::now();
    while started.elapsed() < limit * 2 && trickle.write_all(b" ").await.is_ok() {
        sleep(Duration::from_millis(20)).await;
    }
    let mut answer = [0; 12];
    trickle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    // A connection that says nothing at all waits for its next request.
    let mut idle = raw(&setup, "").await;
    sleep(limit * 2).await;
    let body = initialize(NEWEST).to_string();
    idle.write_all(format!("{}{body}", head(&setup, body.len())).as_bytes()).await.unwrap();
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn idle_connections_make_room() {
    let setup = Setup::with(BridgeSettings { connections: 4, ..Default::default() }).await;
    let client = setup.client().initialized(NEWEST).await;
    let mut listening = Events::of(client.send(Method::GET, "").await);
    listening.next().await.unwrap();
    let mut idle = Vec::new();
    for half in ["", "POST /s", "", "GET", "", "POST / HTTP/1.1\r\nHost:", "", ""] {
        idle.push(raw(&setup, half).await);
    }
    for id in 0..5 {
        assert_eq!(client.call(id, "echo", json!({})).await[0]["id"], id);
    }
    // What is in use stays.
    client.call(9, "notify", json!({})).await;
    let note = timeout(Duration::from_secs(5), listening.next()).await.unwrap().unwrap();
    assert_eq!(note.message.unwrap()["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_head_has_a_size() {
    let setup = Setup::new().await;
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "y".repeat(100 << 10));
    for headers in [many, large] {
        let said = head(&setup, 0).replace("Accept: */*\r\n", &headers);
        let answer = last_words(raw(&setup, &said).await).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer:.200}");
    }
    setup.client().initialized(NEWEST).await;
}

#[tokio::test]
async fn what_is_nested_too_deep_is_refused() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let depth = 100_000;
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let body = call(1, "echo", json!({"a": "?"})).to_string().replace("\"?\"", &nested);
    let (status, code, text) = refusal(client.send(Method::POST, body).await).await;
    assert_eq!((status, code, text.contains("256 levels")), (400, -32700, true), "{text}");
    assert_eq!(client.call(1, "echo", json!({})).await[0]["id"], 1);
}
