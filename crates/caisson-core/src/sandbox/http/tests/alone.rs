//! Servers of the protocol without sessions.

use super::*;

/// What the server saw: version, method, name and region of the headers, and when a connection was closed.
type Lines = Arc<Mutex<Vec<String>>>;

async fn modern(lines: Lines) -> SocketAddr {
    serving(move |request| {
        let lines = lines.clone();
        async move { answer(&lines, request).await }
    })
    .await
}

async fn answer(lines: &Lines, request: Request<Incoming>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
    assert!(parts.headers.get("mcp-session-id").is_none());
    let body = body.collect().await.unwrap().to_bytes();
    let message: Value = serde_json::from_slice(&body).unwrap();
    let seen = ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region"].map(header).join(" ");
    lines.lock().unwrap().push(format!("{} {seen}", parts.method));
    let reply = |status: u16, message: Value| {
        let response = Response::builder().status(status).header("content-type", "application/json");
        response.body(whole(message.to_string())).unwrap()
    };
    let id = &message["id"];
    let result = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let note = json!({"jsonrpc": "2.0", "method": "notifications/x"});
    match (message["method"].as_str().unwrap(), message["params"]["name"].as_str()) {
        ("tools/list", _) if message["params"]["cursor"].is_null() => {
            reply(200, result(json!({"tools": [{"name": "other"}], "nextCursor": "2"})))
        }
        ("tools/list", _) => {
            let region = json!({"type": "string", "x-mcp-header": "Region"});
            let schema = json!({"type": "object", "properties": {"region": region}});
            let named = |name: &str| json!({"name": name, "inputSchema": schema});
            reply(200, result(json!({"tools": [named("tool"), named("tööl")]})))
        }
        ("tools/call", Some("hang")) => {
            let (sender, receiver) = mpsc::channel(8);
            sender.send(format!("data: {note}\n\n")).await.unwrap();
            let lines = lines.clone();
            tokio::spawn(async move {
                sender.closed().await;
                lines.lock().unwrap().push("closed".to_owned());
            });
            Response::builder().header("content-type", "text/event-stream").body(events_of(receiver)).unwrap()
        }
        ("tools/call", _) => {
            let body = format!("data: {note}\n\ndata: {}\n\n", result(json!({"done": true})));
            Response::builder().header("content-type", "text/event-stream").body(whole(body)).unwrap()
        }
        ("nameless", _) => {
            let error = json!({"code": -32022, "message": "no", "data": {"supported": ["2026-07-28"]}});
            reply(400, json!({"jsonrpc": "2.0", "id": null, "error": error}))
        }
        ("cut", _) => {
            let body = format!("id: 1\ndata: {note}\n\n");
            Response::builder().header("content-type", "text/event-stream").body(whole(body)).unwrap()
        }
        _ => reply(404, json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "what?"}})),
    }
}

fn request(id: u64, method: &str, params: Value) -> Value {
    let mut params = params;
    params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn call(id: u64, name: &str) -> Value {
    request(id, "tools/call", json!({"name": name, "arguments": {"region": "eu"}}))
}

async fn until(lines: &Lines, wanted: &str) {
    let seen = async {
        while !lines.lock().unwrap().iter().any(|line| line == wanted) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), seen).await.unwrap();
}

#[tokio::test]
async fn each_request_is_a_post_with_its_headers() {
    let lines = Lines::default();
    let mut client = Client::to(modern(lines.clone()).await);
    client.say(call(1, "tool")).await;
    assert_eq!(client.hear().await.unwrap()["method"], "notifications/x");
    assert_eq!(client.hear().await.unwrap()["result"]["done"], true);
    client.say(call(2, "tööl")).await;
    client.hear().await.unwrap();
    assert_eq!(client.hear().await.unwrap()["id"], 2);
    client.say(request(3, "tools/list", json!({}))).await;
    assert_eq!(client.hear().await.unwrap()["result"]["nextCursor"], "2");
    drop(client);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "POST 2026-07-28 tools/list - -",
            "POST 2026-07-28 tools/list - -",
            "POST 2026-07-28 tools/call tool eu",
            "POST 2026-07-28 tools/call =?base64?dMO2w7Zs?= eu",
            "POST 2026-07-28 tools/list - -",
        ]
    );
}

#[tokio::test]
async fn a_list_that_passed_by_is_not_asked_for_again() {
    let lines = Lines::default();
    let mut client = Client::to(modern(lines.clone()).await);
    client.say(request(1, "tools/list", json!({"cursor": "2"}))).await;
    client.hear().await.unwrap();
    client.say(call(2, "tool")).await;
    client.hear().await.unwrap();
    client.hear().await.unwrap();
    assert_eq!(lines.lock().unwrap()[1..], ["POST 2026-07-28 tools/call tool eu"]);
}

#[tokio::test]
async fn to_cancel_closes_the_post_and_no_other() {
    let lines = Lines::default();
    let mut client = Client::to(modern(lines.clone()).await);
    client.say(call(1, "hang")).await;
    client.hear().await.unwrap();
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    client.say(cancel).await;
    until(&lines, "closed").await;
    client.say(call(2, "tool")).await;
    assert_eq!(client.hear().await.unwrap()["method"], "notifications/x");
    assert_eq!(client.hear().await.unwrap()["id"], 2);
    client.say(call(3, "hang")).await;
    client.hear().await.unwrap();
    lines.lock().unwrap().clear();
    // And so does whoever goes.
    drop(client);
    until(&lines, "closed").await;
    assert_eq!(lines.lock().unwrap().len(), 1, "a DELETE, or a GET");
}

#[tokio::test]
async fn errors_are_answers_with_the_clients_id() {
    let mut client = Client::to(modern(Lines::default()).await);
    for (id, method, code) in [(1, "unknown", -32601), (2, "nameless", -32022)] {
        client.say(request(id, method, json!({}))).await;
        let answer = client.hear().await.unwrap();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(code)));
    }
    client.say(request(3, "cut", json!({}))).await;
    client.hear().await.unwrap();
    let cut = client.hear().await.unwrap();
    assert!(cut["error"]["message"].as_str().unwrap().contains("no answer"), "{cut}");
}

#[tokio::test]
async fn a_request_there_is_no_room_for_fails_alone() {
    let tcp = Tcp::at(modern(Lines::default()).await);
    let mut client = Client::through(Crowded(tcp, 0.into()), "/mcp");
    client.say(call(1, "hang")).await;
    // The list that is asked for first has a connection of its own, which is used again.
    assert_eq!(client.hear().await.unwrap()["method"], "notifications/x");
    client.say(request(2, "unknown", json!({}))).await;
    let refused = client.hear().await.unwrap();
    assert_eq!(refused["id"], 2);
    assert!(refused["error"]["message"].as_str().unwrap().contains("try again"), "{refused}");
    client.say(request(3, "unknown", json!({}))).await;
    assert_eq!(client.hear().await.unwrap()["error"]["code"], -32601);
}
