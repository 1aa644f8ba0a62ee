use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::duplex, fake::Pair};
use crate::sandbox::SessionError;

fn open() -> Pair {
    Pair::new(|caller, below| duplex::session("modern".parse().unwrap(), caller, below))
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn call(name: &str) -> Value {
    json!({"name": name, "_meta": meta()})
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_down_and_its_answer_up_as_they_are() {
    let mut pair = open();
    let request =
        format!(r#"{{"id" : "a","x":1E+2, "jsonrpc":"2.0","method":"tools/call","params":{}}}"#, call("t"));
    pair.say(&request).await;
    let asked = pair.asked().await;
    assert_eq!(asked.raw, request);
    assert_eq!(asked.caller, crate::gate::CallerId::for_test("client"));
    let progress = r#"{"jsonrpc":"2.0", "method":"notifications/progress","params":{"progressToken":1e3}}"#;
    asked.say(progress).await;
    assert_eq!(pair.raw().await, progress);
    let response = r#"{ "jsonrpc":"2.0","result":{"resultType":"input_required","y":-0}, "id":"a" }"#;
    asked.say(response).await;
    assert_eq!(pair.raw().await, response);
    asked.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn requests_run_side_by_side() {
    let mut pair = open();
    for id in 1..=3 {
        pair.request(id, "tools/call", call(&id.to_string())).await;
    }
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(pair.asked().await);
    }
    for one in asked.iter().rev() {
        one.answer(json!({"of": one.params()["name"]})).await;
        let told = pair.told().await;
        assert_eq!(told["result"]["of"], told["id"].to_string());
        assert_eq!(told["id"], one.request["id"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_is_not_answered() {
    let mut pair = open();
    pair.request(1, "tools/call", call("slow")).await;
    let asked = pair.asked().await;
    pair.notify("notifications/cancelled", json!({"requestId": 2})).await;
    pair.notify("notifications/cancelled", json!({"requestId": 1, "reason": "no"})).await;
    asked.cancelled().await;
    pair.is_quiet().await;
    pair.request(1, "tools/call", call("again")).await;
    pair.asked().await.answer(json!({})).await;
    assert_eq!(pair.told().await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_listen_ends_with_its_result_or_is_cancelled_by_either() {
    let mut pair = open();
    for id in ["a", "b", "c"] {
        pair.request(id, "subscriptions/listen", json!({"_meta": meta(), "notifications": {}})).await;
        let asked = pair.asked().await;
        asked.notify("notifications/subscriptions/acknowledged", json!({"notifications": {}})).await;
        assert_eq!(pair.told().await["method"], "notifications/subscriptions/acknowledged");
        match id {
            "a" => {
                asked.answer(json!({"resultType": "complete"})).await;
                assert_eq!(pair.told().await["id"], "a");
            }
            "b" => pair.notify("notifications/cancelled", json!({"requestId": "b"})).await,
            _ => {
                asked.notify("notifications/cancelled", json!({"requestId": "c"})).await;
                assert_eq!(pair.told().await["params"]["requestId"], "c");
            }
        }
        asked.cancelled().await;
    }
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn initialize_is_told_which_era_this_is() {
    let mut pair = open();
    pair.request(0, "initialize", json!({"protocolVersion": "2025-11-25", "_meta": meta()})).await;
    let told = pair.told().await;
    assert_eq!(told["error"]["code"], -32022);
    assert_eq!(told["error"]["data"], json!({"supported": ["2026-07-28"], "requested": "2025-11-25"}));
    pair.request(1, "initialize", json!({"protocolVersion": 5})).await;
    assert_eq!(pair.told().await["error"]["data"], json!({"supported": ["2026-07-28"]}));
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_what_each_needs_is_refused() {
    let mut pair = open();
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    for (params, missing) in [
        (json!({}), "params._meta"),
        (json!([]), "params._meta"),
        (json!({"_meta": 1}), "params._meta"),
        (json!({"_meta": {capabilities: {}}}), version),
        (json!({"_meta": {version: 1, capabilities: {}}}), version),
        (json!({"_meta": {version: "2026-07-28"}}), capabilities),
        (json!({"_meta": {version: "2026-07-28", capabilities: "all"}}), capabilities),
    ] {
        pair.request(7, "tools/list", params.clone()).await;
        let (code, why) = pair.error(7).await;
        assert_eq!(code, -32602, "{params}");
        assert!(why.contains(missing), "{params}: {why}");
    }
    pair.say("[]").await;
    assert_eq!(pair.told().await["error"]["code"], -32600);
    pair.say(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_not_spoken_is_refused() {
    let mut pair = open();
    for version in ["2099-01-01", "2025-11-25", ""] {
        let mut params = call("t");
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(version);
        pair.request(7, "tools/call", params).await;
        let told = pair.told().await;
        assert_eq!((&told["id"], &told["error"]["code"]), (&json!(7), &json!(-32022)), "{told}");
        assert_eq!(told["error"]["data"], json!({"supported": ["2026-07-28"], "requested": version}));
    }
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_id_in_progress_is_refused() {
    let mut pair = open();
    pair.request(1, "tools/call", call("a")).await;
    let asked = pair.asked().await;
    pair.request(1, "tools/call", call("b")).await;
    assert_eq!(pair.error(1).await.0, -32600);
    asked.answer(json!({})).await;
    assert!(pair.told().await["result"].is_object());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_fails_that_request_alone() {
    let mut pair = open();
    for garbage in
        ["nonsense", r#"{"jsonrpc":"2.0","id":2,"result":{}}"#, r#"{"jsonrpc":"2.0","result":{},"error":{}}"#]
    {
        pair.request(1, "tools/call", call("a")).await;
        pair.asked().await.say(garbage).await;
        assert_eq!(pair.error(1).await.0, -32603, "{garbage}");
    }
    pair.request(1, "tools/call", call("a")).await;
    drop(pair.asked().await);
    assert!(pair.error(1).await.1.contains("ended before"));
    pair.request(1, "tools/call", call("a")).await;
    pair.asked().await.fail(SessionError::Protocol("no".into())).await;
    assert!(pair.error(1).await.1.contains("does not speak MCP"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_had_is_told_of() {
    let mut pair = Pair::refused(|caller, below| duplex::session("modern".parse().unwrap(), caller, below));
    for id in [1, 2] {
        pair.request(id, "tools/call", call("a")).await;
        let (code, why) = pair.error(id).await;
        assert_eq!(code, -32000);
        assert!(why.contains("paused"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_ends_all() {
    let mut pair = open();
    pair.request(1, "tools/call", call("a")).await;
    pair.request(2, "tools/call", call("b")).await;
    let (first, second) = (pair.asked().await, pair.asked().await);
    first.fail(SessionError::Ended("it crashed".into())).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let told = pair.told().await;
        assert!(told["error"]["message"].as_str().unwrap().contains("it crashed"), "{told}");
        ids.push(told["id"].as_i64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    assert!(pair.end().await.contains("it crashed"));
    second.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_gives_all_up() {
    for is_sender in [true, false] {
        let mut pair = open();
        pair.request(1, "tools/call", call("a")).await;
        let asked = pair.asked().await;
        let Pair { sender, receiver, below } = pair;
        if is_sender {
            drop(sender);
            asked.cancelled().await;
            drop(receiver);
        } else {
            drop(receiver);
            asked.cancelled().await;
            drop(sender);
        }
        drop(below);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_is_asked_at_a_time_than_may_be() {
    let mut pair = open();
    for id in 0..300 {
        pair.request(id, "tools/call", call("a")).await;
    }
    let mut asked = Vec::new();
    for _ in 0..256 {
        asked.push(pair.asked().await);
    }
    pair.is_quiet().await;
    // Of those that wait, one can be given up; of those that are asked, one makes room.
    pair.notify("notifications/cancelled", json!({"requestId": 256})).await;
    pair.notify("notifications/cancelled", json!({"requestId": 0})).await;
    assert_eq!(pair.asked().await.request["id"], 257);
    drop(asked);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_slows_the_server_down() {
    let mut pair = open();
    pair.request(1, "tools/call", call("a")).await;
    let asked = pair.asked().await;
    let said = async {
        for _ in 0..100 {
            asked.notify("notifications/message", json!({})).await;
        }
    };
    assert!(tokio::time::timeout(std::time::Duration::from_secs(5), said).await.is_err());
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
            let mut params = call("t");
            params[format!("x{key}")] = json!([value]);
            pair.request(1, &method, params.clone()).await;
            let asked = pair.asked().await;
            assert_eq!(asked.request, json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
            asked.answer(params.clone()).await;
            assert_eq!(pair.told().await, json!({"jsonrpc": "2.0", "id": 1, "result": params}));
        });
    }
}
