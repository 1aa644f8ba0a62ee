//! Groups before servers that do what each test says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{Groups, Members};
use crate::{
    gate::{Gate, GateParts, LocalCaller, Permit, Principal, Scope, tokens::Tokens},
    model::{self, Endpoint, Envelope, EnvelopeKind, Group, ServerName, ServerState},
    registry::State,
    sandbox::{Exchange, SandboxError, SessionError},
};

type Sink = mpsc::Sender<Result<Bytes, SessionError>>;

/// A server that answers from a table of results.
struct Fake {
    results: BTreeMap<&'static str, Value>,
    state: watch::Sender<ServerState>,
    /// What it was asked.
    asked: Mutex<Vec<Value>>,
    /// Where what it tells of is put.
    listener: Mutex<Option<Sink>>,
}

#[derive(Default)]
struct Fakes(BTreeMap<ServerName, Fake>);

impl Members for Fakes {
    fn ask(&self, mut permit: Permit, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            let (expected, inspector) = (permit.take_expected(), permit.take_inspector());
            let server = permit.server().unwrap();
            let fake = self.0.get(server).ok_or_else(|| SandboxError::NoSuchServer(server.clone()))?;
            let request: Value = serde_json::from_slice(&request).unwrap();
            fake.asked.lock().unwrap().push(request.clone());
            let method = request["method"].as_str().unwrap();
            if method == "subscriptions/listen" {
                return Ok(fake.listen(&request));
            }
            if fake.results.get(method) == Some(&json!("broken")) {
                return Err(SandboxError::Stopped(server.clone()));
            }
            let error = json!({"code": -32601, "message": "unknown"});
            let answered = Exchange::answered(match fake.results.get(method) {
                Some(result) => json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string(),
                None => json!({"jsonrpc": "2.0", "id": request["id"], "error": error}).to_string(),
            });
            Ok(answered.watched(expected, inspector))
        })
    }

    fn state(&self, server: &ServerName) -> Option<watch::Receiver<ServerState>> {
        Some(self.0.get(server)?.state.subscribe())
    }

    fn warm(&self, _: &ServerName) {}

    fn input_schema(&self, server: &ServerName, tool: &str) -> Option<Arc<str>> {
        Some(format!("{server} {tool}").into())
    }
}

impl Fake {
    fn new(results: &[(&'static str, Value)]) -> Self {
        let (state, _) = watch::channel(ServerState::Stopped);
        let results = results.iter().cloned().collect();
        Self { results, state, asked: Mutex::default(), listener: Mutex::default() }
    }

    fn listen(&self, request: &Value) -> Exchange {
        let (sink, messages) = mpsc::channel(8);
        let params = json!({
            "_meta": {"io.modelcontextprotocol/subscriptionId": request["id"]},
            "notifications": request["params"]["notifications"],
        });
        let acknowledged =
            json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
        sink.try_send(Ok(acknowledged.to_string().into())).unwrap();
        *self.listener.lock().unwrap() = Some(sink);
        Exchange::new(messages, tokio_util::sync::CancellationToken::new().drop_guard())
    }

    /// What it was asked with this method.
    fn asked(&self, method: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|request| request["method"] == method).cloned().collect()
    }
}

struct Setup {
    fakes: Arc<Fakes>,
    gate: Gate,
    groups: Groups,
    known: watch::Sender<Arc<model::Groups>>,
    principal: Principal,
}

fn group(servers: &[&str], search: bool) -> Group {
    Group::new(servers.iter().map(|server| server.parse().unwrap()).collect(), search).unwrap()
}

fn work() -> Endpoint {
    "group/work".parse().unwrap()
}

impl Setup {
    fn new(work: Group, servers: Vec<(&str, Fake)>) -> Self {
        let servers = servers.into_iter().map(|(name, fake)| (name.parse().unwrap(), fake)).collect();
        let fakes = Arc::new(Fakes(servers));
        let (known, groups) =
            watch::channel(Arc::new(model::Groups::from([("work".parse().unwrap(), work)])));
        let tokens = Tokens::open(State::in_memory().unwrap(), SystemTime::now()).unwrap();
        let gate = Gate::new(GateParts {
            groups: groups.clone(),
            ..GateParts::for_test(tokens, Arc::new(SystemTime::now))
        });
        let groups = Groups::of(gate.clone(), fakes.clone(), groups);
        let principal = gate.local(LocalCaller::Control);
        Self { fakes, gate, groups, known, principal }
    }

