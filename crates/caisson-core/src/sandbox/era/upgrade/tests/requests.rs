//! What crosses, and in what shape.

use proptest::prelude::*;

use super::*;

#[tokio::test(start_paused = true)]
async fn what_the_server_is_comes_from_its_hello() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let answer = answer(&upgrade, "a", &request(&json!("d"), "server/discover", &json!({}))).await;
    assert_eq!(
        answer["result"],
        json!({
            "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
            "capabilities": fake.capabilities, "instructions": "be kind", "unknown": [1, 2],
            "_meta": {"a": 1, "io.modelcontextprotocol/serverInfo": {"name": "fake", "version": "1"}},
        })
    );
    let (_, hello) = fake.heard("initialize").remove(0);
    assert_eq!(
        hello["params"]["capabilities"],
        json!({"sampling": {}, "roots": {}, "elicitation": {"form": {}, "url": {}}})
    );
    assert_eq!(hello["params"]["clientInfo"], json!({"name": "test", "version": "1"}));
    assert_eq!(fake.heard("notifications/initialized").len(), 1);
    assert!(fake.heard("server/discover").is_empty());
}

#[tokio::test(start_paused = true)]
async fn results_get_what_the_protocol_demands() {
    let upgrade = upgrade(&Fake::new());
    for method in ["prompts/list", "resources/list", "resources/templates/list", "resources/read"] {
        let answer = answer(&upgrade, "a", &request(&json!(7), method, &json!({"uri": "test://x"}))).await;
        assert_eq!(answer["result"]["resultType"], "complete", "{method}");
        assert_eq!(answer["result"]["ttlMs"], 0, "{method}");
        assert_eq!(answer["result"]["cacheScope"], "private", "{method}");
        assert_eq!(answer["result"]["params"]["_meta"], json!({}), "{method}");
    }
    for method in ["completion/complete", "x/unknown"] {
        let answer = answer(&upgrade, "a", &request(&json!("s"), method, &json!({"q": [1]}))).await;
        assert_eq!(answer["result"]["resultType"], "complete", "{method}");
        assert_eq!(answer["result"].get("ttlMs"), None, "{method}");
        assert_eq!(answer["result"]["method"], method);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_of_sessions_is_not_told_that_a_request_stands_alone() {
    let upgrade = upgrade(&Fake::new());
    let mut echo = call("echo", &json!({}));
    let theirs = json!({"progressToken": "p", "traceparent": "00-0af7-b7ad-01", "x-own": {"a": [1]}});
    echo["params"]["_meta"].as_object_mut().unwrap().extend(theirs.as_object().unwrap().clone());
    echo["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    assert_eq!(answer(&upgrade, "a", &echo).await["result"]["params"]["_meta"], theirs);
}

#[tokio::test(start_paused = true)]
async fn what_the_protocol_has_not_is_refused() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"] {
        let answer = answer(&upgrade, "a", &request(&json!(1), method, &json!({}))).await;
        assert_eq!(answer["error"]["code"], -32601, "{method}");
    }
    let mut bad = call("echo", &json!({}));
    bad["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("loud");
    assert_eq!(answer(&upgrade, "a", &bad).await["error"]["code"], -32602);
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/x"});
    assert_eq!(all(ask(&upgrade, "a", &notification).await).await[0]["error"]["code"], -32600);
    assert_eq!(fake.opened(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_not_there_is_a_matter_of_parameters() {
    let upgrade = upgrade(&Fake::new());
    let read = request(&json!(1), "resources/read", &json!({"uri": "test://none"}));
    let answer = answer(&upgrade, "a", &read).await;
    assert_eq!(
        answer["error"],
        json!({"code": -32602, "message": "Resource not found", "data": {"x": 1, "uri": "test://none"}})
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_requests_own_progress_is_told() {
    let upgrade = upgrade(&Fake::new());
    let mut progress = call("progress", &json!({}));
    let mut told = all(ask(&upgrade, "a", &progress).await).await;
    assert_eq!(told.len(), 2, "{told:?}");
    progress["params"]["_meta"]["progressToken"] = json!("p");
    told = all(ask(&upgrade, "a", &progress).await).await;
    assert_eq!(told[0]["params"], json!({"progressToken": "p", "progress": 1}));
    assert_eq!(told[1]["method"], "notifications/x/unknown");
    assert_eq!(told[2]["id"], 1);
    assert_eq!(told.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn logs_come_at_the_level_of_the_request() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let mut log = call("log", &json!({}));
    for (level, told) in [(None, 0), (Some("debug"), 2), (Some("debug"), 2), (Some("error"), 1), (None, 0)] {
        log["params"]["_meta"] = meta();
        if let Some(level) = level {
            log["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!(level);
        }
        assert_eq!(all(ask(&upgrade, "a", &log).await).await.len(), told + 1, "{level:?}");
    }
    let levels: Vec<_> =
        fake.heard("logging/setLevel").into_iter().map(|(_, set)| set["params"]["level"].clone()).collect();
    assert_eq!(levels, ["debug", "error"]);
    assert_eq!(fake.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_level_is_not_set_where_the_server_has_none() {
    let mut fake = Fake::new();
    fake.capabilities = json!({});
    let upgrade = upgrade(&fake);
    let mut log = call("log", &json!({}));
    log["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("warning");
    let told = all(ask(&upgrade, "a", &log).await).await;
    assert_eq!(told[0]["params"]["level"], "error");
    assert_eq!(told.len(), 2);
    assert!(fake.heard("logging/setLevel").is_empty());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn unknown_fields_cross_both_ways(unknown in any_json(), key in "x-[a-z]{1,6}", in_meta in any_json()) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let upgrade = upgrade(&Fake::new());
            let mut echo = call("echo", &unknown);
            echo["params"][&key] = unknown.clone();
            echo["params"]["_meta"][&key] = in_meta;
            let answer = answer(&upgrade, "a", &echo).await;
            echo["params"]["_meta"].as_object_mut().unwrap().retain(|key, _| meta().get(key).is_none());
            prop_assert_eq!(&answer["result"]["params"], &echo["params"]);
            Ok(())
        })?;
    }
}
