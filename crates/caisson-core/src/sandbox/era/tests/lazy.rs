use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use super::{
    super::{
        super::{SessionError, SessionReceiver, SessionSender, exchange::Opens},
        lazy::Lazy,
    },
    script::{Process, Script},
};
use crate::{
    gate::CallerId,
    model::Server,
    pins::{Pin, Pins, Profile},
    registry::State,
};

struct Setup {
    sender: SessionSender,
    receiver: SessionReceiver,
    processes: mpsc::UnboundedReceiver<Process>,
    pin: Pin,
}

/// A client that can do more than the least.
const ABLE: &str = r#"{"jsonrpc":"2.0","id":"h","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}}}}"#;
const HELLO: &str = r#"{"jsonrpc":"2.0","id":"h","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;

/// A session, and what is pinned of its server.
fn setup(pinned: &[(&str, Value)], prewarm: bool) -> Setup {
    setup_for(HELLO, pinned, prewarm)
}

/// A session of the client that says `hello`, with what is pinned for one that can do no more than the least.
fn setup_for(hello: &str, pinned: &[(&str, Value)], prewarm: bool) -> Setup {
    setup_with(hello, pinned, prewarm, true)
}

fn setup_with(hello: &str, pinned: &[(&str, Value)], prewarm: bool, shares: bool) -> Setup {
    let (script, processes) = Script::new();
    let server: Server = serde_json::from_value(json!({
        "source": "example", "image": format!("sha256:{}", "0".repeat(64)), "command": ["/server"],
    }))
    .unwrap();
    let pin = Pins::new(State::in_memory().unwrap()).of(&"fake".parse().unwrap(), &server);
    for (method, result) in pinned {
        pin.set_result(&Profile::least(), method, &serde_json::value::to_raw_value(result).unwrap());
    }
    pin.set_uniform(hello == ABLE);
    let (opener, profile) = (script as Arc<dyn Opens>, Profile::of(hello.as_bytes()).unwrap());
    let patience = Duration::from_secs(5);
    let caller = CallerId::for_test("client");
    let lazy = Lazy { opener, caller, pin: pin.clone(), profile, shares, prewarm, patience };
    let (sender, receiver) = lazy.session().split();
    Setup { sender, receiver, processes, pin }
}

fn pinned() -> [(&'static str, Value); 2] {
    [("initialize", initialized()), ("tools/list", json!({"tools": [{"name": "a"}]}))]
}

fn initialized() -> Value {
    json!({
        "protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}}, "serverInfo": {"name": "s"}
    })
}

impl Setup {
    async fn says(&self, message: Value) {
        self.sender.pass(message.to_string().as_bytes()).await.unwrap();
    }

    async fn hears(&mut self) -> Value {
        let heard = timeout(Duration::from_secs(5), self.receiver.next()).await.expect("something comes");
        serde_json::from_slice(&heard.expect("a message").expect("no error")).unwrap()
    }

    async fn process(&mut self) -> Process {
        timeout(Duration::from_secs(5), self.processes.recv()).await.expect("it is opened").unwrap()
    }

    /// A process that was opened, and has heard the beginning.
    async fn begun(&mut self) -> Process {
        let mut process = self.process().await;
        process.hears().await;
        process.says(json!({"jsonrpc": "2.0", "id": "h", "result": initialized()})).await;
        assert_eq!(process.hears().await["method"], "notifications/initialized");
        process
    }

    fn pinned(&self, method: &str) -> Option<String> {
        self.pin.result(&Profile::least(), method).map(|result| result.get().to_owned())
    }

    fn is_opened(&mut self) -> bool {
        self.processes.try_recv().is_ok()
    }

    async fn begins(&mut self) {
        self.begins_with(HELLO).await;
    }

    async fn begins_with(&mut self, hello: &str) {
        self.says(serde_json::from_str(hello).unwrap()).await;
        assert_eq!(self.hears().await, json!({"jsonrpc": "2.0", "id": "h", "result": initialized()}));
        self.says(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }
}

fn request(id: u32, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method})
}

#[tokio::test]
async fn what_is_pinned_is_answered_without_a_process() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(request(1, "tools/list")).await;
    assert_eq!(setup.hears().await["result"]["tools"][0]["name"], "a");
    setup.says(request(2, "ping")).await;
    assert_eq!(setup.hears().await, json!({"jsonrpc": "2.0", "id": 2, "result": {}}));
    setup
        .says(json!({"jsonrpc": "2.0", "id": 3, "method": "logging/setLevel", "params": {"level": "info"}}))
        .await;
    assert_eq!(setup.hears().await["result"], json!({}));
    assert!(!setup.is_opened());
}

