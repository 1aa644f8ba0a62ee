//! Who speaks without a session, and what is refused before a server is asked.

use super::*;

fn discover() -> Value {
    request(7, "server/discover", &json!({}))
}

/// The status, the error's code, and the id it names.
async fn error(client: Client, body: &Value) -> (u16, i64, Value) {
    let (status, message) = whole(client.post(body).await).await;
    (status, message["error"]["code"].as_i64().unwrap(), message["id"].clone())
}

#[tokio::test]
async fn each_rung_refuses() {
    let setup = Setup::new().await;
    let client = setup.client();
    let modern = client.clone().alone("server/discover", "");
    let bare =
        |params: Value| json!({"jsonrpc": "2.0", "id": 7, "method": "server/discover", "params": params});
    let mut lacking = discover();
    lacking["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = Value::Null;
    let mut other = discover();
    other["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("v999.0.0");
    let call = request(7, CALL, &json!({"name": "echo"}));
    let calling = client.clone().alone(CALL, "echo");
    for (client, body, expected) in [
        (modern.clone(), json!({"jsonrpc": "2.0", "id": 7, "method": "server/discover"}), (400, -32602)),
        (modern.clone(), bare(json!({})), (400, -32602)),
        (modern.clone(), lacking, (400, -32602)),
        (modern.clone().with("mcp-protocol-version", ""), discover(), (400, -32020)),
        (modern.clone().with("mcp-protocol-version", "2025-11-25"), discover(), (400, -32020)),
        (modern.clone().with("mcp-method", ""), discover(), (400, -32020)),
        (modern.clone().with("mcp-method", "SERVER/DISCOVER"), discover(), (400, -32020)),
        (modern.clone(), other.clone(), (400, -32020)),
        (calling.clone().with("mcp-name", ""), call.clone(), (400, -32020)),
        (calling.clone().with("mcp-name", "other"), call.clone(), (400, -32020)),
        (modern.clone().with("mcp-protocol-version", "v999.0.0"), other.clone(), (400, -32022)),
        (
            client.clone().alone("initialize", ""),
            request(7, "initialize", &json!({"protocolVersion": "2025-11-25"})),
            (404, -32601),
        ),
    ] {
        assert_eq!(error(client.clone(), &body).await, (expected.0, expected.1, json!(7)), "{body}");
    }
    let unsupported = modern.clone().with("mcp-protocol-version", "v999.0.0").post(&other).await;
    let data = whole(unsupported).await.1["error"]["data"].clone();
    let supported = [MODERN, NEWEST, "2025-06-18", "2025-03-26", "2024-11-05"];
    assert_eq!(data, json!({"supported": supported, "requested": "v999.0.0"}));
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
    assert_eq!(error(modern.clone(), &answer).await, (400, -32600, Value::Null));
    assert_eq!(error(modern.clone(), &json!([discover()])).await, (400, -32600, Value::Null));
    let note = json!({"jsonrpc": "2.0", "method": "notifications/x"});
    let unknown = modern.clone().with("mcp-protocol-version", "v999.0.0");
    assert_eq!(error(unknown, &note).await, (400, -32022, Value::Null));
    let broken = modern.send(Method::POST, "{\"jsonrpc\":").await;
    assert_eq!(refusal(broken).await.1, -32700);
    assert_eq!(setup.fake.stateless.asked.load(Ordering::SeqCst), 0);
    assert_eq!(whole(calling.post(&call).await).await.0, 200);
}

#[tokio::test]
async fn arguments_are_repeated_where_the_tool_asks_for_it() {
    let setup = Setup::new().await;
    let client = setup.client();
    let call = json!({"name": "regional", "arguments": {"region": "us"}});
    assert_eq!(refusal(client.ask(1, CALL, &call).await).await.1, -32020);
    let wrong = client.clone().with("mcp-param-region", "eu");
    let (status, code, text) = refusal(wrong.ask(1, CALL, &call).await).await;
    assert_eq!((status, code, text.contains("Mcp-Param-Region")), (400, -32020, true), "{text}");
    for header in ["us", "=?base64?dXM=?="] {
        let right = client.clone().with("mcp-param-region", header);
        assert_eq!(whole(right.ask(1, CALL, &call).await).await.0, 200);
    }
}

#[tokio::test]
async fn what_the_token_does_not_allow() {
    let setup = Setup::new().await;
    let only = crate::gate::ToolScope::Only(["echo".to_owned()].into());
    let scope = Scope::Only([("fake".parse().unwrap(), only)].into());
    let (_, text) = setup.gate.tokens().issue("limited", scope, None, SystemTime::now()).unwrap();
    let client = Client::new(setup.port, text.expose());
    assert_eq!(whole(called(&client, 1, "echo").await).await.0, 200);
    // Also where its headers are wrong: what it asks for is not told.
    for tool in ["die", "regional"] {
        let denied = called(&client, 2, tool).await;
        assert!(denied.headers()["www-authenticate"].to_str().unwrap().contains("insufficient_scope"));
        let (status, message) = whole(denied).await;
        assert_eq!((status, &message["error"]["code"], &message["id"]), (403, &json!(-31010), &json!(2)));
    }
    assert_eq!(refusal(called(&client.clone().to("/s/other/mcp"), 1, "echo").await).await.0, 403);
    assert_eq!(refusal(called(&client.with("authorization", ""), 1, "echo").await).await.0, 401);
    assert_eq!(setup.fake.stateless.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_web_page_is_kept_out() {
    let setup = Setup::new().await;
    let client = setup.client();
    let list = json!({});
    for (name, value, status) in
        [("host", "evil.example.com", 421), ("origin", "http://evil.example.com", 403)]
    {
        let response = client.clone().with(name, value).ask(1, "tools/list", &list).await;
        assert_eq!(refusal(response).await.0, status);
    }
    let local = client.with("origin", &format!("http://localhost:{}", setup.port));
    assert_eq!(whole(local.ask(1, "tools/list", &list).await).await.0, 200);
}

#[tokio::test]
async fn nothing_but_post_without_a_session() {
    let setup = Setup::new().await;
    let client = setup.client();
    for version in [MODERN, "2099-01-01"] {
        for method in [Method::GET, Method::DELETE, Method::PUT] {
            let response =
                client.clone().with("mcp-protocol-version", version).send(method.clone(), "").await;
            let allow = if method == Method::PUT { "POST, GET, DELETE" } else { "POST" };
            assert_eq!(response.headers()["allow"], allow);
            assert_eq!(refusal(response).await.0, 405);
        }
    }
}

#[tokio::test]
async fn a_client_with_sessions_gets_what_it_got() {
    let setup = Setup::new().await;
    let client = setup.client();
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for version in ["", "2025-03-26", "2025-06-18", NEWEST] {
        let old = client.clone().with("mcp-protocol-version", version);
        let (status, code, text) = refusal(old.post(&ping).await).await;
        assert_eq!((status, code, text.contains("Mcp-Session-Id")), (400, -32600, true), "{version}: {text}");
        assert_eq!(refusal(old.send(Method::GET, "").await).await.0, 400);
        let unknown = old.with("mcp-session-id", "none");
        assert_eq!(refusal(unknown.post(&ping).await).await.0, 404);
        assert_eq!(refusal(unknown.send(Method::DELETE, "").await).await.0, 404);
    }
    // A session is named: what the request says of a version is the session's to judge.
    let session = client.clone().initialized(NEWEST).await;
    assert_eq!(
        refusal(session.clone().with("mcp-protocol-version", MODERN).post(&ping).await).await.1,
        -32600
    );
    let call = request(2, CALL, &json!({"name": "echo", "arguments": {}}));
    assert_eq!(messages(session.post(&call).await).await[0]["result"], json!({}));
    // Whatever the header says, initialize opens a session.
    let eager = client.with("mcp-protocol-version", MODERN).post(&initialize(NEWEST)).await;
    assert!(eager.headers().contains_key("mcp-session-id"));
    assert_eq!(setup.fake.stateless.asked.load(Ordering::SeqCst), 0);
}
