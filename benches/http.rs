//! The way through a bridge: Streamable HTTP on one kept connection, as a client's pool would use it.

use std::time::Duration;

use caisson_tests::clients::Access;
use http_body_util::{BodyExt, Full};
use hyper::{Request as HttpRequest, body::Bytes, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    Fallible,
    protocol::{INITIALIZED, Request},
};

/// So long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open session, on a connection of its own.
pub(crate) struct HttpWay {
    connection: SendRequest<Full<Bytes>>,
    authority: String,
    path: String,
    bearer: String,
    session: Option<String>,
}

impl HttpWay {
    /// Connects and opens a session.
    pub(crate) async fn open(access: &Access) -> Fallible<Self> {
        let rest = access.url.strip_prefix("http://").ok_or("not http")?;
        let (authority, path) = rest.split_once('/').ok_or("no path")?;
        let mut way = Self {
            connection: connect(authority).await?,
            authority: authority.to_owned(),
            path: format!("/{path}"),
            bearer: format!("Bearer {}", access.token),
            session: None,
        };
        way.call(&Request::initialize()).await?;
        if way.session.is_none() {
            return Err("the answer to initialize names no session".into());
        }
        way.exchange("POST", INITIALIZED).await?;
        Ok(way)
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn call(&mut self, request: &Request) -> Fallible<()> {
        request.check(&self.exchange("POST", &request.body).await?)
    }

    /// Ends the session.
    pub(crate) async fn close(mut self) -> Fallible<()> {
        self.exchange("DELETE", "").await.map(drop)
    }

    async fn exchange(&mut self, method: &str, body: &str) -> Fallible<Bytes> {
        // A server may close a connection that was idle; a pool then opens another.
        if self.connection.ready().await.is_err() {
            self.connection = connect(&self.authority).await?;
        }
        let mut request = HttpRequest::builder()
            .method(method)
            .uri(&self.path)
            .header("Host", &self.authority)
            .header("Authorization", &self.bearer)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream");
        if let Some(session) = &self.session {
            request = request.header("Mcp-Session-Id", session).header("MCP-Protocol-Version", "2025-11-25");
        }
        let request = request.body(Full::from(body.to_owned()))?;
        let exchange = async {
            let (head, body) = self.connection.send_request(request).await?.into_parts();
            Ok::<_, hyper::Error>((head, body.collect().await?.to_bytes()))
        };
        let (head, body) = timeout(PATIENCE, exchange).await.map_err(|_| "no answer within a minute")??;
        if !head.status.is_success() {
            return Err(format!("{}: {}", head.status, String::from_utf8_lossy(&body)).into());
        }
        if let Some(session) = head.headers.get("mcp-session-id") {
            self.session = Some(session.to_str()?.to_owned());
        }
        Ok(body)
    }
}

async fn connect(authority: &str) -> Fallible<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    Ok(connection)
}
