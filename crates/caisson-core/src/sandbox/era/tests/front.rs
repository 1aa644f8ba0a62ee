//! A server's front, before processes that say what a test wants.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{super::Front, fake::in_time, script::Process};
use crate::{
    gate::CallerId,
    model::{Server, ServerName, ServerState},
    pins::{Eras, Pin, Pins, Profile},
    registry::State,
    sandbox::{Session, exchange::Stateless, logs::Logs, supervisor::Ask},
};

struct Setup {
    front: Arc<Front>,
    processes: mpsc::UnboundedReceiver<Process>,
    pin: Pin,
    /// To be dropped last.
    _state: (watch::Sender<Arc<Server>>, watch::Sender<ServerState>),
}

/// A server that does not run, of these eras.
fn setup(eras: Option<Eras>) -> Setup {
    let name: ServerName = "fake".parse().unwrap();
    let server: Server = serde_json::from_value(json!({
        "source": "example", "image": format!("sha256:{}", "0".repeat(64)), "command": ["/server"],
    }))
    .unwrap();
    let pins = Pins::new(State::in_memory().unwrap());
    let pin = pins.of(&name, &server);
    if let Some(eras) = eras {
        pin.set_eras(eras);
    }
    let (server_sender, server) = watch::channel(Arc::new(server));
    let (state_sender, state) = watch::channel(ServerState::Stopped);
    let (asks, mut asked) = mpsc::unbounded_channel();
    let (opened, processes) = mpsc::unbounded_channel();
    let front = Front::new(name.clone(), asks, server, state, Logs::new(std::time::SystemTime::now), pins);
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            let Ask::Open(_, reply) = ask else { continue };
            let (session, from_client, to_client) = Session::for_test(name.clone().into());
            drop(opened.send(Process { from_client, to_client }));
            drop(reply.send(Ok(session)));
        }
    });
    Setup { front: Arc::new(front), processes, pin, _state: (server_sender, state_sender) }
}

const LEGACY: Option<Eras> = Some(Eras { legacy: true, modern: false });
const MODERN: Option<Eras> = Some(Eras { legacy: false, modern: true });

fn request(method: &str) -> Value {
    request_of(method, &json!({}))
}

/// A request of a client that can do this.
fn request_of(method: &str, capabilities: &Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": {"_meta": meta}})
}

impl Setup {
    async fn process(&mut self) -> Process {
        in_time(self.processes.recv()).await.expect("a process is opened")
    }

    /// What `caller` is answered when the server says `result`, and whether it was asked.
    async fn answered(&mut self, caller: &CallerId, method: &str, result: &Value) -> (Value, bool) {
        self.answered_to(caller, &request(method), result).await
    }