#[tokio::test]
async fn the_first_real_request_opens_a_process_that_hears_the_beginning() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(request(1, "tools/list")).await;
    setup.hears().await;
    setup
        .says(json!({"jsonrpc": "2.0", "id": 3, "method": "logging/setLevel", "params": {"level": "info"}}))
        .await;
    setup.hears().await;
    setup.says(request(4, "tools/call")).await;
    let mut process = setup.process().await;
    assert_eq!(process.hears().await, serde_json::from_str::<Value>(HELLO).unwrap());
    process.says(json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})).await;
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": initialized()})).await;
    assert_eq!(process.hears().await["method"], "notifications/initialized");
    let level = process.hears().await;
    assert_eq!((&level["method"], &level["params"]), (&json!("logging/setLevel"), &json!({"level": "info"})));
    let checked = process.hears().await;
    assert_eq!(checked["method"], "tools/list");
    assert_eq!(process.hears().await, request(4, "tools/call"));
    process.says(json!({"jsonrpc": "2.0", "id": level["id"], "result": {}})).await;
    process.says(json!({"jsonrpc": "2.0", "id": 4, "result": {"x": 1}})).await;
    process.says(json!({"jsonrpc": "2.0", "id": checked["id"], "result": {"tools": [{"name": "b"}]}})).await;
    assert_eq!(setup.hears().await["method"], "notifications/message");
    assert_eq!(setup.hears().await["result"], json!({"x": 1}));
    // The tools are others than the client was told, and it hears so.
    assert_eq!(setup.hears().await["method"], "notifications/tools/list_changed");
    setup.says(request(5, "tools/list")).await;
    assert_eq!(process.hears().await["id"], 5);
    process.says(json!({"jsonrpc": "2.0", "id": 5, "result": {"tools": [{"name": "c"}]}})).await;
    assert_eq!(setup.hears().await["id"], 5);
    // What a process says that was used may be of this client alone.
    assert!(setup.pinned("tools/list").is_none());
    drop(process);
    assert!(setup.receiver.next().await.is_none());
}

#[tokio::test]
async fn what_is_not_pinned_is_asked_and_pinned() {
    let mut setup = setup(&[], false);
    setup.says(serde_json::from_str(HELLO).unwrap()).await;
    let mut process = setup.process().await;
    assert_eq!(process.hears().await["id"], "h");
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": initialized()})).await;
    assert_eq!(setup.hears().await["result"], initialized());
    setup.says(request(1, "prompts/list")).await;
    process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": 1, "result": {"prompts": [], "nextCursor": "2"}})).await;
    setup.hears().await;
    assert!(setup.pinned("initialize").is_some());
    assert!(setup.pinned("prompts/list").is_none(), "a page is not the list");
}

#[tokio::test]
async fn only_what_a_process_says_before_it_is_used_is_pinned() {
    let lists =
        |id: u32| json!({"jsonrpc": "2.0", "id": id, "result": {"resources": [{"uri": id.to_string()}]}});
    let mut setup = setup(&[], false);
    setup.says(serde_json::from_str(HELLO).unwrap()).await;
    let mut process = setup.process().await;
    process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": initialized()})).await;
    setup.hears().await;
    setup.says(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    setup.says(request(1, "resources/list")).await;
    process.hears().await;
    process.hears().await;
    process.says(lists(1)).await;
    setup.hears().await;
    let first = setup.pinned("resources/list").unwrap();
    assert!(first.contains("\"1\""), "{first}");
    setup
        .says(json!({"jsonrpc": "2.0", "id": 2, "method": "resources/list", "params": {"of": "mine"}}))
        .await;
    process.hears().await;
    process.says(lists(2)).await;
    setup.hears().await;
    // An answer tells the server of its client, too.
    process.says(json!({"jsonrpc": "2.0", "id": "r", "method": "roots/list"})).await;
    setup.hears().await;
    setup.says(json!({"jsonrpc": "2.0", "id": "r", "result": {"roots": [{"uri": "file:///mine"}]}})).await;
    setup.says(request(3, "resources/list")).await;
    process.hears().await;
    process.hears().await;
    process.says(lists(3)).await;
    setup.hears().await;
    assert_eq!(setup.pinned("resources/list").unwrap(), first);
}

#[tokio::test]
async fn a_later_page_is_the_servers_to_answer() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "2"}})).await;
    setup.process().await;
}

