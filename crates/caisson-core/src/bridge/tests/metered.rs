//! The numbers' address: there where it was asked for, and for a token of its own.

use futures::future::BoxFuture;

use super::*;
use crate::bridge::Meter;

struct Fixed;

impl Meter for Fixed {
    fn read(&self) -> BoxFuture<'_, String> {
        Box::pin(async { "caisson_calls_total 1\n".to_owned() })
    }
}

#[tokio::test]
async fn the_numbers_are_told_to_a_token_of_their_own() {
    let setup = Setup::of(BridgeSettings::default(), Some(Arc::new(Fixed))).await;
    let issue = |scope| setup.gate.tokens().issue("collector", scope, None, SystemTime::now()).unwrap().1;
    let text = issue(Scope::Metrics);
    let collector = Client::new(setup.port, text.expose()).to("/metrics");
    let response = collector.send(Method::GET, "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(client::body(response).await, "caisson_calls_total 1\n");

    let calls = setup.client().to("/metrics");
    for (client, method, status) in [
        (calls, Method::GET, 403),
        (collector.clone().with("authorization", ""), Method::GET, 401),
        (collector.clone().with("authorization", "Bearer csn_wrong"), Method::GET, 401),
        (collector.clone().with("host", "evil.com"), Method::GET, 421),
        (collector.clone().with("origin", "http://evil.com"), Method::GET, 403),
        (collector.clone(), Method::POST, 405),
        (collector.clone().to("/metrics/"), Method::GET, 404),
        // It is a token for nothing else.
        (collector.clone().to("/s/fake/mcp"), Method::GET, 403),
        (collector.clone().to("/g/fake/mcp"), Method::GET, 403),
    ] {
        let (got, _, text) = refusal(client.send(method, "").await).await;
        assert_eq!(got, status, "{:?}: {text}", client.headers);
    }
    let session = collector.to("/s/fake/mcp").post(&initialize(NEWEST)).await;
    assert_eq!(refusal(session).await.0, 403);
}

#[tokio::test]
async fn where_nobody_asked_for_them_there_are_none() {
    let setup = Setup::new().await;
    let issued = setup.gate.tokens().issue("collector", Scope::Metrics, None, SystemTime::now()).unwrap().1;
    let collector = Client::new(setup.port, issued.expose()).to("/metrics");
    assert_eq!(refusal(collector.send(Method::GET, "").await).await.0, 404);
}
