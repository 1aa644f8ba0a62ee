//! Clients of 2024-11-05.

use std::{sync::atomic::Ordering, time::Duration};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    NEWEST, Scope, Setup, SystemTime,
    client::{Client, Events, call, initialize, refusal},
};

/// A client with its stream.
struct Old {
    /// Posts to the address the stream named.
    client: Client,
    events: Events,
}

impl Old {
    async fn open(client: Client) -> Self {
        let client = client.to("/s/fake/sse").with("accept", "text/event-stream");
        let mut events = Events::of(client.send(Method::GET, "").await);
        let first = events.next().await.unwrap();
        assert_eq!((first.kind.as_str(), first.id.as_str()), ("endpoint", ""));
        assert!(first.data.starts_with("/s/fake/messages?session="), "{}", first.data);
        Self { client: client.to(&first.data).with("accept", "*/*"), events }
    }

    async fn initialized(client: Client) -> Self {
        let mut old = Self::open(client).await;
        let answer = old.ask(&initialize("2024-11-05")).await;
        assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
        old.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        old
    }

    async fn say(&self, message: &Value) {
        assert_eq!(self.client.post(message).await.status(), StatusCode::ACCEPTED, "{message}");
    }

    async fn hear(&mut self) -> Option<Value> {
        let event = timeout(Duration::from_secs(5), self.events.next()).await.unwrap()?;
        assert_eq!((event.kind.as_str(), event.id.as_str()), ("message", ""));
        event.message
    }

    async fn ask(&mut self, request: &Value) -> Value {
        self.say(request).await;
        self.hear().await.unwrap()
    }
}

#[tokio::test]
async fn everything_comes_on_the_one_stream() {
    let setup = Setup::new().await;
    let mut old = Old::initialized(setup.client()).await;
    let strange = json!({"unknown": [1.0e300, "\u{202e}", {"": null}]});
    assert_eq!(old.ask(&call("a", "echo", strange.clone())).await["result"], strange);
    old.say(&call(2, "progress", json!({}))).await;
    for step in 1..=3 {
        assert_eq!(old.hear().await.unwrap()["params"]["progress"], step);
    }
    assert_eq!(old.hear().await.unwrap()["id"], 2);
    let asked = old.ask(&call(3, "ask", json!({}))).await;
    assert_eq!(asked["method"], "sampling/createMessage");
    let answered = old.ask(&json!({"jsonrpc": "2.0", "id": "ask-1", "result": {"new": 1}})).await;
    assert_eq!((&answered["id"], &answered["result"]["heard"]["result"]["new"]), (&json!(3), &json!(1)));
    let large = old.ask(&call(4, "large", json!({"bytes": 5_000_000}))).await;
    assert_eq!(large["result"]["text"].as_str().unwrap().len(), 5_000_000);
    assert_eq!(old.ask(&call(5, "lines", json!({}))).await["id"], 5);
    drop(old);
    setup.nothing_left().await;
}

#[tokio::test]
async fn the_session_ends_with_its_stream() {
    let setup = Setup::new().await;
    let old = Old::initialized(setup.client()).await;
    old.say(&call(1, "hang", json!({}))).await;
    assert_eq!(setup.fake.running.load(Ordering::SeqCst), 1);
    let Old { client, events } = old;
    drop(events);
    setup.nothing_left().await;
    assert_eq!(refusal(client.post(&call(2, "echo", json!({}))).await).await.0, 404);
}

