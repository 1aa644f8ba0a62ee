//! Streams of events that break off, and are resumed.

use hyper::{Response, body::Incoming};

use super::{client::Event, *};

/// A stream that is resumed after the event `id`.
async fn resumed(client: &Client, id: &str) -> Response<Incoming> {
    client.clone().with("last-event-id", id).send(Method::GET, "").await
}

/// The first event of one.
async fn first(client: &Client, id: &str) -> Event {
    Events::of(resumed(client, id).await).next().await.unwrap()
}

#[tokio::test]
async fn a_stream_that_breaks_off_again_and_again_is_resumed_where_it_was() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut events = Events::of(client.send(Method::GET, "").await);
    assert_eq!(events.next().await.unwrap().id, "0-0");
    for call in 1..=4 {
        client.call(call, "notify", json!({})).await;
    }
    for place in 1..=2 {
        assert_eq!(events.next().await.unwrap().id, format!("0-{place}"));
    }
    drop(events);
    // Each time the connection lasts for its first event alone, which has no message.
    let mut last = "0-2".to_owned();
    for _ in 0..2 {
        let event = first(&client, &last).await;
        assert_eq!((event.id.as_str(), event.message), ("0-2", None));
        last = event.id;
    }
    let mut events = Events::of(resumed(&client, &last).await);
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(events.next().await.unwrap().id);
    }
    assert_eq!(places, ["0-2", "0-3", "0-4"]);
    drop(events);
    // One that begins anew begins after what somebody was given.
    let mut anew = Events::of(client.send(Method::GET, "").await);
    let event = anew.next().await.unwrap();
    assert_eq!((event.id.as_str(), event.message), ("0-4", None));
}

#[tokio::test]
async fn what_the_server_asked_is_not_asked_again() {
    let setup = Setup::new().await;
    let client = setup.client().initialized(NEWEST).await;
    let mut events = Events::of(client.post(&call(5, "ask", json!({}))).await);
    events.next().await.unwrap();
    let asked = events.next().await.unwrap();
    assert_eq!(asked.message.unwrap()["id"], "ask-1");
    drop(events);
    let event = first(&client, &asked.id).await;
    let answer = json!({"jsonrpc": "2.0", "id": "ask-1", "result": {}});
    assert_eq!(client.post(&answer).await.status(), StatusCode::ACCEPTED);
    let last = messages(resumed(&client, &event.id).await).await;
    assert_eq!((last.len(), &last[0]["id"]), (1, &json!(5)), "{last:?}");
}
