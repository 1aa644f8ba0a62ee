use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, Uri,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use url::{Position, Url};

use super::{Dial, SessionError};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Connections that are kept for the next request.
const MOST_IDLE: usize = 4;

/// A server's endpoint, and what its session is called there.
pub(super) struct Endpoint<D> {
    dial: D,
    path: Uri,
    host: HeaderValue,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    session: OnceLock<HeaderValue>,
    version: OnceLock<HeaderValue>,
}

/// A response that begins, and the connection it comes on.
pub(super) struct Reply {
    pub(super) response: Response<Incoming>,
    connection: SendRequest<Full<Bytes>>,
}

/// Why there is no reply.
pub(super) enum NoReply {
    /// The server cannot be reached any more.
    Over(SessionError),
    /// There is no room for another connection.
    Full(SessionError),
    /// It closed the connection in place of a reply.
    Broken(String),
}

impl<D: Dial> Endpoint<D> {
    /// The endpoint `path`, reached through `dial`.
    pub(super) fn new(dial: D, path: &str) -> Result<Self, String> {
        let fault = || format!("\"{}\" is not the path of an HTTP endpoint", path.escape_debug());
        let path: Uri = path.parse().map_err(|_| fault())?;
        if path.authority().is_some() || !path.path().starts_with('/') {
            return Err(fault());
        }
        let host = HeaderValue::try_from(format!("127.0.0.1:{}", dial.port())).map_err(|_| fault())?;
        let (session, version) = (OnceLock::new(), OnceLock::new());
        Ok(Self { dial, path, host, idle: Mutex::default(), session, version })
    }

    /// Waits until the server takes connections, and keeps one.
    pub(super) async fn reach(&self) -> Result<(), SessionError> {
        let connection = match self.connect().await {
            Ok(connection) => connection,
            Err(NoReply::Over(error) | NoReply::Full(error)) => return Err(error),
            Err(NoReply::Broken(why)) => return Err(SessionError::Protocol(why)),
        };
        self.keep(connection);
        Ok(())
    }

    /// Posts a message, with more headers.
    pub(super) async fn post(&self, message: Bytes, more: HeaderMap) -> Result<Reply, NoReply> {
        self.post_to(self.path.clone(), message, more).await
    }

    /// Posts a message to another address of the server.
    pub(super) async fn post_to(
        &self,
        address: Uri,
        message: Bytes,
        more: HeaderMap,
    ) -> Result<Reply, NoReply> {
        let mut request = self.request(Method::POST, message);
        *request.uri_mut() = address;
        let headers = request.headers_mut();
        headers.extend(more);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        self.send(request).await
    }

    /// The address that `named` means here (RFC 3986, section 5); none when it is not the same server's.
    pub(super) fn resolve(&self, named: &str) -> Option<Uri> {
        let base = Url::parse(&format!("http://127.0.0.1:{}{}", self.dial.port(), self.path)).ok()?;
        let address = base.join(named).ok()?;
        let is_loopback = matches!(address.host_str(), Some("127.0.0.1" | "localhost"));
        let is_ours = is_loopback && address.scheme() == "http" && address.port() == base.port();
        address[Position::BeforePath..Position::AfterQuery].parse().ok().filter(|_| is_ours)
    }

    /// Asks for the stream of what belongs to no request, or for one that goes on after the event `seen`.
    pub(super) async fn get(&self, seen: Option<&str>) -> Result<Reply, NoReply> {
        let mut request = self.request(Method::GET, Bytes::new());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(seen) = seen.and_then(|seen| HeaderValue::from_str(seen).ok()) {
            headers.insert(LAST_EVENT_ID, seen);
        }
        self.send(request).await
    }

    /// Says that the session is over, if it has a name.
    pub(super) async fn delete(&self) {
        if self.has_session() {
            let request = self.request(Method::DELETE, Bytes::new());
            if let Err(NoReply::Broken(why)) = self.send(request).await {
                tracing::debug!(why, "an HTTP server did not take the end of its session");
            }
        }
    }

    /// Returns when the server has ended, with the reason.
    pub(super) async fn ended(&self) -> SessionError {
        self.dial.ended().await
    }

    /// Whether the server gave its session a name.
    pub(super) fn has_session(&self) -> bool {
        self.session.get().is_some()
    }

    /// Takes note of what the answer to `initialize` says: the first of each counts.
    pub(super) fn agree(&self, session: Option<HeaderValue>, version: Option<&str>) {
        if let Some(session) = session {
            drop(self.session.set(session));
        }
        if let Some(version) = version.and_then(|version| HeaderValue::from_str(version).ok()) {
            drop(self.version.set(version));
        }
    }

    /// Keeps the connection of a reply that was read to its end.
    pub(super) fn done(&self, reply: Reply) {
        self.keep(reply.connection);
    }

    fn request(&self, method: Method, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.path.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        for (name, value) in [(SESSION_ID, self.session.get()), (VERSION, self.version.get())] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        request
    }

    async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Reply, NoReply> {
        while let Some(mut connection) = self.take() {
            // The server may have closed it meanwhile; then the request comes back unsent.
            if connection.ready().await.is_err() {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => return Ok(Reply { response, connection }),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(NoReply::Broken(error.into_error().to_string())),
                },
            }
        }
        let mut connection = self.connect().await?;
        match connection.send_request(request).await {
            Ok(response) => Ok(Reply { response, connection }),
            Err(error) => Err(NoReply::Broken(error.to_string())),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, NoReply> {
        let (stream, place) = self.dial.dial().await.map_err(|error| {
            if matches!(error, SessionError::Crowded) { NoReply::Full(error) } else { NoReply::Over(error) }
        })?;
        let broken = |error: hyper::Error| NoReply::Broken(error.to_string());
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // How it ends, whoever uses it learns.
        tokio::spawn(async move {
            drop(connection.await);
            drop(place);
        });
        Ok(sender)
    }

    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && !connection.is_closed() {
            idle.push(connection);
        }
    }
}