#[tokio::test]
async fn what_is_posted_must_belong_to_a_stream() {
    let setup = Setup::new().await;
    let old = Old::initialized(setup.client()).await;
    let message = call(1, "echo", json!({}));
    let refused = async |client: Client, body: &str| {
        let (status, code, _) = refusal(client.send(Method::POST, body.to_owned()).await).await;
        (status, code)
    };
    let posts = |client: &Client, path: &str| client.clone().to(path);
    let mut thief = old.client.clone();
    let (_, text) = setup.gate.tokens().issue("thief", Scope::All, None, SystemTime::now()).unwrap();
    text.expose().clone_into(&mut thief.token);
    let elsewhere = old.client.path.replace("/fake/", "/other/");
    for (client, expected) in [
        (posts(&old.client, "/s/fake/messages"), (400, -32600)),
        (posts(&old.client, "/s/fake/messages?sessionId=x"), (400, -32600)),
        (posts(&old.client, "/s/fake/messages?session=x"), (404, -32001)),
        (posts(&old.client, &elsewhere), (404, -32001)),
        (thief, (404, -32001)),
        (old.client.clone().with("authorization", ""), (401, -31010)),
        (old.client.clone().with("origin", "http://evil.com"), (403, -31010)),
        (old.client.clone().with("content-type", "text/plain"), (415, -32600)),
        (posts(&old.client, "/s/fake/sse"), (405, -32600)),
    ] {
        assert_eq!(refused(client.clone(), &message.to_string()).await, expected, "{}", client.path);
    }
    for (body, expected) in [
        ("{", (400, -32700)),
        ("{}", (400, -32600)),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, (400, -32600)),
        (r#"{"jsonrpc":"2.0","id":"nobody asked","result":{}}"#, (400, -32600)),
    ] {
        assert_eq!(refused(old.client.clone(), body).await, expected, "{body}");
    }
    let get = posts(&old.client, "/s/fake/messages").send(Method::GET, "").await;
    assert_eq!((get.headers()["allow"].to_str().unwrap(), get.status().as_u16()), ("POST", 405));
    let none =
        setup.client().to("/s/fake/sse").with("accept", "application/json").send(Method::GET, "").await;
    assert_eq!(refusal(none).await.0, 406);
    let broken = setup.client().to("/s/broken/sse").send(Method::GET, "").await;
    assert!(broken.headers().contains_key("retry-after"));
    assert_eq!(refusal(broken).await.0, 503);
}

#[tokio::test]
async fn sessions_of_one_kind_are_none_of_the_other() {
    let setup = Setup::new().await;
    let old = Old::initialized(setup.client()).await;
    let id = old.client.path.split_once('=').unwrap().1;
    let streamable = setup.client().with("mcp-session-id", id);
    assert_eq!(refusal(streamable.post(&call(1, "echo", json!({}))).await).await.0, 404);
    assert_eq!(refusal(streamable.send(Method::DELETE, "").await).await.0, 404);
    let new = setup.client().initialized(NEWEST).await;
    let id = &new.headers.iter().find(|(name, _)| *name == "mcp-session-id").unwrap().1;
    let crossed = old.client.clone().to(&format!("/s/fake/messages?session={id}"));
    assert_eq!(refusal(crossed.post(&call(1, "echo", json!({}))).await).await.0, 404);
}

#[tokio::test]
async fn a_server_that_dies_says_why_and_ends_the_stream() {
    let setup = Setup::new().await;
    let mut old = Old::initialized(setup.client()).await;
    old.say(&call(1, "hang", json!({}))).await;
    old.say(&call(2, "die", json!({}))).await;
    let mut ids = Vec::new();
    while let Some(error) = old.hear().await {
        assert!(error["error"]["message"].as_str().unwrap().contains("exit code 7"), "{error}");
        ids.push(error["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    setup.nothing_left().await;
}

#[tokio::test]
async fn a_tool_outside_the_scope_is_an_error_on_the_stream() {
    let setup = Setup::new().await;
    let only = crate::gate::ToolScope::Only(["echo".to_owned()].into());
    let scope = Scope::Only([("fake".parse().unwrap(), only)].into());
    let (_, text) = setup.gate.tokens().issue("limited", scope, None, SystemTime::now()).unwrap();
    let mut old = Old::initialized(Client::new(setup.port, text.expose())).await;
    let denied = old.ask(&call(2, "die", json!({}))).await;
    assert_eq!((&denied["id"], &denied["error"]["code"]), (&json!(2), &json!(-31010)));
    assert_eq!(old.ask(&call(3, "echo", json!({}))).await["id"], 3);
}

#[tokio::test]
async fn a_shutdown_lets_answers_out_on_the_stream() {
    let setup = Setup::new().await;
    let mut old = Old::initialized(setup.client()).await;
    let mut idle = Old::initialized(setup.client()).await;
    old.say(&call(1, "slow", json!({}))).await;
    sleep(Duration::from_millis(100)).await;
    setup.shutdown.cancel();
    assert!(idle.hear().await.is_none());
    assert_eq!(old.hear().await.unwrap()["result"]["slow"], true);
    assert!(old.hear().await.is_none());
    timeout(Duration::from_secs(2), setup.served).await.unwrap().unwrap();
    assert_eq!(setup.fake.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_has_so_many_streams() {
    let settings = super::BridgeSettings { sessions_per_client: 2, ..Default::default() };
    let setup = Setup::with(settings).await;
    let first = Old::open(setup.client()).await;
    let _second = Old::open(setup.client()).await;
    let third = setup.client().to("/s/fake/sse").send(Method::GET, "").await;
    assert_eq!(refusal(third).await.0, 429);
    drop(first);
    sleep(Duration::from_millis(100)).await;
    Old::initialized(setup.client()).await;
}