    /// The same for a client with a token for these alone.
    fn only(mut self, scope: &[&str]) -> Self {
        let scope = Scope::only(scope.iter().map(|endpoint| endpoint.parse().unwrap()));
        let (_, text) = self.gate.tokens().issue("test", scope, None, SystemTime::now()).unwrap();
        self.principal = self.gate.authenticate(text.expose()).unwrap();
        self
    }

    fn fake(&self, server: &str) -> &Fake {
        &self.fakes.0[server]
    }

    async fn begin(&self, method: &str, mut params: Value) -> Exchange {
        params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": {"roots": {}}});
        let request = json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params}).to_string();
        let (envelope, kind) = Envelope::read(request.as_bytes()).unwrap();
        let permit = self
            .gate
            .admit(&self.principal, &work(), request.as_bytes(), (&envelope, kind))
            .settle()
            .await
            .unwrap();
        self.groups.ask(&permit, &self.principal, request.clone().into()).await.unwrap()
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let mut exchange = self.begin(method, params).await;
        let answer = next(&mut exchange).await;
        assert_eq!(answer["id"], "q", "{answer}");
        answer
    }
}

async fn next(exchange: &mut Exchange) -> Value {
    let message = timeout(Duration::from_secs(10), exchange.next()).await.expect("a word in time");
    serde_json::from_slice(&message.expect("a message").unwrap()).unwrap()
}

fn tools(names: &[&str]) -> (&'static str, Value) {
    let tools: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}})).collect();
    ("tools/list", json!({"tools": tools, "resultType": "complete"}))
}

