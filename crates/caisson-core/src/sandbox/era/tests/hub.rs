mod crossing;
mod refused;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    super::{
        super::{
            Exchange, SessionError,
            exchange::{Opens, Stateless},
            logs::Logs,
            mark::marked,
        },
        hub::Hub,
    },
    script::{Process, Script},
};
use crate::gate::CallerId;

const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

struct Setup {
    hub: Hub,
    logs: Logs,
    script: Arc<Script>,
    processes: tokio::sync::mpsc::UnboundedReceiver<Process>,
}

fn setup() -> Setup {
    let (script, processes) = Script::new();
    let logs = Logs::new(std::time::SystemTime::now);
    let hub = Hub::new("fake".parse().unwrap(), Arc::clone(&script) as Arc<dyn Opens>, logs.clone());
    Setup { hub, logs, script, processes }
}

fn caller(name: &str) -> CallerId {
    CallerId::for_test(name)
}

async fn ask(hub: &Hub, name: &str, request: Value) -> Exchange {
    hub.ask(caller(name), request.to_string().into()).await.unwrap()
}

fn call(id: impl Into<Value>, token: impl Into<Value>) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params":
        {"name": "x", "_meta": {"progressToken": token.into(), LOG_LEVEL: "info"}, "new": [1.5]}})
}

async fn next(exchange: &mut Exchange) -> Option<Result<Value, SessionError>> {
    let next = timeout(Duration::from_secs(5), exchange.next()).await.expect("something comes");
    next.map(|message| message.map(|message| serde_json::from_slice(&message).unwrap()))
}

async fn heard(exchange: &mut Exchange) -> Value {
    next(exchange).await.expect("a message").expect("no error")
}

#[tokio::test]
async fn clients_that_use_the_same_names_see_only_their_own() {
    let Setup { hub, mut processes, script, .. } = setup();
    let (mut a, mut b) = (ask(&hub, "a", call(1, "t")).await, ask(&hub, "b", call(1, "t")).await);
    let mut process = processes.recv().await.unwrap();
    let (first, second) = (process.hears().await, process.hears().await);
    assert_eq!(script.count.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["params"]["_meta"]["progressToken"], first["id"]);
    assert_eq!(first["params"]["new"], json!([1.5]));
    let progress = |of: &Value| {
        json!({"jsonrpc": "2.0", "method": "notifications/progress",
        "params": {"progressToken": of["id"], "progress": 1, "message": "for one alone"}})
    };
    process.says(progress(&second)).await;
    process.says(json!({"jsonrpc": "2.0", "id": second["id"], "result": {"of": "b"}})).await;
    process.says(progress(&first)).await;
    process.says(json!({"jsonrpc": "2.0", "id": first["id"], "error": {"code": -1, "message": "a"}})).await;
    assert_eq!(heard(&mut a).await["params"]["progressToken"], "t");
    assert_eq!(
        heard(&mut a).await,
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "a"}})
    );
    assert!(next(&mut a).await.is_none());
    assert_eq!(heard(&mut b).await["params"]["message"], "for one alone");
    assert_eq!(heard(&mut b).await, json!({"jsonrpc": "2.0", "id": 1, "result": {"of": "b"}}));
}

#[tokio::test]
async fn subscriptions_go_by_the_clients_own_id() {
    let Setup { hub, mut processes, .. } = setup();
    let listen = |id: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen",
        "params": {"_meta": {}, "notifications": {"toolsListChanged": true}}})
    };
    let (mut a, mut b) = (ask(&hub, "a", listen("s")).await, ask(&hub, "b", listen("s")).await);
    let mut process = processes.recv().await.unwrap();
    let (first, second) = (process.hears().await, process.hears().await);
    let changed = |of: &Value| {
        json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed",
        "params": {"_meta": {SUBSCRIPTION: of["id"]}}})
    };
    process.says(changed(&first)).await;
    assert_eq!(heard(&mut a).await["params"]["_meta"][SUBSCRIPTION], "s");
    process
        .says(
            json!({"jsonrpc": "2.0", "id": second["id"], "result": {"_meta": {SUBSCRIPTION: second["id"]}}}),
        )
        .await;
    let ended = heard(&mut b).await;
    assert_eq!((&ended["id"], &ended["result"]["_meta"][SUBSCRIPTION]), (&json!("s"), &json!("s")));
}

