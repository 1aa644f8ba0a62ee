//! A client that says exactly what a test wants said, over Streamable HTTP.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::clients::Access;

/// Headers of a request.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// A client with a connection of its own.
pub struct RawClient {
    connection: SendRequest<Full<Bytes>>,
    access: Access,
    /// The session's name; none for a client that keeps none.
    session: Option<String>,
    /// What it says that it can do.
    capabilities: Value,
}

impl std::fmt::Debug for RawClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawClient").field("session", &self.session).finish_non_exhaustive()
    }
}

impl RawClient {
    /// Connects and, unless its requests stand alone, opens a session.
    ///
    /// # Panics
    /// When that fails.
    pub async fn open(access: &Access, stands_alone: bool) -> Self {
        let version = if stands_alone { "2026-07-28" } else { "2025-11-25" };
        Self::of_version(access, version, json!({})).await.0
    }

    /// A client of a protocol version that says it can do this, and what a server says of itself to it: the answer to
    /// `initialize` or `server/discover`.
    ///
    /// # Panics
    /// When that fails.
    pub async fn of_version(access: &Access, version: &str, capabilities: Value) -> (Self, Value) {
        let connection = connect(access).await;
        let mut client = Self { connection, access: access.clone(), session: None, capabilities };
        if version == "2026-07-28" {
            let about = client.ask(0, "server/discover", json!({})).await.pop().expect("an answer");
            return (client, about);
        }
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": version, "capabilities": client.capabilities,
            "clientInfo": {"name": "raw", "version": "1"}}});
        let response = client.post(&hello, &[]).await;
        let session = response.headers().get("mcp-session-id").expect("a session");
        client.session = Some(session.to_str().expect("visible").to_owned());
        let about = messages(response).await.pop().expect("an answer");
        client.notify("notifications/initialized", json!({})).await;
        (client, about)
    }

    /// The session's name.
    ///
    /// # Panics
    /// When it has none.
    pub fn session(&self) -> &str {
        self.session.as_deref().expect("it keeps a session")
    }

    /// Calls a tool; gives all that comes back, the answer last.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn call(&mut self, id: u32, tool: &str, arguments: Value, token: Value) -> Vec<Value> {
        let meta = json!({"progressToken": token});
        self.ask(id, "tools/call", json!({"name": tool, "arguments": arguments, "_meta": meta})).await
    }

    /// Asks something; gives all that comes back, the answer last.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn ask(&mut self, id: u32, method: &str, params: Value) -> Vec<Value> {
        messages(self.begin(id, method, params).await).await
    }

    /// The result of what is asked.
    ///
    /// # Panics
    /// When it is answered with an error.
    pub async fn result(&mut self, id: u32, method: &str, params: Value) -> Value {
        let answer = self.ask(id, method, params).await.pop().expect("an answer");
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Asks something, and gives the answer as it begins.
    pub async fn begin(&mut self, id: u32, method: &str, mut params: Value) -> Response<Incoming> {
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        if self.session.is_none() {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            headers.extend([("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)]);
            if !name.is_empty() {
                headers.push(("mcp-name", &name));
            }
        }
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.post(&request, &headers).await
    }

    /// Tells something.
    ///
    /// # Panics
    /// When it is not taken.
    pub async fn notify(&mut self, method: &str, params: Value) {
        let note = json!({"jsonrpc": "2.0", "method": method, "params": params});
        messages(self.post(&note, &[]).await).await;
    }

    /// Tells something while an answer is still being read, on a connection of its own.
    ///
    /// # Panics
    /// When it is not taken.
    pub async fn notify_beside(&self, method: &str, params: Value) {
        let note = json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string();
        let headers = [("mcp-session-id", self.session())];
        let response = send(&self.access, Method::POST, &headers, &note).await;
        assert!(response.status().is_success(), "{response:?}");
    }

    /// Hears what belongs to no request, on a connection of its own. Returns when the server listens, too.
    ///
    /// # Panics
    /// When there is no such stream.
    pub async fn listen(&self) -> Heard {
        let session = [("mcp-session-id", self.session()), ("accept", "text/event-stream")];
        Heard::on(send(&self.access, Method::GET, &session, "").await)
    }

    async fn post(&mut self, message: &Value, headers: Headers<'_>) -> Response<Incoming> {
        let session = self.session.iter().map(|session| ("mcp-session-id", &**session));
        let headers: Vec<_> = headers.iter().copied().chain(session).collect();
        let request = request(&self.access, Method::POST, &headers, &message.to_string());
        self.connection.ready().await.expect("the connection stays");
        self.connection.send_request(request).await.expect("an answer begins")
    }
}

/// The messages of a stream, as they come.
#[derive(Debug)]
pub struct Heard {
    messages: Arc<Mutex<Vec<Value>>>,
    reading: JoinHandle<()>,
}

impl Heard {
    /// Reads a response of events until this is dropped.
    ///
    /// # Panics
    /// When it is none.
    pub fn on(response: Response<Incoming>) -> Self {
        assert!(response.status().is_success(), "{response:?}");
        let messages = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&messages);
        let reading = tokio::spawn(async move {
            let mut body = response.into_body();
            let mut pending = Vec::new();
            while let Some(Ok(frame)) = body.frame().await {
                pending.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = pending.drain(..=end).collect();
                    heard.lock().expect("nobody panics").extend(message(&String::from_utf8_lossy(&line)));
                }
            }
        });
        Self { messages, reading }
    }

    /// What was heard of a method.
    ///
    /// # Panics
    /// When a reader did.
    pub fn of(&self, method: &str) -> Vec<Value> {
        let messages = self.messages.lock().expect("nobody panics");
        messages.iter().filter(|message| message["method"] == method).cloned().collect()
    }

    /// Waits until so many messages of a method were heard.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn wait(&self, method: &str, many: usize) {
        let heard = async {
            while self.of(method).len() < many {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(Duration::from_secs(60), heard).await.is_ok(), "not {many} {method}: {self:?}");
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Sends one request on a connection of its own, and gives the answer as it begins.
///
/// # Panics
/// When there is none.
pub async fn send(access: &Access, method: Method, headers: Headers<'_>, body: &str) -> Response<Incoming> {
    let mut connection = connect(access).await;
    connection.send_request(request(access, method, headers, body)).await.expect("an answer begins")
}

async fn connect(access: &Access) -> SendRequest<Full<Bytes>> {
    let authority = access.url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let stream = TcpStream::connect(authority.expect("a URL")).await.expect("the bridge listens");
    let (connection, driver) = handshake(TokioIo::new(stream)).await.expect("HTTP is spoken");
    tokio::spawn(driver);
    connection
}

fn request(access: &Access, method: Method, headers: Headers<'_>, body: &str) -> Request<Full<Bytes>> {
    let (host, path) = access.url["http://".len()..].split_once('/').expect("a path");
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/{path}"))
        .header("host", host)
        .header("authorization", format!("Bearer {}", access.token))
        .header("content-type", "application/json");
    if headers.iter().all(|(name, _)| *name != "accept") {
        request = request.header("accept", "application/json, text/event-stream");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.to_owned().into())).expect("a request")
}

/// The id of the first event of a response, which is then given up.
///
/// # Panics
/// When no event has one.
pub async fn first_event(response: Response<Incoming>) -> String {
    let mut body = response.into_body();
    let mut text = String::new();
    while let Some(Ok(frame)) = body.frame().await {
        text += &String::from_utf8_lossy(frame.data_ref().map_or(&[][..], |data| data));
        if let Some((id, _)) = text.split_once("id: ").and_then(|(_, rest)| rest.split_once('\n')) {
            return id.to_owned();
        }
    }
    panic!("no event has an id: {text}")
}

/// The messages of a response: of its event stream, or the one.
///
/// # Panics
/// When it is a refusal, or breaks off.
pub async fn messages(response: Response<Incoming>) -> Vec<Value> {
    let status = response.status();
    let is_stream = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let body = response.into_body().collect().await.expect("the answer comes whole").to_bytes();
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    if !is_stream {
        return serde_json::from_slice(&body).into_iter().collect();
    }
    let text = String::from_utf8(body.to_vec()).expect("events are text");
    text.lines().filter_map(message).collect()
}

/// The message that a line of an event stream holds, if it does.
fn message(line: &str) -> Option<Value> {
    let data = line.trim_end().strip_prefix("data: ").filter(|data| !data.is_empty())?;
    Some(serde_json::from_str(data).expect("a message"))
}
