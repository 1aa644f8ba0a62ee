use serde_json::{Value, json};

use super::{
    super::fake::{Asked, Pair},
    initialized,
};

fn meta(listen: &Asked) -> Value {
    json!({"io.modelcontextprotocol/subscriptionId": listen.request["id"]})
}

/// Acknowledges what was asked for, all of it.
async fn acknowledge(listen: &Asked) {
    let honoured = listen.params()["notifications"].clone();
    let params = json!({"notifications": honoured, "_meta": meta(listen)});
    listen.notify("notifications/subscriptions/acknowledged", params).await;
}

async fn update(listen: &Asked, uri: &str) {
    listen.notify("notifications/resources/updated", json!({"uri": uri, "_meta": meta(listen)})).await;
}

/// Subscribes to one more resource.
async fn subscribed(pair: &mut Pair, uri: &str) -> Asked {
    pair.request(uri, "resources/subscribe", json!({"uri": uri})).await;
    let listen = pair.asked().await;
    acknowledge(&listen).await;
    assert_eq!(pair.told().await, json!({"jsonrpc": "2.0", "id": uri, "result": {}}));
    listen
}

async fn session() -> Pair {
    let capabilities =
        json!({"tools": {"listChanged": true}, "prompts": {"listChanged": false}, "resources": {}});
    initialized(json!({}), capabilities).await
}