#[tokio::test]
async fn a_server_is_warmed_while_the_client_reads() {
    let mut setup = setup(&pinned(), true);
    setup.begins().await;
    let mut process = setup.process().await;
    setup.says(request(1, "tools/list")).await;
    assert_eq!(setup.hears().await["id"], 1);
    setup.says(request(2, "tools/call")).await;
    assert_eq!(process.hears().await["id"], "h");
    assert!(!setup.is_opened(), "the process that was warmed is the one that is used");
}

#[tokio::test]
async fn a_server_that_has_changed_its_version_ends_the_session_with_the_reason() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(request(1, "tools/call")).await;
    let mut process = setup.process().await;
    process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": {"protocolVersion": "2024-11-05"}})).await;
    let refusal = setup.hears().await;
    assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!(1), &json!(-32000)));
    assert!(refusal["error"]["message"].as_str().unwrap().contains("connect again"), "{refusal}");
}

#[tokio::test]
async fn without_a_process_that_initialize_needs_nothing_begins() {
    let mut setup = setup(&[], false);
    drop(setup.processes);
    setup.sender.pass(HELLO.as_bytes()).await.unwrap();
    let heard = timeout(Duration::from_secs(5), setup.receiver.next()).await.expect("something comes");
    let error = heard.expect("a reason").expect_err("the end");
    assert!(matches!(&error, SessionError::NotStarted(why) if why.contains("fake was stopped")), "{error}");
    assert!(setup.receiver.next().await.is_none());
}

#[tokio::test]
async fn a_process_that_cannot_be_had_fails_the_request_alone() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(request(1, "tools/call")).await;
    drop(setup.process().await);
    assert_eq!(setup.hears().await["error"]["code"], -32000);
    setup.says(request(2, "tools/list")).await;
    assert_eq!(setup.hears().await["id"], 2);
    setup.says(request(3, "tools/call")).await;
    let mut process = setup.process().await;
    process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": initialized()})).await;
    process.hears().await;
    assert_eq!(process.hears().await["method"], "tools/list");
    assert_eq!(process.hears().await["id"], 3);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_process() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(request(1, "tools/call")).await;
    let process = setup.process().await;
    drop((setup.sender, setup.receiver));
    timeout(Duration::from_secs(5), process.to_client.closed()).await.expect("it is let go");
}

#[tokio::test]
async fn a_list_given_twice_is_checked_once() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    for id in 1..3 {
        setup.says(request(id, "tools/list")).await;
        setup.hears().await;
    }
    setup.says(request(3, "prompts/list")).await;
    let mut process = setup.begun().await;
    assert_eq!(process.hears().await["method"], "tools/list");
    assert_eq!(process.hears().await["id"], 3);
}

#[tokio::test]
async fn a_list_is_checked_against_what_the_client_was_told() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(request(1, "tools/list")).await;
    setup.hears().await;
    // Another client's process has said otherwise meanwhile.
    let newer = json!({"tools": [{"name": "b"}]});
    let raw = serde_json::value::to_raw_value(&newer).unwrap();
    setup.pin.set_result(&Profile::least(), "tools/list", &raw);
    setup.says(request(2, "tools/call")).await;
    let mut process = setup.begun().await;
    let checked = process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": checked["id"], "result": newer})).await;
    assert_eq!(setup.hears().await["method"], "notifications/tools/list_changed");
    assert_eq!(setup.pinned("tools/list").unwrap(), newer.to_string(), "which is still known");
}

#[tokio::test]
async fn a_level_the_server_may_not_take_is_its_to_refuse() {
    let silent = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let level = |level: &str| json!({"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": {"level": level}});
    for (pinned, level) in [(silent, level("info")), (initialized(), level("loud"))] {
        let mut setup = setup(&[("initialize", pinned)], false);
        setup.says(serde_json::from_str(HELLO).unwrap()).await;
        setup.hears().await;
        setup.says(level).await;
        setup.process().await;
    }
}

#[tokio::test]
async fn what_the_client_said_by_itself_is_told_later() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})).await;
    setup.says(request(1, "tools/call")).await;
    let mut process = setup.begun().await;
    assert_eq!(process.hears().await["method"], "notifications/roots/list_changed");
    assert_eq!(process.hears().await["id"], 1);
}