    /// The same of a request.
    async fn answered_to(&mut self, caller: &CallerId, request: &Value, result: &Value) -> (Value, bool) {
        let front = Arc::clone(&self.front);
        let method = request["method"].as_str().unwrap();
        let (caller, request) = (caller.clone(), request.to_string());
        let mut asked = tokio::spawn(async move {
            let mut exchange = front.ask(caller, request.into()).await.unwrap();
            let answer = exchange.next().await.unwrap().unwrap();
            serde_json::from_slice::<Value>(&answer).unwrap()
        });
        let mut process = tokio::select! {
            answer = &mut asked => return (answer.unwrap(), false),
            process = self.process() => process,
        };
        loop {
            tokio::select! {
                answer = &mut asked => return (answer.unwrap(), true),
                heard = process.hears() => match heard["method"].as_str().unwrap() {
                    "initialize" => {
                        let hello = json!({
                            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                            "serverInfo": {"name": "fake", "version": "1"},
                        });
                        process.says(json!({"jsonrpc": "2.0", "id": heard["id"], "result": hello})).await;
                    }
                    asked if asked == method => {
                        process.says(json!({"jsonrpc": "2.0", "id": heard["id"], "result": result})).await;
                    }
                    _ => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn what_one_client_was_told_is_not_answered_to_another() {
    let mut setup = setup(LEGACY);
    let [a, b] = ["a", "b"].map(CallerId::for_test);
    let list = |name: &str| json!({"resources": [{"uri": "test://x", "name": name}]});
    let (told, asked) = setup.answered(&a, "resources/list", &list("of a")).await;
    assert!(asked && told["result"]["resources"][0]["name"] == "of a", "{told}");
    let (told, asked) = setup.answered(&b, "resources/list", &list("of b")).await;
    assert!(asked && told["result"]["resources"][0]["name"] == "of b", "{told}");
    // To each its own, while the server does not run.
    let (told, asked) = setup.answered(&a, "resources/list", &list("new")).await;
    assert!(!asked && told["result"]["resources"][0]["name"] == "of a" && told["id"] == 7, "{told}");
}

#[tokio::test]
async fn what_caisson_was_told_is_answered_to_all() {
    let mut setup = setup(LEGACY);
    let tools = json!({"tools": [{"name": "x"}], "ttlMs": 60_000});
    let (_, asked) = setup.answered(&CallerId::caisson(), "tools/list", &tools).await;
    assert!(asked);
    let (told, asked) = setup.answered(&CallerId::for_test("a"), "tools/list", &json!({})).await;
    assert!(!asked && told["result"]["tools"][0]["name"] == "x", "{told}");
    assert_eq!(told["result"]["ttlMs"], 0, "how long it holds was said long ago");
}

#[tokio::test]
async fn what_caisson_was_told_is_answered_to_clients_that_can_do_more_where_all_are_alike() {
    let mut setup = setup(LEGACY);
    let tools = json!({"tools": [{"name": "x"}]});
    setup.answered(&CallerId::caisson(), "tools/list", &tools).await;
    let able = request_of("tools/list", &json!({"sampling": {}, "elicitation": {"form": {}}}));
    setup.pin.set_uniform(true);
    let (told, asked) = setup.answered_to(&CallerId::for_test("a"), &able, &json!({})).await;
    assert!(!asked && told["result"]["tools"][0]["name"] == "x", "{told}");
    setup.pin.set_uniform(false);
    let own = json!({"tools": [{"name": "own"}]});
    let (told, asked) = setup.answered_to(&CallerId::for_test("a"), &able, &own).await;
    assert!(asked && told["result"]["tools"][0]["name"] == "own", "{told}");
    setup.pin.set_uniform(true);
    let (told, asked) = setup.answered_to(&CallerId::for_test("a"), &able, &json!({})).await;
    assert!(!asked && told["result"]["tools"][0]["name"] == "own", "its own comes first: {told}");
}

#[tokio::test]
async fn a_stopped_server_to_which_all_clients_are_alike_answers_any() {
    let mut setup = setup(LEGACY);
    let raw = |value: Value| serde_json::value::to_raw_value(&value).unwrap();
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}});
    setup.pin.set_result(&Profile::plain("2025-06-18"), "initialize", &raw(hello.clone()));
    setup.pin.set_result(&Profile::least(), "tools/list", &raw(json!({"tools": [{"name": "x"}]})));
    setup.pin.set_uniform(true);
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {"roots": {"listChanged": true}, "elicitation": {}},
        "clientInfo": {"name": "c", "version": "1"}}});
    let initialize = initialize.to_string();
    let session = setup.front.session(CallerId::for_test("a"), initialize.as_bytes()).await.unwrap();
    let (sender, mut receiver) = session.split();
    for (request, wanted) in [
        (initialize.as_str(), hello),
        (r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#, json!({"tools": [{"name": "x"}]})),
    ] {
        sender.pass(request.as_bytes()).await.unwrap();
        let answer = in_time(receiver.next()).await.unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap()["result"], wanted);
    }
    assert!(timeout(Duration::from_millis(50), setup.processes.recv()).await.is_err());
}

