mod alone;
mod beside;
mod cross;

use std::{convert::Infallible, net::SocketAddr, sync::Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    gate::{Permitted, permit_for_test},
    sandbox::{SessionReceiver, SessionSender},
};

struct Tcp {
    address: SocketAddr,
    /// Cancelled when the server's container has ended.
    ended: CancellationToken,
}

impl Tcp {
    fn at(address: SocketAddr) -> Self {
        Self { address, ended: CancellationToken::new() }
    }
}

impl Dial for Tcp {
    type Connection = TcpStream;
    type Place = ();

    async fn dial(&self) -> Result<(TcpStream, ()), SessionError> {
        let stream = TcpStream::connect(self.address).await;
        stream.map(|stream| (stream, ())).map_err(|error| SessionError::Ended(error.to_string()))
    }

    fn port(&self) -> u16 {
        self.address.port()
    }

    async fn ended(&self) -> SessionError {
        self.ended.cancelled().await;
        SessionError::Ended("its container ended".to_owned())
    }
}

/// What the server saw: method, session, version, last event and method of the message.
type Seen = Arc<Mutex<Vec<String>>>;

/// A server that keeps to the specification by the letter, and in its own ways.
async fn serve(seen: Seen) -> SocketAddr {
    serving(move |request| {
        let seen = seen.clone();
        async move { answer(&seen, request).await }
    })
    .await
}

async fn answer(seen: &Seen, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
    let method = message["method"].as_str().unwrap_or("-");
    seen.lock().unwrap().push(format!(
        "{} {} {} {} {method}",
        parts.method,
        header("mcp-session-id"),
        header("mcp-protocol-version"),
        header("last-event-id")
    ));
    let reply = |status: u16, kind: &str, body: String| {
        let response = Response::builder().status(status).header("content-type", kind);
        response.header("mcp-session-id", "s-1").body(Full::new(body.into())).unwrap()
    };
    let result = |result: Value| json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    let event = |message: &Value| format!("data: {message}\n\n");
    let note = json!({"jsonrpc": "2.0", "method": "notifications/x"});
    match (&parts.method, method) {
        (&Method::GET, _) if header("last-event-id") == "e-1" => {
            let late = json!({"jsonrpc": "2.0", "id": 7, "result": {"late": true}});
            reply(200, "text/event-stream", event(&late))
        }
        (&Method::GET, _) if header("last-event-id") == "-" => {
            let ask = json!({"jsonrpc": "2.0", "id": "q", "method": "roots/list"});
            reply(200, "text/event-stream", format!("id: g-1\nretry: 100000\n{}", event(&ask)))
        }
        (&Method::DELETE, _) => reply(200, "text/plain", String::new()),
        (_, "initialize") => {
            let pretty =
                serde_json::to_string_pretty(&result(json!({"protocolVersion": "2025-06-18"}))).unwrap();
            reply(200, "application/json", pretty)
        }
        (_, "stream") => {
            let body = format!(": hi\n\nid: e-0\ndata:\n\n{}{}", event(&note), event(&result(json!({}))));
            reply(200, "text/event-stream; charset=utf-8", body)
        }
        (_, "cut") => reply(200, "text/event-stream", "id: e-1\nretry: 100\ndata: \n\n".to_owned()),
        (_, "cut for good") => reply(200, "text/event-stream", event(&note)),
        (_, "html") => reply(200, "text/html", "<html>".to_owned()),
        (_, "fail") => reply(500, "text/plain", "out of \u{1b}order".to_owned()),
        (_, "error") => {
            let error =
                json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}});
            reply(400, "application/json", error.to_string())
        }
        (_, "gone") => reply(404, "text/plain", String::new()),
        _ => reply(202, "text/plain", String::new()),
    }
}

/// The same, with no room for the second connection.
struct Crowded(Tcp, std::sync::atomic::AtomicUsize);

impl Dial for Crowded {
    type Connection = TcpStream;
    type Place = ();

    async fn dial(&self) -> Result<(TcpStream, ()), SessionError> {
        if self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            return Err(SessionError::Crowded);
        }
        self.0.dial().await
    }

    fn port(&self) -> u16 {
        self.0.port()
    }

    async fn ended(&self) -> SessionError {
        self.0.ended().await
    }
}

struct Client {
    sender: SessionSender,
    receiver: SessionReceiver,
    ended: CancellationToken,
}

impl Client {
    fn to(address: SocketAddr) -> Self {
        Self::at(address, "/mcp")
    }

    fn at(address: SocketAddr, path: &str) -> Self {
        let tcp = Tcp::at(address);
        let ended = tcp.ended.clone();
        Self { ended, ..Self::through(tcp, path) }
    }

