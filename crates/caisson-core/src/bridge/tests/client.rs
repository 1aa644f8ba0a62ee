//! A client that says exactly what a test wants it to say.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// One client, with its token and session.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) port: u16,
    /// The Unix socket it connects to, in the port's place.
    #[cfg(unix)]
    pub(super) socket: Option<std::path::PathBuf>,
    pub(super) path: String,
    pub(super) token: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Client {
    pub(super) fn new(port: u16, token: &str) -> Self {
        Self {
            port,
            #[cfg(unix)]
            socket: None,
            path: "/s/fake/mcp".to_owned(),
            token: token.to_owned(),
            headers: Vec::new(),
        }
    }

    pub(super) fn to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// With a header, in place of one of that name; without it, when the value is empty.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) async fn connect(&self) -> SendRequest<Full<Bytes>> {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            let unix = tokio::net::UnixStream::connect(socket).await.unwrap();
            let (sender, connection) = handshake(TokioIo::new(unix)).await.unwrap();
            tokio::spawn(connection);
            return sender;
        }
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub(super) async fn send(&self, method: Method, body: impl Into<Bytes>) -> Response<Incoming> {
        self.send_on(self.connect().await, method, body).await
    }

    pub(super) async fn send_on(
        &self,
        mut connection: SendRequest<Full<Bytes>>,
        method: Method,
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .uri(&self.path)
            .header(HOST, format!("127.0.0.1:{}", self.port))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .body(Full::new(body.into()))
            .unwrap();
        for (name, value) in &self.headers {
            request.headers_mut().remove(*name);
            if !value.is_empty() {
                request.headers_mut().append(*name, value.parse().unwrap());
            }
        }
        connection.send_request(request).await.unwrap()
    }

    pub(super) async fn post(&self, message: &Value) -> Response<Incoming> {
        self.send(Method::POST, message.to_string()).await
    }

    /// With the headers of a request without a session.
    pub(super) fn alone(self, method: &str, name: &str) -> Self {
        self.with("mcp-protocol-version", MODERN).with("mcp-method", method).with("mcp-name", name)
    }

    /// Asks without a session; `params` are completed with what must be in them.
    pub(super) async fn ask(&self, id: impl Into<Value>, method: &str, params: &Value) -> Response<Incoming> {
        let name = params["name"].as_str().unwrap_or_default();
        self.clone().alone(method, name).post(&request(id, method, params)).await
    }

    /// Opens a session, and is the client of that session from there on.
    pub(super) async fn initialized(self, version: &str) -> Self {
        let response = self.post(&initialize(version)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let id = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        assert!(id.len() >= 22 && id.bytes().all(|b| b.is_ascii_graphic()), "{id}");
        let client = self.with("mcp-session-id", &id);
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(client.post(&note).await.status(), StatusCode::ACCEPTED);
        client
    }

    /// Calls a tool, and returns all that comes back, in its order.
    pub(super) async fn call(&self, id: impl Into<Value>, name: &str, arguments: Value) -> Vec<Value> {
        messages(self.post(&call(id, name, arguments)).await).await
    }
}

pub(super) const MODERN: &str = "2026-07-28";

/// A request without a session.
pub(super) fn request(id: impl Into<Value>, method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

pub(super) fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": version}})
}

pub(super) fn call(id: impl Into<Value>, name: &str, arguments: Value) -> Value {
    let params = json!({"name": name, "arguments": arguments, "_meta": {"progressToken": 1}});
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params})
}

/// The status of a refusal, and its error's code and text.
pub(super) async fn refusal(response: Response<Incoming>) -> (u16, i64, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["jsonrpc"], "2.0");
    (status, body["error"]["code"].as_i64().unwrap(), body["error"]["message"].as_str().unwrap().to_owned())
}

/// A response's body, as text.
pub(super) async fn body(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// All messages of a response, whichever way they come.
pub(super) async fn messages(response: Response<Incoming>) -> Vec<Value> {
    assert_eq!(response.status(), StatusCode::OK);
    if response.headers()[CONTENT_TYPE] == "application/json" {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        return vec![serde_json::from_slice(&body).unwrap()];
    }
    let mut events = Events::of(response);
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.extend(event.message);
    }
    all
}

/// An event as it came.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: String,
    /// What it is called; a message, when it is not.
    pub(super) kind: String,
    /// Its data, as it came.
    pub(super) data: String,
    /// None when the event primes the stream.
    pub(super) message: Option<Value>,
}

/// The events of a response.
pub(super) struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    pub(super) fn of(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.starts_with(':') {
                    continue;
                }
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let data = field("data: ");
                let kind = field("event: ");
                let is_message = !data.is_empty() && matches!(kind.as_str(), "" | "message");
                let message = is_message.then(|| serde_json::from_str(&data).unwrap());
                return Some(Event { id: field("id: "), kind, data, message });
            }
            let frame = self.body.frame().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    }
}
