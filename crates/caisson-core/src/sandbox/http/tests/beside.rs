//! Servers that speak HTTP+SSE alone.

use super::*;

type Stream = Arc<Mutex<Option<mpsc::Sender<String>>>>;

/// A server whose stream is at /sse, and which names `endpoint` as the address to post to.
async fn old(endpoint: &'static str) -> SocketAddr {
    let stream = Stream::default();
    serving(move |request| {
        let stream = stream.clone();
        async move { answer(&stream, endpoint, request).await }
    })
    .await
}

async fn answer(
    stream: &Stream,
    endpoint: &str,
    request: Request<Incoming>,
) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let (parts, body) = request.into_parts();
    let reply =
        |status: u16, text: &str| Response::builder().status(status).body(whole(text.to_owned())).unwrap();
    let target = parts.uri.path_and_query().unwrap().as_str();
    match (&parts.method, target) {
        (&Method::GET, "/a/sse") => {
            let (sender, receiver) = mpsc::channel(8);
            sender.send(format!("event: endpoint\r\ndata: {endpoint}\r\n\r\n")).await.unwrap();
            *stream.lock().unwrap() = Some(sender);
            let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
            response.body(events_of(receiver)).unwrap()
        }
        (&Method::POST, "/a/messages?session=1") => {
            let body = body.collect().await.unwrap().to_bytes();
            let message: Value = serde_json::from_slice(&body).unwrap();
            let id = &message["id"];
            let said = match message["method"].as_str() {
                Some("initialize") => {
                    json!({"jsonrpc": "2.0", "id": id, "result": {"protocolVersion": "2024-11-05"}})
                }
                Some("ask") => json!({"jsonrpc": "2.0", "id": "q", "method": "roots/list"}),
                Some("refuse") => return reply(413, "too much"),
                Some("close") => {
                    stream.lock().unwrap().take();
                    return reply(202, "Accepted");
                }
                Some(_) => return reply(202, "Accepted"),
                None => json!({"jsonrpc": "2.0", "id": 1, "result": {"heard": message["result"]}}),
            };
            let sender = stream.lock().unwrap().clone().unwrap();
            sender.send(format!("event: message\r\ndata: {said}\r\n\r\n")).await.unwrap();
            reply(202, "Accepted")
        }
        _ => reply(405, "Method Not Allowed"),
    }
}

async fn connected(endpoint: &'static str) -> Client {
    let mut client = Client::at(old(endpoint).await, "/a/sse");
    client.request(0, "initialize").await;
    assert_eq!(client.hear().await.unwrap()["result"]["protocolVersion"], "2024-11-05", "{endpoint}");
    client.say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    client
}

#[tokio::test]
async fn messages_cross_on_the_stream() {
    for endpoint in ["/a/messages?session=1", "messages?session=1", "./messages?session=1"] {
        let mut client = connected(endpoint).await;
        client.request(1, "ask").await;
        assert_eq!(client.hear().await.unwrap()["method"], "roots/list");
        client.say(json!({"jsonrpc": "2.0", "id": "q", "result": {"new": 1}})).await;
        assert_eq!(client.hear().await.unwrap()["result"]["heard"]["new"], 1);
        client.request(2, "refuse").await;
        let refused = client.hear().await.unwrap();
        assert_eq!(refused["id"], 2);
        assert!(refused["error"]["message"].as_str().unwrap().contains("413"), "{refused}");
    }
}

#[tokio::test]
async fn the_session_is_over_with_the_stream() {
    let mut client = connected("/a/messages?session=1").await;
    client.request(3, "close").await;
    assert!(matches!(client.hear().await, Err(SessionError::Ended(why)) if why.contains("stream")));
}

#[tokio::test]
async fn another_server_is_not_posted_to() {
    for endpoint in
        ["http://evil.example/x", "//evil.example/x", "http://127.0.0.1:1/x", "https://localhost/x"]
    {
        let mut client = Client::at(old(endpoint).await, "/a/sse");
        client.request(0, "initialize").await;
        let answer = client.hear().await.unwrap();
        assert!(answer["error"]["message"].as_str().unwrap().contains("405"), "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_neither_is_an_answer() {
    let mut client = Client::at(old("/x").await, "/nothing");
    client.request(0, "initialize").await;
    let answer = client.hear().await.unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(0), &json!(-32000)));
}