    fn through(dial: impl Dial, path: &str) -> Self {
        let ended = CancellationToken::new();
        let endpoint = Endpoint::new(dial, path).ok().unwrap();
        let (notes, _) = mpsc::unbounded_channel();
        let lease = Arc::new(Lease::new(0, notes));
        let (sender, receiver) = carried("http".parse().unwrap(), endpoint, lease).split();
        Self { sender, receiver, ended }
    }

    async fn say(&self, message: Value) {
        let permit = permit_for_test("http".parse().unwrap(), Permitted::Message);
        self.sender.send(permit, message.to_string().as_bytes()).await.unwrap();
    }

    async fn request(&self, id: u64, method: &str) {
        self.say(json!({"jsonrpc": "2.0", "id": id, "method": method})).await;
    }

    async fn hear(&mut self) -> Result<Value, SessionError> {
        let heard = timeout(Duration::from_secs(5), self.receiver.next()).await.unwrap().unwrap()?;
        assert!(!heard.contains(&b'\n'));
        Ok(serde_json::from_slice(&heard).unwrap())
    }
}

#[tokio::test]
async fn a_session_ends_with_the_container_although_nothing_is_asked() {
    let mut client = Client::to(serve(Seen::default()).await);
    client.request(0, "initialize").await;
    client.hear().await.unwrap();
    client.ended.cancel();
    assert!(matches!(client.hear().await, Err(SessionError::Ended(_))));
}

#[tokio::test]
async fn messages_cross_and_the_session_has_its_name() {
    let seen = Seen::default();
    let mut client = Client::to(serve(seen.clone()).await);
    client.request(0, "initialize").await;
    assert_eq!(client.hear().await.unwrap()["result"]["protocolVersion"], "2025-06-18");
    client.say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    assert_eq!(client.hear().await.unwrap()["method"], "roots/list");
    client.say(json!({"jsonrpc": "2.0", "id": "q", "result": {}})).await;
    client.request(1, "stream").await;
    assert_eq!(client.hear().await.unwrap()["method"], "notifications/x");
    assert_eq!(client.hear().await.unwrap()["id"], 1);
    client.request(7, "cut").await;
    assert_eq!(client.hear().await.unwrap()["result"]["late"], true);
    drop(client);
    let all = "DELETE s-1 2025-06-18 - -";
    timeout(Duration::from_secs(5), async {
        while !seen.lock().unwrap().iter().any(|line| line == all) {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen[0], "POST - - - initialize");
    assert_eq!(seen[1], "POST s-1 2025-06-18 - notifications/initialized");
    assert!(seen.contains(&"GET s-1 2025-06-18 e-1 -".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn what_goes_wrong_is_an_answer() {
    let mut client = Client::to(serve(Seen::default()).await);
    client.request(0, "initialize").await;
    client.hear().await.unwrap();
    for (method, text) in [
        ("html", "text/html"),
        ("fail", "500 Internal Server Error: out of \\u{1b}order"),
        ("error", "no"),
        ("accepted and forgotten", "202"),
    ] {
        client.request(3, method).await;
        let answer = client.hear().await.unwrap();
        assert_eq!(answer["id"], 3, "{method}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(text), "{answer}");
    }
    client.request(4, "cut for good").await;
    assert_eq!(client.hear().await.unwrap()["method"], "notifications/x");
    assert!(client.hear().await.unwrap()["error"]["message"].as_str().unwrap().contains("no answer"));
    client.request(5, "gone").await;
    assert!(matches!(client.hear().await, Err(SessionError::Ended(_))));
}

#[tokio::test]
async fn a_server_that_is_gone_ends_the_session() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = Client::to(listener.local_addr().unwrap());
    drop(listener);
    client.request(0, "initialize").await;
    assert!(matches!(client.hear().await, Err(SessionError::Ended(_))));
}

/// Serves HTTP with `answer` for each request.
async fn serving<B, F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> SocketAddr
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            tokio::spawn(async move {
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    address
}

/// A body of events, as they are put into the channel.
fn events_of(events: mpsc::Receiver<String>) -> UnsyncBoxBody<Bytes, Infallible> {
    let frames = futures::stream::unfold(events, |mut events| async {
        let event = events.recv().await?;
        Some((Ok(Frame::data(Bytes::from(event))), events))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn whole(text: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(text.into()).boxed_unsync()
}

#[test]
fn paths() {
    let is_path = |path: &str| {
        let address = "127.0.0.1:1".parse().unwrap();
        Endpoint::new(Tcp::at(address), path).is_ok()
    };
    assert!(is_path("/mcp") && is_path("/a/b?c=d"));
    for bad in ["", "mcp", "http://evil/mcp", "/a b", "/a\r\nX: y"] {
        assert!(!is_path(bad), "{bad}");
    }
}
