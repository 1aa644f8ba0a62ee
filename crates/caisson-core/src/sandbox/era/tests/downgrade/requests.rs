use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{super::fake::Pair, initialized, open};
use crate::sandbox::SessionError;

async fn session() -> Pair {
    initialized(json!({}), json!({})).await
}

#[tokio::test(start_paused = true)]
async fn a_request_says_what_each_must_and_keeps_the_rest() {
    let mut pair = session().await;
    pair.say(
        r#"{"id" : 7,"jsonrpc":"2.0","method":"tools/call","params":{"x":1E+2,"_meta":{"progressToken":"p","y":[ ]}}}"#,
    )
    .await;
    let asked = pair.asked().await;
    let raw = std::str::from_utf8(&asked.raw).unwrap();
    let kept = r#"{"id" : 7,"jsonrpc":"2.0","method":"tools/call","params":{"x":1E+2,"_meta":{"progressToken":"p","y":[ ],"#;
    assert!(raw.starts_with(kept), "{raw}");
    assert!(raw.contains(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#), "{raw}");
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress", "params":{"progressToken":"p"}}"#;
    asked.say(progress).await;
    assert_eq!(pair.raw().await, progress);
    let response = r#"{"id":7, "jsonrpc":"2.0","result":{"resultType":"complete","ttlMs":0,"z":1E+2}}"#;
    asked.say(response).await;
    assert_eq!(pair.raw().await, response);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_are_no_object_are_refused() {
    let mut pair = session().await;
    for params in [json!([1]), json!("x"), json!({"_meta": 5})] {
        pair.request(1, "tools/list", params).await;
        assert_eq!(pair.error(1).await.0, -32602);
    }
    for params in [Value::Null, json!({}), json!({"_meta": null})] {
        pair.request(1, "tools/list", params).await;
        let asked = pair.asked().await;
        let version = &asked.params()["_meta"]["io.modelcontextprotocol/protocolVersion"];
        assert_eq!(version, "2026-07-28");
        asked.answer(json!({})).await;
        assert_eq!(pair.told().await["result"], json!({}));
    }
    pair.say("garbage").await;
    assert_eq!(pair.told().await["error"]["code"], -32600);
}

#[tokio::test(start_paused = true)]
async fn ping_and_what_no_server_takes_stay_here() {
    let mut pair = session().await;
    pair.request("p", "ping", json!({})).await;
    assert_eq!(pair.told().await, json!({"jsonrpc": "2.0", "id": "p", "result": {}}));
    pair.notify("notifications/roots/list_changed", json!({})).await;
    pair.notify("notifications/unknown", json!({})).await;
    pair.say(r#"{"jsonrpc":"2.0","id":"caisson/input-0","result":{}}"#).await;
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_level_of_log_messages_goes_with_later_requests() {
    let mut pair = session().await;
    let level = |asked: &Value| asked["params"]["_meta"]["io.modelcontextprotocol/logLevel"].clone();
    pair.request(1, "tools/list", json!({})).await;
    let first = pair.asked().await;
    assert_eq!(level(&first.request), Value::Null);
    for bad in [json!({}), json!({"level": "loud"}), json!({"level": 1})] {
        pair.request(2, "logging/setLevel", bad).await;
        assert_eq!(pair.error(2).await.0, -32602);
    }
    pair.request(2, "logging/setLevel", json!({"level": "warning"})).await;
    assert_eq!(pair.told().await, json!({"jsonrpc": "2.0", "id": 2, "result": {}}));
    pair.request(3, "tools/list", json!({})).await;
    assert_eq!(level(&pair.asked().await.request), "warning");
}

#[tokio::test(start_paused = true)]
async fn requests_run_side_by_side_and_one_can_be_given_up() {
    let mut pair = session().await;
    for id in 1..=3 {
        pair.request(id, "tools/call", json!({"name": id.to_string()})).await;
    }
    let (first, second, third) = (pair.asked().await, pair.asked().await, pair.asked().await);
    pair.notify("notifications/cancelled", json!({"requestId": 2})).await;
    second.cancelled().await;
    third.answer(json!({"n": 3})).await;
    assert_eq!(pair.told().await["id"], 3);
    pair.request(1, "tools/call", json!({})).await;
    assert!(pair.error(1).await.1.contains("in progress"));
    first.refuse(json!({"code": -32021, "message": "m", "data": {"requiredCapabilities": {}}})).await;
    assert_eq!(pair.told().await["error"]["data"], json!({"requiredCapabilities": {}}));
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn results_that_clients_of_sessions_cannot_read_are_changed() {
    let mut pair = session().await;
    for (content, read) in [
        ("[1, 2e2]", r#"{"result":[1, 2e2]}"#),
        ("null", r#"{"result":null}"#),
        ("\"t\"", r#"{"result":"t"}"#),
        (r#"{"a": 1}"#, r#"{"a": 1}"#),
    ] {
        pair.request(1, "tools/call", json!({})).await;
        let asked = pair.asked().await;
        let response = |content: &str| {
            format!(r#"{{"jsonrpc":"2.0", "id":1,"result":{{"structuredContent":{content},"content":[]}}}}"#)
        };
        asked.say(response(content)).await;
        assert_eq!(pair.raw().await, response(read));
    }
    pair.request(2, "tools/list", json!({})).await;
    let schema = json!({"type": "object", "properties": {"x": {}}});
    let tools = json!([
        {"name": "a", "outputSchema": {"type": "array"}, "x": 1},
        {"name": "b", "outputSchema": schema},
        {"name": "c", "outputSchema": {"anyOf": []}},
        {"name": "d"},
        {"name": "e", "outputSchema": true},
    ]);
    pair.asked().await.answer(json!({"tools": tools, "nextCursor": "n"})).await;
    let any = json!({"type": "object"});
    let tools = json!([
        {"name": "a", "outputSchema": any, "x": 1},
        {"name": "b", "outputSchema": schema},
        {"name": "c", "outputSchema": any},
        {"name": "d"},
        {"name": "e", "outputSchema": any},
    ]);
    assert_eq!(pair.told().await["result"], json!({"tools": tools, "nextCursor": "n"}));
    // Of another method nothing is changed.
    pair.request(3, "prompts/get", json!({})).await;
    pair.asked().await.answer(json!({"structuredContent": 1})).await;
    assert_eq!(pair.told().await["result"], json!({"structuredContent": 1}));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_result_is_an_error() {
    let mut pair = session().await;
    for garbage in [json!(5), json!([]), json!("x"), json!({"resultType": "input_required"})] {
        pair.request(1, "tools/call", json!({})).await;
        pair.asked().await.answer(garbage).await;
        assert_eq!(pair.error(1).await.0, -32603);
    }
    for garbage in ["{", r#"{"jsonrpc":"2.0","id":"other","result":{}}"#] {
        pair.request(1, "tools/call", json!({})).await;
        pair.asked().await.say(garbage).await;
        assert_eq!(pair.error(1).await.0, -32603);
    }
    // What it asks by itself, it asks in vain.
    pair.request(1, "tools/call", json!({})).await;
    let asked = pair.asked().await;
    asked.say(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#).await;
    asked.notify("notifications/cancelled", json!({"requestId": 1})).await;
    assert_eq!(pair.told().await["method"], "notifications/cancelled");
    assert!(pair.error(1).await.1.contains("gave the request up"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_ends_all() {
    let mut pair = session().await;
    pair.request(1, "tools/call", json!({})).await;
    pair.request(2, "resources/subscribe", json!({"uri": "x:1"})).await;
    let mut asked = [pair.asked().await, pair.asked().await];
    asked.sort_by_key(|asked| asked.method() == "tools/call");
    let [listen, call] = asked;
    call.fail(SessionError::Ended("it crashed".into())).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let told = pair.told().await;
        assert!(told["error"]["message"].as_str().unwrap().contains("it crashed"), "{told}");
        ids.push(told["id"].as_i64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    assert!(pair.end().await.contains("it crashed"));
    listen.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_gives_all_up() {
    for is_sender in [true, false] {
        let mut pair = session().await;
        pair.request(1, "tools/call", json!({})).await;
        let call = pair.asked().await;
        pair.request(2, "resources/subscribe", json!({"uri": "x:1"})).await;
        let listen = pair.asked().await;
        let Pair { sender, receiver, .. } = pair;
        let (_receiver, _sender) =
            if is_sender { (Some(receiver), drop(sender)) } else { (None, drop(receiver)) };
        call.cancelled().await;
        listen.cancelled().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_is_asked_at_a_time_than_may_be() {
    let mut pair = session().await;
    for id in 0..600 {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call"}).to_string();
        let sent = timeout(Duration::from_secs(5), pair.sender.pass(request.as_bytes())).await;
        // The client waits at some point, as its requests do.
        if sent.is_err() {
            assert!(id >= 512, "{id}");
            break;
        }
        assert!(id < 599);
    }
    let mut asked = Vec::new();
    for _ in 0..256 {
        asked.push(pair.asked().await);
    }
    pair.is_quiet().await;
    asked[0].answer(json!({})).await;
    assert_eq!(pair.told().await["id"], 0);
    assert_eq!(pair.asked().await.request["id"], 256);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_slows_the_server_down() {
    let mut pair = session().await;
    pair.request(1, "tools/call", json!({})).await;
    let asked = pair.asked().await;
    let said = async {
        for _ in 0..100 {
            asked.notify("notifications/message", json!({})).await;
        }
    };
    assert!(timeout(Duration::from_secs(5), said).await.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_is_not_known_crosses(
        key in "[a-z\"\\\\/é]{1,8}",
        value in "[ -~é]{0,20}",
        method in "x-[a-z/]{1,12}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = open();
            let capabilities = json!({format!("c{key}"): [value]});
            pair.request(0, "initialize", super::client(capabilities.clone())).await;
            let asked = pair.asked().await;
            let sent = &asked.params()["_meta"]["io.modelcontextprotocol/clientCapabilities"];
            assert_eq!(sent, &capabilities);
            let mut server = super::server(capabilities.clone());
            server[format!("x{key}")] = json!(value);
            asked.answer(server).await;
            let told = pair.told().await;
            assert_eq!(told["result"]["capabilities"], capabilities);
            assert_eq!(told["result"][format!("x{key}")], value);

            let thing = json!({format!("x{key}"): [value], "_meta": {format!("m{key}"): value}});
            pair.request(1, &method, thing.clone()).await;
            let asked = pair.asked().await;
            assert_eq!(asked.method(), method);
            assert_eq!(asked.params()[format!("x{key}")], json!([value]));
            assert_eq!(asked.params()["_meta"][format!("m{key}")], value);
            asked.notify(&method, thing.clone()).await;
            assert_eq!(pair.told().await, json!({"jsonrpc": "2.0", "method": method, "params": thing}));
            asked.answer(thing.clone()).await;
            assert_eq!(pair.told().await, json!({"jsonrpc": "2.0", "id": 1, "result": thing}));
        });
    }
}
