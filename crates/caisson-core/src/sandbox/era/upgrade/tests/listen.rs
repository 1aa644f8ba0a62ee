//! `subscriptions/listen`.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;

fn listen(id: &Value, notifications: &Value) -> Value {
    request(id, "subscriptions/listen", &json!({"notifications": notifications}))
}

fn touch(uri: &str) -> Value {
    call("touch", &json!({"uri": uri}))
}

/// What is told within a second.
async fn told(exchange: &mut Exchange) -> Vec<Value> {
    let mut told = Vec::new();
    while let Ok(message) = timeout(Duration::from_secs(1), next(exchange)).await {
        told.push(message.unwrap().unwrap());
    }
    told
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_told_what_it_wants_and_the_server_has() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    // One session is there before, one is opened after.
    answer(&upgrade, "a", &call("echo", &json!({}))).await;
    let wanted = json!({
        "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": false,
        "resourceSubscriptions": ["test://a", "test://b"],
    });
    let mut listener = ask(&upgrade, "a", &listen(&json!("L"), &wanted)).await;
    let id = json!({"io.modelcontextprotocol/subscriptionId": "L"});
    assert_eq!(
        told(&mut listener).await,
        [json!({
            "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
                "_meta": id,
                "notifications": {"toolsListChanged": true, "resourceSubscriptions": ["test://a", "test://b"]},
            },
        })],
    );
    let mut gate = ask(&upgrade, "a", &call("gate", &json!({}))).await;
    for uri in ["test://a", "test://a/part", "test://ab", "test://c"] {
        // Nothing of it is told to the request itself.
        answer(&upgrade, "a", &touch(uri)).await;
        let told = told(&mut listener).await;
        let is_wanted = !matches!(uri, "test://ab" | "test://c");
        assert_eq!(told.len(), 1 + usize::from(is_wanted), "{uri}: {told:?}");
        if is_wanted {
            assert_eq!(told[0]["params"], json!({"uri": uri, "x": 1, "_meta": id}));
        }
        let list = told.last().unwrap();
        assert_eq!(list["method"], "notifications/tools/list_changed");
        assert_eq!(list["params"], json!({"_meta": id}));
    }
    let subscribed = fake.heard("resources/subscribe");
    for process in 1..=3 {
        let uris = subscribed.iter().filter(|(number, _)| *number == process);
        assert_eq!(
            uris.map(|(_, message)| &message["params"]["uri"]).collect::<Vec<_>>(),
            ["test://a", "test://b"]
        );
    }
    assert_eq!((subscribed.len(), fake.opened()), (6, 3));
    fake.gate.notify_one();
    next(&mut gate).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_listener_for_a_resource_unsubscribes() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    answer(&upgrade, "a", &call("echo", &json!({}))).await;
    let both = listen(&json!(1), &json!({"resourceSubscriptions": ["test://a", "test://b"]}));
    let one = listen(&json!(1), &json!({"resourceSubscriptions": ["test://a"]}));
    let (mut first, mut second) = (ask(&upgrade, "a", &both).await, ask(&upgrade, "a", &one).await);
    assert_eq!((told(&mut first).await.len(), told(&mut second).await.len()), (1, 1));
    drop(first);
    sleep(Duration::from_secs(1)).await;
    let unsubscribed = fake.heard("resources/unsubscribe");
    assert_eq!(unsubscribed.len(), 2);
    assert!(unsubscribed.iter().all(|(_, message)| message["params"]["uri"] == "test://b"));
    answer(&upgrade, "a", &touch("test://a")).await;
    assert_eq!(told(&mut second).await.len(), 1);
    // It lives as long as the listener does, however long that is.
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(fake.live(), 1);
    drop(second);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn listeners_of_other_clients_are_told_nothing() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let wanted = json!({"toolsListChanged": true, "resourceSubscriptions": ["test://a"]});
    let mut mine = ask(&upgrade, "a", &listen(&json!(1), &wanted)).await;
    let mut theirs = ask(&upgrade, "b", &listen(&json!(1), &wanted)).await;
    let mut other = listen(&json!(1), &wanted);
    other["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] = json!("other");
    let mut other = ask(&upgrade, "a", &other).await;
    for listener in [&mut mine, &mut theirs, &mut other] {
        assert_eq!(told(listener).await.len(), 1);
    }
    answer(&upgrade, "a", &touch("test://a")).await;
    assert_eq!(told(&mut mine).await.len(), 2);
    assert_eq!(told(&mut theirs).await.len() + told(&mut other).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_listener_holds_nobody_up() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let mut listener = ask(&upgrade, "a", &listen(&json!(1), &json!({"toolsListChanged": true}))).await;
    for _ in 0..100 {
        answer(&upgrade, "a", &touch("test://a")).await;
    }
    let told = told(&mut listener).await;
    assert!((2..20).contains(&told.len()), "{}", told.len());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_listened_to_is_refused() {
    let mut fake = Fake::new();
    let upgrade_ = upgrade(&fake);
    let many: Vec<String> = (0..300).map(|number| format!("test://{number}")).collect();
    for bad in [
        json!(null),
        json!([]),
        json!({"resourceSubscriptions": "x"}),
        json!({"resourceSubscriptions": [1]}),
        json!({"resourceSubscriptions": many}),
    ] {
        assert_eq!(answer(&upgrade_, "a", &listen(&json!(1), &bad)).await["error"]["code"], -32602);
    }
    // Only so many clients of a caller may listen.
    let mut listening = Vec::new();
    for number in 0..9 {
        let mut listen = listen(&json!(1), &json!({"toolsListChanged": true}));
        listen["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] = json!(number);
        let mut exchange = ask(&upgrade_, "a", &listen).await;
        let first = next(&mut exchange).await.unwrap().unwrap();
        assert_eq!(first["error"]["code"] == -32603, number == 8, "{first}");
        listening.push(exchange);
    }
    // A server that tells nothing is still listened to.
    fake.capabilities = json!({"resources": {}});
    let silent = upgrade(&fake);
    let wanted = json!({"toolsListChanged": true, "resourceSubscriptions": ["test://a"]});
    let mut listener = ask(&silent, "a", &listen(&json!(1), &wanted)).await;
    assert_eq!(next(&mut listener).await.unwrap().unwrap()["params"]["notifications"], json!({}));
    assert!(fake.heard("resources/subscribe").is_empty());
    drop(silent);
    assert!(matches!(next(&mut listener).await, Some(Err(SessionError::Ended(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_a_subscription_is_waited_for_once() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let mute = listen(&json!(1), &json!({"resourceSubscriptions": ["test://mute"]}));
    let mut listener = ask(&upgrade, "a", &mute).await;
    assert_eq!(told(&mut listener).await.len(), 1);
    let echo = call("echo", &json!({}));
    answer(&upgrade, "a", &echo).await;
    timeout(Duration::from_secs(1), answer(&upgrade, "a", &echo)).await.unwrap();
}