#[tokio::test(start_paused = true)]
async fn an_initialized_client_is_told_when_lists_change() {
    let mut pair = session().await;
    pair.notify("notifications/initialized", json!({})).await;
    let listen = pair.asked().await;
    assert_eq!(listen.method(), "subscriptions/listen");
    assert_eq!(listen.params()["notifications"], json!({"toolsListChanged": true}));
    assert_eq!(listen.params()["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    acknowledge(&listen).await;
    pair.notify("notifications/initialized", json!({})).await;
    pair.is_quiet().await;
    let mut params = json!({"x": 1, "_meta": meta(&listen)});
    params["_meta"]["y"] = 2.into();
    listen.notify("notifications/tools/list_changed", params).await;
    let told = pair.told().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"], json!({"x": 1, "_meta": {"y": 2}}));
}

#[tokio::test(start_paused = true)]
async fn without_a_promise_nothing_is_subscribed_to() {
    let mut pair = initialized(json!({}), json!({"tools": {}})).await;
    pair.notify("notifications/initialized", json!({})).await;
    pair.is_quiet().await;
    pair.request(1, "resources/unsubscribe", json!({"uri": "x:1"})).await;
    assert_eq!(pair.told().await["result"], json!({}));
    pair.request(1, "resources/subscribe", json!({})).await;
    assert_eq!(pair.error(1).await.0, -32602);
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_renewed_before_the_last_is_closed() {
    let mut pair = session().await;
    pair.notify("notifications/initialized", json!({})).await;
    let first = pair.asked().await;
    acknowledge(&first).await;
    pair.request("a", "resources/subscribe", json!({"uri": "x:a"})).await;
    let second = pair.asked().await;
    let wanted = json!({"toolsListChanged": true, "resourceSubscriptions": ["x:a"]});
    assert_eq!(second.params()["notifications"], wanted);
    assert_ne!(first.request["id"], second.request["id"]);
    // Not acknowledged: not answered, and the first one goes on.
    first.notify("notifications/tools/list_changed", json!({})).await;
    assert_eq!(pair.told().await["method"], "notifications/tools/list_changed");
    pair.is_quiet().await;
    assert!(!first.is_cancelled());
    acknowledge(&second).await;
    assert_eq!(pair.told().await["id"], "a");
    first.cancelled().await;
    // Twice the same is no renewal.
    pair.request("a", "resources/subscribe", json!({"uri": "x:a"})).await;
    assert_eq!(pair.told().await["result"], json!({}));
    update(&second, "x:a").await;
    assert_eq!(pair.told().await["params"], json!({"uri": "x:a", "_meta": {}}));
    pair.request("u", "resources/unsubscribe", json!({"uri": "x:a"})).await;
    let third = pair.asked().await;
    assert_eq!(third.params()["notifications"], json!({"toolsListChanged": true}));
    acknowledge(&third).await;
    assert_eq!(pair.told().await["id"], "u");
    update(&second, "x:a").await;
    pair.is_quiet().await;
    second.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_on_both_comes_once() {
    let mut pair = session().await;
    let first = subscribed(&mut pair, "x:a").await;
    pair.request("x:b", "resources/subscribe", json!({"uri": "x:b"})).await;
    let second = pair.asked().await;
    // The server knows of the second already, and has not acknowledged it.
    update(&first, "x:a").await;
    assert_eq!(pair.told().await["params"]["uri"], "x:a");
    acknowledge(&second).await;
    assert_eq!(pair.told().await["id"], "x:b");
    update(&second, "x:a").await;
    update(&second, "x:b").await;
    assert_eq!(pair.told().await["params"]["uri"], "x:b");
    update(&second, "x:a").await;
    assert_eq!(pair.told().await["params"]["uri"], "x:a");
    update(&first, "x:a").await;
    pair.is_quiet().await;
    first.cancelled().await;
    update(&second, "x:a").await;
    assert_eq!(pair.told().await["params"]["uri"], "x:a");
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_together_are_one_renewal() {
    let mut pair = session().await;
    let _first = subscribed(&mut pair, "x:0").await;
    for uri in ["x:1", "x:2", "x:3"] {
        pair.request(uri, "resources/subscribe", json!({"uri": uri})).await;
    }
    pair.request("u", "resources/unsubscribe", json!({"uri": "x:2"})).await;
    let second = pair.asked().await;
    pair.is_quiet().await;
    acknowledge(&second).await;
    assert_eq!(pair.told().await["id"], "x:1");
    let third = pair.asked().await;
    assert_eq!(third.params()["notifications"]["resourceSubscriptions"], json!(["x:0", "x:1", "x:3"]));
    acknowledge(&third).await;
    for id in ["x:2", "x:3", "u"] {
        assert_eq!(pair.told().await["id"], id);
    }
    for uri in ["x:0", "x:1", "x:3"] {
        pair.request(uri, "resources/unsubscribe", json!({"uri": uri})).await;
    }
    // However they are taken together, in the end nothing is open.
    for _ in 0..3 {
        tokio::select! {
            told = pair.receiver.next() => drop(told.unwrap().unwrap()),
            listen = pair.below.recv() => acknowledge(&listen.unwrap()).await,
        }
    }
    third.cancelled().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_acknowledges_is_not_waited_for() {
    let mut pair = session().await;
    let first = subscribed(&mut pair, "x:a").await;
    pair.request(1, "resources/subscribe", json!({"uri": "x:b"})).await;
    let second = pair.asked().await;
    let (code, why) = pair.error(1).await;
    assert_eq!(code, -32603);
    assert!(why.contains("within 10 seconds"), "{why}");
    second.cancelled().await;
    assert!(!first.is_cancelled());
    for _ in 0..2 {
        update(&first, "x:a").await;
        assert_eq!(pair.told().await["params"]["uri"], "x:a");
    }
    // What was refused is not asked for again.
    let third = subscribed(&mut pair, "x:c").await;
    assert_eq!(third.params()["notifications"]["resourceSubscriptions"], json!(["x:a", "x:c"]));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_says_so() {
    let mut pair = session().await;
    pair.request(1, "resources/subscribe", json!({"uri": "x:a"})).await;
    pair.asked().await.refuse(json!({"code": -32601, "message": "no", "data": 1})).await;
    assert_eq!(pair.told().await["error"], json!({"code": -32601, "message": "no", "data": 1}));
    pair.request(2, "resources/subscribe", json!({"uri": "x:a"})).await;
    pair.asked().await.answer(json!({})).await;
    assert!(pair.error(2).await.1.contains("at once"));
    pair.request(3, "resources/subscribe", json!({"uri": "x:a"})).await;
    let listen = pair.asked().await;
    listen.notify("notifications/subscriptions/acknowledged", json!({"notifications": {}})).await;
    assert!(pair.error(3).await.1.contains("does not tell"));
    pair.request(4, "resources/subscribe", json!({"uri": "x:a"})).await;
    pair.asked().await.say("garbage").await;
    assert_eq!(pair.error(4).await.0, -32603);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_was_ended_is_renewed_when_the_client_is_at_work() {
    for is_cancelled in [true, false] {
        let mut pair = session().await;
        let listen = subscribed(&mut pair, "x:a").await;
        if is_cancelled {
            let params = json!({"requestId": listen.request["id"]});
            listen.notify("notifications/cancelled", params).await;
        } else {
            listen.answer(json!({"_meta": meta(&listen)})).await;
        }
        pair.is_quiet().await;
        pair.request(1, "tools/list", json!({})).await;
        let mut asked = [pair.asked().await, pair.asked().await];
        asked.sort_by_key(|asked| asked.method() == "tools/list");
        assert_eq!(asked[0].params()["notifications"]["resourceSubscriptions"], json!(["x:a"]));
        acknowledge(&asked[0]).await;
        update(&asked[0], "x:a").await;
        assert_eq!(pair.told().await["params"]["uri"], "x:a");
    }
}

#[tokio::test(start_paused = true)]
async fn resources_have_a_limit() {
    let mut pair = session().await;
    for n in 0..1024 {
        let listen = subscribed(&mut pair, &format!("x:{n}")).await;
        drop(listen);
    }
    pair.request(1, "resources/subscribe", json!({"uri": "y:"})).await;
    assert!(pair.error(1).await.1.contains("1024"));
}
