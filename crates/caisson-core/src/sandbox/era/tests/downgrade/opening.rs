use serde_json::json;

use super::{super::fake::Pair, client, downgrade, open, server};
use crate::sandbox::SessionError;

#[tokio::test(start_paused = true)]
async fn initialize_becomes_discover() {
    let mut pair = open();
    pair.request("i", "initialize", client(json!({"roots": {"listChanged": true}, "x": {}}))).await;
    let asked = pair.asked().await;
    assert_eq!(asked.method(), "server/discover");
    assert_eq!(
        asked.params()["_meta"],
        json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"roots": {"listChanged": true}, "x": {}},
            "io.modelcontextprotocol/clientInfo": {"name": "client", "version": "1", "x": [1]},
        }),
    );
    asked.answer(server(json!({"tools": {}, "extensions": {"y": {}}, "unknown": 1}))).await;
    let told = pair.told().await;
    let result = &told["result"];
    assert_eq!(told["id"], "i");
    assert_eq!(result["protocolVersion"], "2025-11-25");
    assert_eq!(result["capabilities"], json!({"tools": {}, "extensions": {"y": {}}, "unknown": 1}));
    assert_eq!(result["serverInfo"], json!({"name": "server", "version": "2", "title": "S"}));
    assert_eq!(result["instructions"], "be kind");
}

#[tokio::test(start_paused = true)]
async fn versions_are_agreed_on() {
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1.0", "2025-11-25"),
    ] {
        let mut pair = open();
        pair.request(0, "initialize", json!({"protocolVersion": asked})).await;
        pair.asked().await.answer(json!({"capabilities": {}})).await;
        let result = pair.told().await["result"].take();
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"], json!({"name": "legacy", "version": "unknown"}));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_below_is_one_above_and_another_try_is_free() {
    let mut pair = open();
    pair.request(0, "initialize", client(json!({}))).await;
    pair.asked().await.refuse(json!({"code": -32022, "message": "no", "data": {"supported": []}})).await;
    let error = pair.told().await["error"].take();
    assert_eq!(error, json!({"code": -32022, "message": "no", "data": {"supported": []}}));
    for garbage in [json!({}), json!({"capabilities": 1}), json!([]), json!("x")] {
        pair.request(1, "initialize", client(json!({}))).await;
        pair.asked().await.answer(garbage).await;
        assert_eq!(pair.error(1).await.0, -32603);
    }
    pair.request(2, "initialize", client(json!({}))).await;
    pair.asked().await.answer(server(json!({}))).await;
    assert_eq!(pair.told().await["id"], 2);
    pair.request(3, "initialize", client(json!({}))).await;
    assert!(pair.error(3).await.1.contains("already"));
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_initialize_is_refused() {
    let mut pair = open();
    pair.request(1, "ping", json!({})).await;
    assert_eq!(pair.told().await["result"], json!({}));
    pair.request(2, "tools/list", json!({})).await;
    assert!(pair.error(2).await.1.contains("initialize comes first"));
    pair.notify("notifications/initialized", json!({})).await;
    pair.say("[]").await;
    assert_eq!(pair.told().await["error"]["code"], -32600);
    for params in
        [json!({}), json!({"protocolVersion": 1}), json!({"protocolVersion": "x", "capabilities": []})]
    {
        pair.request(3, "initialize", params).await;
        assert_eq!(pair.error(3).await.0, -32602);
    }
    pair.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_discovering_waits_but_a_ping() {
    let mut pair = open();
    pair.request(0, "initialize", client(json!({}))).await;
    let asked = pair.asked().await;
    pair.request(1, "tools/list", json!({})).await;
    pair.request(2, "ping", json!({})).await;
    assert_eq!(pair.told().await["id"], 2);
    pair.is_quiet().await;
    asked.answer(server(json!({}))).await;
    assert_eq!(pair.told().await["id"], 0);
    assert_eq!(pair.asked().await.method(), "tools/list");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_had_or_ends_is_told_of() {
    let mut pair =
        Pair::refused(|caller, below| downgrade::session("legacy".parse().unwrap(), caller, below));
    pair.request(0, "initialize", client(json!({}))).await;
    assert!(pair.end().await.contains("paused"));

    let mut pair = open();
    pair.request(0, "initialize", client(json!({}))).await;
    pair.asked().await.fail(SessionError::Ended("it crashed".into())).await;
    assert!(pair.end().await.contains("it crashed"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_discovering_gives_it_up() {
    for is_sender in [true, false] {
        let mut pair = open();
        pair.request(0, "initialize", client(json!({}))).await;
        let asked = pair.asked().await;
        let Pair { sender, receiver, .. } = pair;
        let (_keeps_receiver, _keeps_sender);
        if is_sender {
            drop(sender);
            _keeps_receiver = receiver;
        } else {
            drop(receiver);
            _keeps_sender = sender;
        }
        asked.cancelled().await;
    }
}
