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
