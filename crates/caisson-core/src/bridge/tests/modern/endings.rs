//! How requests without a session end where the server is slow, silent, or ends them itself.

use super::*;

#[tokio::test]
async fn a_subscription_the_server_ends_is_complete() {
    let setup = Setup::new().await;
    let client = setup.client();
    for (said, before) in [(json!(["subscriptions/acknowledged", "cancelled"]), 1), (json!(["cancelled"]), 0)]
    {
        let listening = client.ask("s", LISTEN, &json!({"cancelled": said})).await;
        let heard = timeout(Duration::from_secs(5), messages(listening)).await.unwrap();
        assert_eq!(heard.len(), before + 1, "{heard:?}");
        let last = heard.last().unwrap();
        assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!("s"), &json!("complete")));
        assert_eq!(last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s");
    }
    counted(&setup.fake.stateless.cancelled, 2).await;
}

#[tokio::test]
async fn an_error_that_comes_a_little_late_still_has_its_status() {
    let setup = Setup::new().await;
    let (status, message) = whole(called(&setup.client(), 1, "slow error").await).await;
    assert_eq!((status, &message["error"]["code"]), (404, &json!(-32601)));
}

#[tokio::test]
async fn a_request_the_server_says_nothing_on_is_given_up() {
    let settings = BridgeSettings { request_timeout: Duration::from_millis(400), ..Default::default() };
    let setup = Setup::with(settings).await;
    let client = setup.client();
    let mut listening = Events::of(client.ask("s", LISTEN, &json!({"silent": true})).await);
    listening.next().await.unwrap();
    // Also one that waits for the server to start.
    for client in [client.clone(), client.clone().to("/s/mute/mcp")] {
        let (status, code, text) = refusal(called(&client, 1, "hang").await).await;
        assert_eq!((status, code, text.contains("request_timeout")), (504, -32001, true), "{text}");
    }
    let late = messages(called(&client, 2, "hang after a note").await).await;
    assert_eq!((late.len(), &late[1]["id"], &late[1]["error"]["code"]), (2, &json!(2), &json!(-32001)));
    counted(&setup.fake.stateless.cancelled, 3).await;
    // Whatever belongs to the request is a word, and who listens expects none.
    assert_eq!(messages(called(&client, 3, "steady").await).await[8]["result"], json!({}));
    assert!(timeout(Duration::from_millis(100), listening.next()).await.is_err());
    counted(&setup.fake.stateless.cancelled, 3).await;
}
