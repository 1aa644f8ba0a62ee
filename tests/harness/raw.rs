//! A client that says exactly what a test wants said, over Streamable HTTP.

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::clients::Access;

/// A client with a connection of its own.
pub struct RawClient {
    connection: SendRequest<Full<Bytes>>,
    access: Access,
    /// The session's name; none for a client that keeps none.
    session: Option<String>,
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
        let authority = access.url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(authority.expect("a URL")).await.expect("the bridge listens");
        let (connection, driver) = handshake(TokioIo::new(stream)).await.expect("HTTP is spoken");
        tokio::spawn(driver);
        let mut client = Self { connection, access: access.clone(), session: None };
        if !stands_alone {
            let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": {"name": "raw", "version": "1"}}});
            let response = client.post(&hello, &[]).await;
            let session = response.headers().get("mcp-session-id").expect("a session");
            client.session = Some(session.to_str().expect("visible").to_owned());
            messages(response).await;
            let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            messages(client.post(&initialized, &[]).await).await;
        }
        client
    }

    /// Calls a tool; gives all that comes back, the answer last.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn call(&mut self, id: u32, tool: &str, arguments: Value, token: Value) -> Vec<Value> {
        let mut meta = json!({"progressToken": token});
        let mut headers = Vec::new();
        if self.session.is_none() {
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
            headers.extend([
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", tool),
            ]);
        }
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": meta}});
        messages(self.post(&call, &headers).await).await
    }

    async fn post(&mut self, message: &Value, headers: &[(&str, &str)]) -> Response<Incoming> {
        let (host, path) = self.access.url["http://".len()..].split_once('/').expect("a path");
        let mut request = Request::post(format!("/{path}"))
            .header("host", host)
            .header("authorization", format!("Bearer {}", self.access.token))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(message.to_string().into())).expect("a request");
        self.connection.ready().await.expect("the connection stays");
        self.connection.send_request(request).await.expect("an answer begins")
    }
}

/// The messages of a response: of its event stream, or the one.
async fn messages(response: Response<Incoming>) -> Vec<Value> {
    let status = response.status();
    let is_stream = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let body = response.into_body().collect().await.expect("the answer comes whole").to_bytes();
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    if !is_stream {
        return serde_json::from_slice(&body).into_iter().collect();
    }
    let text = String::from_utf8(body.to_vec()).expect("events are text");
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ").filter(|data| !data.is_empty()));
    data.map(|data| serde_json::from_str(data).expect("a message")).collect()
}