#[tokio::test]
async fn a_subscription_the_server_cancels_is_over() {
    let Setup { hub, mut processes, .. } = setup();
    let listen =
        json!({"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen", "params": {"_meta": {}}});
    // Some writers escape what need not be.
    let escaped = |message: &Value| message.to_string().replace('/', "\\/");
    let mut listening = hub.ask(caller("a"), escaped(&listen).into()).await.unwrap();
    let mut calling = ask(&hub, "a", call(1, 1)).await;
    let mut process = processes.recv().await.unwrap();
    let (first, second) = (process.hears().await, process.hears().await);
    let cancel = |of: &Value| {
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": of["id"], "_meta": {SUBSCRIPTION: of["id"]}}})
    };
    process.to_client.send(Ok(escaped(&cancel(&first)).into())).await.unwrap();
    let last = heard(&mut listening).await;
    assert_eq!(last["params"], json!({"requestId": "s", "_meta": {SUBSCRIPTION: "s"}}));
    assert!(next(&mut listening).await.is_none());
    drop(listening);
    // No other request is the server's to cancel.
    process.says(cancel(&second)).await;
    assert_eq!(heard(&mut calling).await["params"]["requestId"], 1);
    process.says(json!({"jsonrpc": "2.0", "id": second["id"], "result": null})).await;
    assert_eq!(heard(&mut calling).await, json!({"jsonrpc": "2.0", "id": 1, "result": null}));
    drop(calling);
    let silent = timeout(Duration::from_millis(50), process.from_client.recv()).await;
    assert!(silent.is_err(), "what the server has ended is not cancelled");
}

#[tokio::test]
async fn who_goes_away_cancels_and_nobody_else_is() {
    let Setup { hub, mut processes, .. } = setup();
    let (a, mut b) = (ask(&hub, "a", call(1, 1)).await, ask(&hub, "b", call(1, 1)).await);
    let mut process = processes.recv().await.unwrap();
    let (first, second) = (process.hears().await, process.hears().await);
    drop(a);
    let cancelled = process.hears().await;
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], first["id"]);
    // The answer comes all the same, as it may.
    process.says(json!({"jsonrpc": "2.0", "id": first["id"], "result": {"of": "a"}})).await;
    process.says(json!({"jsonrpc": "2.0", "id": second["id"], "result": {"of": "b"}})).await;
    assert_eq!(heard(&mut b).await["result"]["of"], "b");
    drop(b);
    let silent = timeout(Duration::from_millis(50), process.from_client.recv()).await;
    assert!(silent.is_err(), "an answered request is not cancelled");
}

#[tokio::test]
async fn a_log_message_is_delivered_where_no_doubt_is_possible() {
    let Setup { hub, mut processes, logs, .. } = setup();
    let log =
        |text: &str| json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": text}});
    let mut a = ask(&hub, "a", call(1, 1)).await;
    let mut process = processes.recv().await.unwrap();
    let first = process.hears().await;
    process.says(log("of a")).await;
    assert_eq!(heard(&mut a).await["params"]["data"], "of a");
    let mut b = ask(&hub, "b", call(1, 1)).await;
    let second = process.hears().await;
    process.says(log("secret of one")).await;
    process.says(json!({"jsonrpc": "2.0", "id": first["id"], "result": {}})).await;
    assert_eq!(heard(&mut a).await["result"], json!({}));
    process.says(log("late and secret")).await;
    process.says(json!({"jsonrpc": "2.0", "id": second["id"], "result": {}})).await;
    assert_eq!(heard(&mut b).await["result"], json!({}));
    let kept: String = logs.tail().lines.iter().map(|line| line.text.clone()).collect();
    assert!(kept.contains("secret of one") && kept.contains("late and secret"), "{kept}");
}

#[tokio::test]
async fn what_a_server_asks_is_refused() {
    let Setup { hub, mut processes, .. } = setup();
    let _a = ask(&hub, "a", call(1, 1)).await;
    let mut process = processes.recv().await.unwrap();
    process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": "s", "method": "elicitation/create", "params": {}})).await;
    let refusal = process.hears().await;
    assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!("s"), &json!(-32601)));
}

