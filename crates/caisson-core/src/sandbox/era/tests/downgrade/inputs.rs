use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::{super::fake::Pair, initialized};

/// A session with a client that can be asked all there is.
async fn session() -> Pair {
    initialized(json!({"roots": {}, "sampling": {}, "elicitation": {"form": {}, "url": {}}}), json!({})).await
}

fn required(inputs: &Value, state: &str) -> Value {
    json!({"resultType": "input_required", "inputRequests": inputs, "requestState": state})
}

fn elicitation() -> Value {
    json!({"method": "elicitation/create", "params": {"message": "m", "requestedSchema": {}, "x": 1}})
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_becomes_requests_and_their_answers_go_down() {
    let mut pair = session().await;
    pair.request(1, "tools/call", json!({"name": "t", "arguments": {"a": 1}})).await;
    let first = pair.asked().await;
    let inputs = json!({
        "e": elicitation(),
        "r": {"method": "roots/list"},
        "s": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}},
    });
    first.answer(required(&inputs, "s\"1")).await;
    let asked = [pair.told().await, pair.told().await, pair.told().await];
    assert!(asked.iter().all(|asked| asked["jsonrpc"] == "2.0" && asked["id"].is_string()), "{asked:?}");
    assert_ne!(asked[0]["id"], asked[1]["id"]);
    assert_eq!(asked[0]["params"], elicitation()["params"]);
    assert_eq!(asked[1]["method"], "roots/list");
    // Its own requests may have any id, the same one too.
    pair.request(asked[0]["id"].clone(), "ping", json!({})).await;
    assert_eq!(pair.told().await["result"], json!({}));
    for asked in asked.iter().rev() {
        pair.answer(asked, json!({"of": asked["method"], "y": 2})).await;
    }
    let second = pair.asked().await;
    assert_eq!(second.request["id"], 1);
    assert_eq!(second.params()["arguments"], json!({"a": 1}));
    assert_eq!(second.params()["requestState"], "s\"1");
    assert_eq!(
        second.params()["inputResponses"],
        json!({
            "e": {"of": "elicitation/create", "y": 2},
            "r": {"of": "roots/list", "y": 2},
            "s": {"of": "sampling/createMessage", "y": 2},
        }),
    );
    // Another round, without a state, and the answers of that round alone.
    second.answer(json!({"resultType": "input_required", "inputRequests": {"f": elicitation()}})).await;
    let asked = pair.told().await;
    pair.answer(&asked, json!({"action": "decline"})).await;
    let third = pair.asked().await;
    assert_eq!(third.params()["inputResponses"], json!({"f": {"action": "decline"}}));
    assert_eq!(third.params().get("requestState"), None);
    third.answer(json!({"resultType": "complete", "content": []})).await;
    assert_eq!(pair.told().await["result"], json!({"resultType": "complete", "content": []}));
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_client_cancels_an_elicitation_and_ends_the_others() {
    let mut pair = session().await;
    pair.request(1, "tools/call", json!({})).await;
    pair.asked().await.answer(required(&json!({"e": elicitation()}), "s")).await;
    let asked = pair.told().await;
    let error = json!({"code": -1, "message": "the user is away", "data": [1]});
    pair.say(&json!({"jsonrpc": "2.0", "id": asked["id"], "error": error}).to_string()).await;
    let again = pair.asked().await;
    assert_eq!(again.params()["inputResponses"], json!({"e": {"action": "cancel"}}));
    for input in [json!({"method": "roots/list"}), json!({"method": "sampling/createMessage", "params": {}})]
    {
        pair.request(2, "tools/call", json!({})).await;
        pair.asked().await.answer(required(&json!({"a": input, "b": elicitation()}), "s")).await;
        let (asked, open) = (pair.told().await, pair.told().await);
        pair.say(&json!({"jsonrpc": "2.0", "id": asked["id"], "error": error}).to_string()).await;
        // The error, and the other question's withdrawal.
        let mut told = [pair.told().await, pair.told().await];
        told.sort_by_key(|told| told["method"].is_string());
        assert_eq!(told[0], json!({"jsonrpc": "2.0", "id": 2, "error": error}));
        assert_eq!(told[1]["method"], "notifications/cancelled");
        assert_eq!(told[1]["params"]["requestId"], open["id"]);
    }
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_client_cannot_be_asked_ends_the_call() {
    let roots = json!({"method": "roots/list"});
    let sampling = json!({"method": "sampling/createMessage", "params": {}});
    let tools = json!({"method": "sampling/createMessage", "params": {"tools": []}});
    let url = json!({"method": "elicitation/create", "params": {"mode": "url", "url": "x:"}});
    for (capabilities, input, words) in [
        (json!({}), roots, "needs roots"),
        (json!({"roots": {}}), sampling, "needs sampling "),
        (json!({"sampling": {}}), tools, "needs sampling.tools"),
        (json!({}), elicitation(), "needs elicitation "),
        (json!({"elicitation": {"url": {}}}), elicitation(), "needs elicitation.form"),
        (json!({"elicitation": {}}), url, "needs elicitation.url"),
        (json!({"roots": {}}), json!({"method": "x/y"}), "\"x/y\""),
    ] {
        let mut pair = initialized(capabilities, json!({})).await;
        pair.request(1, "tools/call", json!({})).await;
        pair.asked().await.answer(required(&json!({"a": input}), "s")).await;
        let (code, why) = pair.error(1).await;
        assert_eq!(code, -32600, "{why}");
        assert!(why.contains(words), "{why}");
        pair.is_quiet().await;
    }
    // One that says it knows elicitation, and no more, knows forms.
    let mut pair = initialized(json!({"elicitation": {}}), json!({})).await;
    pair.request(1, "tools/call", json!({})).await;
    pair.asked().await.answer(required(&json!({"a": elicitation()}), "s")).await;
    assert_eq!(pair.told().await["method"], "elicitation/create");
}

#[tokio::test(start_paused = true)]
async fn an_elicitation_by_url_has_the_id_that_clients_expect() {
    let mut pair = session().await;
    pair.request(1, "tools/call", json!({})).await;
    let url = json!({"method": "elicitation/create", "params": {"mode": "url", "url": "x:"}});
    pair.asked().await.answer(required(&json!({"a": url}), "s")).await;
    let asked = pair.told().await;
    assert_eq!(asked["params"]["url"], "x:");
    assert!(asked["params"]["elicitationId"].is_string(), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_withdraws_its_questions() {
    let mut pair = session().await;
    pair.request(1, "tools/call", json!({})).await;
    pair.asked().await.answer(required(&json!({"a": elicitation()}), "s")).await;
    let asked = pair.told().await;
    pair.notify("notifications/cancelled", json!({"requestId": 1})).await;
    let told = pair.told().await;
    assert_eq!(told["method"], "notifications/cancelled");
    assert_eq!(told["params"]["requestId"], asked["id"]);
    pair.answer(&asked, json!({"action": "accept"})).await;
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_time_is_asked_again_after_a_pause() {
    let mut pair = session().await;
    pair.request(1, "tools/call", json!({})).await;
    let begun = Instant::now();
    for round in 0..3 {
        let asked = pair.asked().await;
        let state = if round == 0 { Value::Null } else { format!("s{}", round - 1).into() };
        assert_eq!(asked.params().get("requestState").cloned().unwrap_or_default(), state);
        assert_eq!(asked.params().get("inputResponses"), None);
        asked.answer(json!({"resultType": "input_required", "requestState": format!("s{round}")})).await;
    }
    pair.asked().await.answer(json!({})).await;
    assert!(begun.elapsed() >= Duration::from_millis(350));
    assert_eq!(pair.told().await["result"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_has_enough_is_asked_no_more() {
    for wants_input in [true, false] {
        let mut pair = session().await;
        pair.request(1, "tools/call", json!({})).await;
        for _ in 0..64 {
            let asked = pair.asked().await;
            if wants_input {
                asked.answer(required(&json!({"a": elicitation()}), "s")).await;
                let question = pair.told().await;
                pair.answer(&question, json!({"action": "accept", "content": {}})).await;
            } else {
                asked.answer(json!({"resultType": "input_required", "requestState": "s"})).await;
            }
        }
        assert!(pair.error(1).await.1.contains("64 times"));
        pair.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_questions_than_a_client_is_asked_end_the_call() {
    let mut pair = session().await;
    let many: Value =
        (0..129).map(|n| (n.to_string(), elicitation())).collect::<serde_json::Map<_, _>>().into();
    pair.request(1, "tools/call", json!({})).await;
    pair.asked().await.answer(required(&many, "s")).await;
    assert!(pair.error(1).await.1.contains("too much"));
    for garbage in
        [json!({"a": 1}), json!({"a": {}}), json!({"a": {"method": "roots/list", "params": 1}}), json!([])]
    {
        pair.request(2, "tools/call", json!({})).await;
        pair.asked().await.answer(required(&garbage, "s")).await;
        assert_eq!(pair.error(2).await.0, -32603, "{garbage}");
    }
    pair.is_quiet().await;
}