fn names(list: &Value) -> Vec<&str> {
    list["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

fn two() -> Setup {
    let called = ("tools/call", json!({"content": []}));
    Setup::new(
        group(&["a", "b", "gone"], false),
        vec![
            ("a", Fake::new(&[tools(&["one"]), called.clone()])),
            ("b", Fake::new(&[tools(&["one", "two"]), called])),
        ],
    )
}

#[tokio::test]
async fn tools_of_several_servers_are_one_list() {
    let setup = two();
    let list = setup.ask("tools/list", json!({})).await;
    assert_eq!(names(&list), ["a__one", "b__one", "b__two"]);
    let prompts = setup.ask("prompts/list", json!({})).await;
    assert_eq!(prompts["result"]["prompts"], json!([]), "no server has any: {prompts}");
    let paged = setup.ask("tools/list", json!({"cursor": "2"})).await;
    assert_eq!(paged["error"]["code"], -32602);
    let meta = &setup.fake("a").asked("tools/list")[0]["params"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({"roots": {}}));
}

#[tokio::test]
async fn pages_are_put_together() {
    let endless = json!({"tools": [{"name": "x"}], "nextCursor": "same"});
    let setup = Setup::new(
        group(&["a", "b"], false),
        vec![("a", Fake::new(&[("tools/list", endless)])), ("b", Fake::new(&[tools(&["y"])]))],
    );
    let list = setup.ask("tools/list", json!({})).await;
    assert_eq!(names(&list), ["b__y"], "a list without an end is none: {list}");
    assert!(list["result"]["_meta"]["dev.caisson/unavailable"]["a"].is_string(), "{list}");
}

#[tokio::test]
async fn a_server_that_cannot_be_had_is_done_without() {
    let setup = Setup::new(
        group(&["a", "b"], false),
        vec![("a", Fake::new(&[("tools/list", json!("broken"))])), ("b", Fake::new(&[tools(&["y"])]))],
    );
    let list = setup.ask("tools/list", json!({})).await;
    assert_eq!(names(&list), ["b__y"]);
    assert_eq!(list["result"]["_meta"]["dev.caisson/unavailable"]["a"], "a was stopped");
}

#[tokio::test]
async fn a_call_reaches_its_server_under_its_own_name() {
    let setup = two();
    let big =
        json!({"name": "b__two", "arguments": {"n": 12345678901234567890123.0, "name": "a__one"}, "x": 1});
    setup.ask("tools/call", big).await;
    let asked = &setup.fake("b").asked("tools/call")[0]["params"];
    assert_eq!((&asked["name"], &asked["x"]), (&json!("two"), &json!(1)));
    assert_eq!(asked["arguments"]["name"], "a__one");
    assert!(setup.fake("a").asked("tools/call").is_empty());
    for unknown in ["two", "c__two", "a_one", "gone__x", ""] {
        let answer = setup.ask("tools/call", json!({"name": unknown})).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(setup.ask("tools/call", json!({})).await["error"]["code"], -32602);
    assert_eq!(setup.ask("strange/method", json!({})).await["error"]["code"], -32601);
    let schema = setup.groups.input_schema(&"work".parse().unwrap(), "b__two");
    assert_eq!(schema.as_deref(), Some("b two"));
}

#[tokio::test]
async fn a_client_sees_what_its_token_is_for() {
    let setup = two().only(&["b"]);
    assert_eq!(names(&setup.ask("tools/list", json!({})).await), ["b__one", "b__two"]);
    let denied = setup.ask("tools/call", json!({"name": "a__one"})).await;
    assert_eq!(denied["error"]["code"], -32602, "{denied}");
    assert!(setup.fake("a").asked("tools/list").is_empty());

    let setup = two().only(&["group/work"]);
    assert_eq!(names(&setup.ask("tools/list", json!({})).await).len(), 3);

    let elsewhere = two().only(&["group/home"]);
    assert!(elsewhere.gate.may_use(&elsewhere.principal, &work()).is_err());
}

#[tokio::test]
async fn a_token_for_one_tool_holds_within_a_group() {
    let mut setup = two();
    let only = crate::gate::ToolScope::Only(["one".to_owned()].into());
    let scope = Scope::Only([("b".parse().unwrap(), only)].into());
    let (_, text) = setup.gate.tokens().issue("test", scope, None, SystemTime::now()).unwrap();
    setup.principal = setup.gate.authenticate(text.expose()).unwrap();
    assert_eq!(names(&setup.ask("tools/list", json!({})).await), ["b__one"]);
    assert!(setup.ask("tools/call", json!({"name": "b__one"})).await["result"].is_object());
    let denied = setup.ask("tools/call", json!({"name": "b__two"})).await;
    assert_eq!(denied["error"]["code"], crate::gate::Denial::CODE, "{denied}");
    assert_eq!(setup.fake("b").asked("tools/call").len(), 1);
}

#[tokio::test]
async fn a_resource_is_read_from_its_owner() {
    let resources = |uris: &[&str]| {
        let resources: Vec<Value> = uris.iter().map(|uri| json!({"uri": uri, "name": "r"})).collect();
        ("resources/list", json!({"resources": resources}))
    };
    let read = ("resources/read", json!({"contents": []}));
    let setup = Setup::new(
        group(&["a", "b"], false),
        vec![
            ("a", Fake::new(&[resources(&["x://1", "both://1"]), read.clone()])),
            ("b", Fake::new(&[resources(&["y://1", "both://1"]), read])),
        ],
    );
    let list = setup.ask("resources/list", json!({})).await;
    assert_eq!(list["result"]["resources"].as_array().unwrap().len(), 2);
    assert!(setup.ask("resources/read", json!({"uri": "y://1"})).await["result"].is_object());
    assert_eq!(setup.fake("b").asked("resources/read")[0]["params"]["uri"], "y://1");
    for uri in ["both://1", "z://1"] {
        assert_eq!(setup.ask("resources/read", json!({"uri": uri})).await["error"]["code"], -32602);
    }
    assert!(setup.fake("a").asked("resources/read").is_empty());
}

#[tokio::test]
async fn two_tools_stand_for_all() {
    let described = |name: &str, description: &str| json!({"name": name, "description": description, "inputSchema": {"type": "object"}});
    let listed = json!({"tools": [described("fetch", "Fetches a page"), described("sum", "Adds numbers")]});
    let setup = Setup::new(
        group(&["a"], true),
        vec![("a", Fake::new(&[("tools/list", listed), ("tools/call", json!({"content": [7]}))]))],
    );
    assert_eq!(names(&setup.ask("tools/list", json!({})).await), ["find_tools", "call_tool"]);
    let found = setup
        .ask("tools/call", json!({"name": "find_tools", "arguments": {"query": "add two numbers"}}))
        .await;
    assert_eq!(found["result"]["structuredContent"]["tools"][0]["name"], "a__sum", "{found}");
    assert_eq!(found["result"]["structuredContent"]["tools"].as_array().unwrap().len(), 1);
    let call = json!({"name": "call_tool", "arguments": {"name": "a__sum", "arguments": {"x": 1}}, "inputResponses": {}});
    assert_eq!(setup.ask("tools/call", call).await["result"]["content"], json!([7]));
    let asked = &setup.fake("a").asked("tools/call")[0]["params"];
    assert_eq!((&asked["name"], &asked["arguments"]), (&json!("sum"), &json!({"x": 1})));
    assert_eq!(asked["inputResponses"], json!({}));
    for bad in [json!({}), json!({"name": "a__sum", "arguments": {}}), json!({"query": 7})] {
        for name in ["find_tools", "call_tool"] {
            let bad = setup.ask("tools/call", json!({"name": name, "arguments": bad})).await;
            assert!(bad["error"]["code"] == -32602 || bad["result"]["content"] == json!([7]), "{bad}");
        }
    }
}

#[tokio::test]
async fn what_servers_tell_is_heard_once_they_run() {
    let setup = two();
    let wanted = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": false}});
    let mut exchange = setup.begin("subscriptions/listen", wanted).await;
    let acknowledged = next(&mut exchange).await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["notifications"], json!({"toolsListChanged": true}));
    let id = &acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert_eq!(id, "q");
    assert!(setup.fake("a").asked("subscriptions/listen").is_empty(), "no server is started to listen to");

    let tell = async |server: &str| {
        let fake = setup.fake(server);
        let sink = loop {
            if let Some(sink) = fake.listener.lock().unwrap().take() {
                break sink;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let told =
            json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"of": server}});
        sink.send(Ok(told.to_string().into())).await.unwrap();
        sink
    };
    setup.fake("b").state.send_replace(ServerState::Running { sessions: 0 });
    let sink = tell("b").await;
    assert_eq!(next(&mut exchange).await["params"]["of"], "b");

    // It stops and starts again.
    drop(sink);
    setup.fake("b").state.send_replace(ServerState::Stopped);
    tokio::time::sleep(Duration::from_millis(20)).await;
    setup.fake("b").state.send_replace(ServerState::Running { sessions: 0 });
    let _sink = tell("b").await;
    assert_eq!(next(&mut exchange).await["params"]["of"], "b");

    // The group loses a server: the client is told that its tools are others.
    setup.known.send_replace(Arc::new([("work".parse().unwrap(), group(&["a"], false))].into()));
    assert_eq!(next(&mut exchange).await["method"], "notifications/tools/list_changed");
    setup.fake("a").state.send_replace(ServerState::Running { sessions: 0 });
    let _sink = tell("a").await;
    assert_eq!(next(&mut exchange).await["params"]["of"], "a");

    setup.known.send_replace(Arc::default());
    assert_eq!(next(&mut exchange).await["result"]["resultType"], "complete");
}

#[tokio::test]
async fn a_client_with_sessions_uses_a_group() {
    let about = ("server/discover", json!({"capabilities": {"tools": {}}, "instructions": "Be kind."}));
    let setup = Setup::new(
        group(&["a"], false),
        vec![("a", Fake::new(&[about, tools(&["one"]), ("tools/call", json!({"content": [7]}))]))],
    );
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let permit = setup.gate.open(&setup.principal, &work()).unwrap();
    let session = setup.groups.open(&permit, &setup.principal, hello.to_string().as_bytes()).unwrap();
    let (sender, mut receiver) = session.split();
    let mut ask = async |message: Value| {
        let message = message.to_string();
        let (envelope, kind) = Envelope::read(message.as_bytes()).unwrap();
        let permit = setup
            .gate
            .admit(&setup.principal, &work(), message.as_bytes(), (&envelope, kind))
            .settle()
            .await
            .unwrap();
        sender.send(permit, message.as_bytes()).await.unwrap();
        if kind != EnvelopeKind::Request {
            return Value::Null;
        }
        let answer = timeout(Duration::from_secs(10), receiver.next()).await.unwrap().unwrap().unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()
    };
    let initialized = ask(hello).await;
    assert_eq!(initialized["result"]["serverInfo"]["name"], "work", "{initialized}");
    assert_eq!(initialized["result"]["instructions"], "## a\n\nBe kind.");
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    let list = ask(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})).await;
    assert_eq!(names(&list), ["a__one"]);
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "a__one"}});
    assert_eq!(ask(call).await["result"]["content"], json!([7]));
}

#[tokio::test]
async fn a_permit_for_something_else_opens_nothing() {
    let setup = two();
    let server = setup.gate.open(&setup.principal, &"a".parse().unwrap()).unwrap();
    let session = setup.gate.open(&setup.principal, &work()).unwrap();
    assert!(matches!(setup.groups.open(&server, &setup.principal, b""), Err(SandboxError::WrongPermit)));
    let asked = setup.groups.ask(&session, &setup.principal, Bytes::from_static(b"{}")).await;
    assert!(matches!(asked, Err(SandboxError::WrongPermit)));
}