#[tokio::test]
async fn the_end_of_the_process_ends_every_request_and_the_next_has_a_new_one() {
    let Setup { hub, mut processes, .. } = setup();
    let (mut a, mut b) = (ask(&hub, "a", call(1, 1)).await, ask(&hub, "b", call(1, 1)).await);
    let process = processes.recv().await.unwrap();
    drop(process);
    for exchange in [&mut a, &mut b] {
        assert!(matches!(next(exchange).await, Some(Err(SessionError::Ended(_)))));
        assert!(next(exchange).await.is_none());
    }
    let mut again = ask(&hub, "a", call(2, 1)).await;
    let mut process = processes.recv().await.unwrap();
    let request = process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": request["id"], "result": {}})).await;
    assert_eq!(heard(&mut again).await["id"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_given_up_and_nobody_waits_for_it_long() {
    let Setup { hub, mut processes, .. } = setup();
    let (mut slow, mut quick) = (ask(&hub, "a", call(1, 1)).await, ask(&hub, "b", call(1, 1)).await);
    let mut process = processes.recv().await.unwrap();
    let (first, second) = (process.hears().await, process.hears().await);
    for _ in 0..100 {
        process
            .says(json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": first["id"], "progress": 1}}))
            .await;
    }
    process.says(json!({"jsonrpc": "2.0", "id": second["id"], "result": {}})).await;
    let answer = timeout(Duration::from_secs(60), quick.next()).await.expect("the quick one is not held up");
    assert!(answer.unwrap().is_ok());
    assert_eq!(process.hears().await["params"]["requestId"], first["id"]);
    let mut last = None;
    while let Some(message) = slow.next().await {
        last = Some(message);
    }
    assert!(matches!(last, Some(Err(SessionError::Protocol(_)))), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_process_nobody_wants_ends() {
    let Setup { hub, mut processes, .. } = setup();
    let mut a = ask(&hub, "a", call(1, 1)).await;
    let mut process = processes.recv().await.unwrap();
    let request = process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": request["id"], "result": {}})).await;
    heard(&mut a).await;
    timeout(Duration::from_secs(120), process.to_client.closed()).await.expect("it is let go");
    let _again = ask(&hub, "a", call(2, 1)).await;
    assert!(processes.recv().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_process_is_read_while_it_does_not_read() {
    let Setup { hub, mut processes, .. } = setup();
    let mut a = ask(&hub, "a", call(1, 1)).await;
    let mut process = processes.recv().await.unwrap();
    let request = process.hears().await;
    let mut waiting = Vec::new();
    for number in 2..6 {
        waiting.push(ask(&hub, "a", call(number, number)).await);
    }
    // It reads nothing more before it has said all this.
    for number in 0..200 {
        process.says(json!({"jsonrpc": "2.0", "id": number, "method": "roots/list"})).await;
    }
    process.says(json!({"jsonrpc": "2.0", "id": request["id"], "result": {}})).await;
    assert_eq!(heard(&mut a).await["id"], 1);
    for _ in 2..6 {
        assert_eq!(process.hears().await["method"], "tools/call");
    }
    assert_eq!(process.hears().await["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_reads_is_given_up() {
    let Setup { hub, mut processes, .. } = setup();
    let mut first = ask(&hub, "a", call(1, 1)).await;
    let process = processes.recv().await.unwrap();
    for number in 2..6 {
        // The last of them waits to be sent.
        drop(timeout(Duration::from_secs(1), hub.ask(caller("b"), call(number, 1).to_string().into())).await);
    }
    timeout(Duration::from_secs(60), process.to_client.closed()).await.expect("it is let go");
    assert!(matches!(first.next().await, Some(Err(SessionError::Ended(_)))));
    let _again = ask(&hub, "a", call(6, 1)).await;
    assert!(processes.recv().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn one_caller_has_not_all_the_room_there_is() {
    let Setup { hub, mut processes, .. } = setup();
    let mut first = ask(&hub, "a", call(0, 0)).await;
    let mut process = processes.recv().await.unwrap();
    let request = process.hears().await;
    let mut open = Vec::new();
    for number in 1..64 {
        open.push(ask(&hub, "a", call(number, number)).await);
        process.hears().await;
    }
    let refused = heard(&mut ask(&hub, "a", call("x", 1)).await).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!("x"), &json!(-32603)));
    let _other = ask(&hub, "b", call(1, 1)).await;
    process.hears().await;
    process.says(json!({"jsonrpc": "2.0", "id": request["id"], "result": {}})).await;
    heard(&mut first).await;
    let _room = ask(&hub, "a", call(65, 1)).await;
    process.hears().await;
}

#[tokio::test]
async fn a_log_message_is_for_who_wants_it() {
    let Setup { hub, mut processes, .. } = setup();
    let log = |text: &str| json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": text}});
    let quiet = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}});
    let mut quiet = ask(&hub, "a", quiet).await;
    let mut process = processes.recv().await.unwrap();
    let first = process.hears().await;
    process.says(log("for nobody")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let _listener = ask(
        &hub,
        "a",
        json!({"jsonrpc": "2.0", "id": 2, "method": "subscriptions/listen",
        "params": {"_meta": {LOG_LEVEL: "info"}, "notifications": {}}}),
    )
    .await;
    process.hears().await;
    process.says(log("for nobody either")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut wants = ask(&hub, "a", call(3, 3)).await;
    process.hears().await;
    process.says(log("for one")).await;
    assert_eq!(heard(&mut wants).await["params"]["data"], "for one");
    process.says(json!({"jsonrpc": "2.0", "id": first["id"], "result": {}})).await;
    assert_eq!(heard(&mut quiet).await["result"], json!({}));
}

#[tokio::test]
async fn what_came_on_a_request_belongs_to_it() {
    let Setup { hub, mut processes, .. } = setup();
    let (mut a, mut b) = (ask(&hub, "a", call(1, 1)).await, ask(&hub, "b", call(1, 1)).await);
    let mut process = processes.recv().await.unwrap();
    let (first, second) = (process.hears().await, process.hears().await);
    let note = |of: &str, request: &Value| {
        let note =
            format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{ "data":"{of}"}}}}"#);
        (marked(note.as_bytes(), request["id"].as_i64().unwrap()), note)
    };
    for (exchange, of, request) in [(&mut b, "b", &second), (&mut a, "a", &first)] {
        let (marked, note) = note(of, request);
        process.to_client.send(Ok(marked.into())).await.unwrap();
        let heard = timeout(Duration::from_secs(5), exchange.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(heard, note.as_bytes(), "it is as the server wrote it");
    }
}