#[tokio::test]
async fn what_a_server_without_sessions_says_to_one_is_said_to_no_other() {
    let mut setup = setup(MODERN);
    let [a, b] = ["a", "b"].map(CallerId::for_test);
    let tools = |scope: &str| json!({"resultType": "complete", "tools": [], "ttlMs": 9, "cacheScope": scope});
    assert!(setup.answered(&a, "tools/list", &tools("private")).await.1);
    assert!(!setup.answered(&a, "tools/list", &tools("private")).await.1, "it may be told again to the same");
    // The process that is shared has gone with the test's end of it.
    assert!(setup.answered(&b, "tools/list", &tools("public")).await.1);
    let (told, asked) = setup.answered(&a, "tools/list", &tools("private")).await;
    assert!(!asked, "by now it is for everybody");
    assert_eq!(
        told["result"],
        json!({"resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "public"})
    );
}

#[tokio::test]
async fn a_server_of_unknown_eras_is_asked_before_it_is_spoken_to() {
    let mut setup = setup(None);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}});
    let (front, caller) = (Arc::clone(&setup.front), CallerId::for_test("a"));
    let opened = tokio::spawn(async move { front.session(caller, hello.to_string().as_bytes()).await });
    let mut asked = Vec::new();
    for _ in 0..2 {
        let mut process = setup.process().await;
        asked.push(process.hears().await["method"].clone());
    }
    asked.sort_by_key(Value::to_string);
    assert_eq!(asked, ["initialize", "server/discover"]);
    assert!(in_time(opened).await.unwrap().is_err(), "it has answered neither");
    assert!(timeout(Duration::from_millis(50), setup.process()).await.is_err());
}

#[tokio::test]
async fn a_client_that_has_said_nothing_starts_nothing() {
    let mut setup = setup(MODERN);
    let session = setup.front.session(CallerId::for_test("a"), b"").await.unwrap();
    let (sender, mut receiver) = session.split();
    assert!(timeout(Duration::from_millis(50), setup.processes.recv()).await.is_err());
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}});
    sender.pass(hello.to_string().as_bytes()).await.unwrap();
    let mut process = setup.process().await;
    let asked = process.hears().await;
    assert_eq!(asked["method"], "server/discover", "it is spoken to as it knows");
    let what = json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {}, "ttlMs": 0,
        "cacheScope": "private", "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}},
    });
    process.says(json!({"jsonrpc": "2.0", "id": asked["id"], "result": what})).await;
    let answer: Value = serde_json::from_slice(&in_time(receiver.next()).await.unwrap().unwrap()).unwrap();
    assert_eq!((&answer["id"], &answer["result"]["serverInfo"]["name"]), (&json!(1), &json!("s")));
    drop(sender);
    assert!(in_time(receiver.next()).await.is_none());
}

#[tokio::test]
async fn the_schemas_of_tools_are_learnt_though_the_list_is_private() {
    let mut setup = setup(MODERN);
    let front = Arc::clone(&setup.front);
    let learning = tokio::spawn(async move { front.learn().await });
    let mut process = setup.process().await;
    // What it is, then its four lists, each as a client hears them that can do the least, and one that can do all.
    for _ in 0..1 + 4 * 2 {
        let asked = process.hears().await;
        let tools = json!([{"name": "x", "inputSchema": {"type": "object"}}]);
        let result = json!({"resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private"});
        process.says(json!({"jsonrpc": "2.0", "id": asked["id"], "result": result})).await;
    }
    in_time(learning).await.unwrap().unwrap();
    drop(process);
    assert_eq!(setup.front.input_schema("x").as_deref(), Some(r#"{"type":"object"}"#));
    let (_, asked) = setup.answered(&CallerId::for_test("a"), "tools/list", &json!({})).await;
    assert!(asked, "it is told to nobody");
    let told = json!({
        "resultType": "complete", "tools": [{"name": "x", "inputSchema": {"type": "array"}}],
        "ttlMs": 0, "cacheScope": "public",
    });
    setup.answered(&CallerId::for_test("b"), "tools/list", &told).await;
    assert_eq!(
        setup.front.input_schema("x").as_deref(),
        Some(r#"{"type":"array"}"#),
        "what is pinned counts"
    );
}
