//! The way through the bridge: Streamable HTTP on one kept connection, as a client's pool would use it.

use std::error::Error;

use caisson_tests::clients::Access;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::message;

/// An open session.
pub(crate) struct HttpWay {
    connection: SendRequest<Full<Bytes>>,
    authority: String,
    path: String,
    bearer: String,
    session: Option<String>,
}

impl HttpWay {
    /// Opens a session.
    pub(crate) async fn open(access: &Access) -> Result<Self, Box<dyn Error>> {
        let rest = access.url.strip_prefix("http://").ok_or("not http")?;
        let (authority, path) = rest.split_once('/').ok_or("no path")?;
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        let mut way = Self {
            connection,
            authority: authority.to_owned(),
            path: format!("/{path}"),
            bearer: format!("Bearer {}", access.token),
            session: None,
        };
        let opened = way.post(message::INITIALIZE).await?;
        let session = opened.0.headers().get("mcp-session-id").ok_or("no session id")?;
        way.session = Some(session.to_str()?.to_owned());
        way.post(message::INITIALIZED).await?;
        Ok(way)
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn call(&mut self, message: &str) -> Result<(), Box<dyn Error>> {
        let (_, body) = self.post(message).await?;
        let answered = body.windows(8).any(|window| window == b"\"result\"");
        if answered { Ok(()) } else { Err(String::from_utf8_lossy(&body).into_owned().into()) }
    }

    async fn post(&mut self, message: &str) -> Result<(Response<()>, Bytes), Box<dyn Error>> {
        let mut request = Request::post(&self.path)
            .header("Host", &self.authority)
            .header("Authorization", &self.bearer)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream");
        if let Some(session) = &self.session {
            request = request.header("Mcp-Session-Id", session).header("MCP-Protocol-Version", "2025-11-25");
        }
        self.connection.ready().await?;
        let response = self.connection.send_request(request.body(Full::from(message.to_owned()))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        if !head.status.is_success() {
            return Err(format!("{}: {}", head.status, String::from_utf8_lossy(&body)).into());
        }
        Ok((Response::from_parts(head, ()), body))
    }
}