#[tokio::test]
async fn a_client_is_heard_while_a_process_is_opened() {
    let mut setup = setup(&pinned(), false);
    setup.begins().await;
    setup.says(request(1, "tools/call")).await;
    let mut process = setup.process().await;
    process.hears().await;
    process.says(request(9, "ping")).await;
    assert_eq!(process.hears().await, json!({"jsonrpc": "2.0", "id": 9, "result": {}}));
    setup.says(request(2, "ping")).await;
    assert_eq!(setup.hears().await["id"], 2);
    setup.says(request(3, "tools/call")).await;
    setup
        .says(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .await;
    setup.says(request(4, "tools/list")).await;
    assert_eq!(setup.hears().await["id"], 4);
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": initialized()})).await;
    for wanted in ["notifications/initialized", "tools/list"] {
        assert_eq!(process.hears().await["method"], wanted);
    }
    assert_eq!(process.hears().await["id"], 3);
}

#[tokio::test]
async fn a_warmed_process_that_has_ended_is_replaced() {
    let mut setup = setup(&pinned(), true);
    setup.begins().await;
    drop(setup.process().await);
    setup.says(request(1, "tools/call")).await;
    let mut process = setup.begun().await;
    assert_eq!(process.hears().await["id"], 1);
}

#[tokio::test]
async fn where_all_clients_are_alike_one_is_told_what_others_were() {
    let mut setup = setup_for(ABLE, &pinned(), false);
    setup.begins_with(ABLE).await;
    setup.says(request(1, "tools/list")).await;
    assert_eq!(setup.hears().await["result"]["tools"][0]["name"], "a");
    assert!(!setup.is_opened());
    setup.says(request(2, "tools/call")).await;
    let mut process = setup.begun().await;
    let checked = process.hears().await;
    assert_eq!(process.hears().await["id"], 2);
    process.says(json!({"jsonrpc": "2.0", "id": checked["id"], "result": pinned()[1].1})).await;
    process.says(json!({"jsonrpc": "2.0", "id": 2, "result": {}})).await;
    assert_eq!(setup.hears().await["id"], 2, "what it was told is true");
    assert!(setup.pin.is_uniform());
}

#[tokio::test]
async fn a_client_that_is_told_otherwise_than_others_hears_so_and_is_not_taken_for_them_again() {
    // A process that has heard nothing of its client yet, and one that has.
    for asks in ["prompts/list", "tools/call"] {
        let mut setup = setup_for(ABLE, &pinned(), false);
        setup.begins_with(ABLE).await;
        setup.says(request(1, "tools/list")).await;
        setup.hears().await;
        setup.says(request(2, asks)).await;
        let mut process = setup.begun().await;
        let checked = process.hears().await;
        assert_eq!(process.hears().await["id"], 2);
        let other = json!({"tools": [{"name": "a"}, {"name": "asks"}]});
        process.says(json!({"jsonrpc": "2.0", "id": checked["id"], "result": other})).await;
        assert_eq!(setup.hears().await["method"], "notifications/tools/list_changed");
        assert!(!setup.pin.is_uniform(), "{asks}");
        assert!(setup.pinned("tools/list").is_some(), "of others it stays true");
    }
}

#[tokio::test]
async fn a_process_that_begins_otherwise_than_for_others_is_noted() {
    let mut setup = setup_for(ABLE, &pinned(), false);
    setup.begins_with(ABLE).await;
    setup.says(request(1, "tools/call")).await;
    let mut process = setup.process().await;
    process.hears().await;
    let mut other = initialized();
    other["capabilities"] = json!({"tools": {}, "tasks": {}});
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": other})).await;
    assert_eq!(process.hears().await["method"], "notifications/initialized");
    assert!(!setup.pin.is_uniform());
    let known = setup.pin.result(&Profile::of(ABLE.as_bytes()).unwrap(), "initialize").unwrap();
    assert_eq!(known.get(), other.to_string());
}

#[tokio::test]
async fn a_server_that_runs_is_asked_what_it_says_to_this_client() {
    let mut setup = setup_with(ABLE, &pinned(), false, false);
    setup.says(serde_json::from_str(ABLE).unwrap()).await;
    let mut process = setup.process().await;
    assert_eq!(process.hears().await["id"], "h");
    process.says(json!({"jsonrpc": "2.0", "id": "h", "result": initialized()})).await;
    setup.hears().await;
    setup.says(request(1, "tools/list")).await;
    process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": []}})).await;
    assert_eq!(setup.hears().await["result"]["tools"], json!([]));
    assert!(!setup.pin.is_uniform(), "and others were told otherwise");
}
