//! What no server is asked.

use std::sync::atomic::Ordering;

use super::*;

#[tokio::test]
async fn a_token_that_may_be_another_clients_number_is_refused() {
    let Setup { hub, script, .. } = setup();
    for params in [
        r#"{"_meta":{"progressToken":1,"ProgressToken":5}}"#,
        r#"{"_meta":{"progressTo\u212aen":5}}"#,
        r#"{"_meta":{"progressToken":5,"progressToken":1}}"#,
        r#"{"_meta":{"progressToken":5},"_meta":{"progressToken":1}}"#,
        r#"{"_meta":{},"_Meta":{"progressToken":5}}"#,
    ] {
        let request = format!(r#"{{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{params}}}"#);
        let mut exchange = hub.ask(caller("a"), request.into()).await.unwrap();
        let answer = heard(&mut exchange).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("a"), &json!(-32602)), "{params}");
        assert!(next(&mut exchange).await.is_none());
    }
    assert_eq!(script.count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_too_large_once_it_is_rewritten_is_that_requests_own_fault() {
    let Setup { hub, mut processes, .. } = setup();
    let mut small = ask(&hub, "a", call(1, 1)).await;
    let mut process = processes.recv().await.unwrap();
    let request = process.hears().await;
    let mut large = call(2, 1);
    large["params"]["text"] = "x".repeat(16 << 20).into();
    let mut large = ask(&hub, "a", large).await;
    let answer = heard(&mut large).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(2), &json!(-32600)));
    assert!(answer["error"]["message"].as_str().unwrap().contains("larger"), "{answer}");
    drop(large);
    process.says(json!({"jsonrpc": "2.0", "id": request["id"], "result": {}})).await;
    assert_eq!(heard(&mut small).await["id"], 1);
    let silent = timeout(Duration::from_millis(50), process.from_client.recv()).await;
    assert!(silent.is_err(), "what was never asked is not cancelled");
}
