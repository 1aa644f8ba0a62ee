//! The collector, and how it answers.

use std::{fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, time::timeout};

/// So long it may take to take what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;

/// Where a collector listens: `http://HOST[:PORT]`, perhaps with a path before `/v1/logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CollectorUrl(Uri);

/// The text is no collector's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no collector's address: {0}. Write it as http://127.0.0.1:4318")]
pub struct CollectorUrlError(&'static str);

/// Why a collector has not taken what it was sent.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// It cannot be reached, or does not speak HTTP.
    #[error("the collector at {at} does not answer: {why}")]
    Unreachable {
        /// Its address.
        at: String,
        /// What the system said.
        why: String,
    },
    /// It has answered with an error.
    #[error("the collector at {at} answers {status}")]
    Failed {
        /// Its address.
        at: String,
        /// Its answer.
        status: StatusCode,
    },
    /// It says that it will not take this, however often it is sent (OTLP/HTTP, "Failures": 400).
    #[error("the collector at {at} does not take what it was sent")]
    NotTaken {
        /// Its address.
        at: String,
    },
}

/// A collector.
#[derive(Clone, Debug)]
pub(super) struct Collector(CollectorUrl);

/// What of an answer to a success matters.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Taken {
    partial_success: PartialSuccess,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PartialSuccess {
    error_message: String,
}

impl Collector {
    pub(super) fn new(at: CollectorUrl) -> Self {
        Self(at)
    }

    /// Sends a body of JSON to one of its paths.
    pub(super) async fn send(&self, path: &str, body: Vec<u8>) -> Result<(), CollectorError> {
        let posted = timeout(PATIENCE, self.post(path, body)).await;
        let (status, answer) = posted.unwrap_or_else(|_| Err(self.unreachable("it takes too long")))?;
        match status {
            StatusCode::BAD_REQUEST => Err(CollectorError::NotTaken { at: self.0.to_string() }),
            status if !status.is_success() => Err(CollectorError::Failed { at: self.0.to_string(), status }),
            _ => {
                let taken: Taken = serde_json::from_slice(&answer).unwrap_or_default();
                let complaint = taken.partial_success.error_message;
                if !complaint.is_empty() {
                    tracing::warn!(?complaint, "the collector has not taken all");
                }
                Ok(())
            }
        }
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), CollectorError> {
        let (host, port) = self.0.address();
        let stream = TcpStream::connect((host, port)).await.map_err(|error| self.unreachable(error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(error))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.0.path()))
            .header(header::HOST, self.0.authority())
            .header(header::USER_AGENT, concat!("caisson/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.unreachable(error))?;
        let answered = async {
            let answer = sender.send_request(request).await.map_err(|error| self.unreachable(error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
            // What is too long is not read; the status has said what matters.
            Ok((status, body.map(|body| body.to_bytes()).unwrap_or_default()))
        };
        let mut answered = std::pin::pin!(answered);
        tokio::select! {
            // The connection also ends when all is said.
            answered = &mut answered => answered,
            _ = connection => answered.await,
        }
    }

    fn unreachable(&self, why: impl ToString) -> CollectorError {
        CollectorError::Unreachable { at: self.0.to_string(), why: why.to_string() }
    }
}

impl CollectorUrl {
    fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    fn address(&self) -> (&str, u16) {
        let host = self.0.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        (bare.unwrap_or(host), self.0.port_u16().unwrap_or(80))
    }

    fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }
}

impl FromStr for CollectorUrl {
    type Err = CollectorUrlError;

    fn from_str(text: &str) -> Result<Self, CollectorUrlError> {
        let uri: Uri = text.parse().map_err(|_| CollectorUrlError("it has characters no address has"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(CollectorUrlError(
                    "https is not spoken: a collector on this machine can send it on that way",
                ));
            }
            Some(_) | None => return Err(CollectorUrlError("it does not begin with http://")),
        }
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                Err(CollectorUrlError("it holds a user or password, and this file is no place for secrets"))
            }
            Some(authority) if !authority.host().is_empty() => Ok(Self(uri)),
            Some(_) | None => Err(CollectorUrlError("it names no host")),
        }
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for CollectorUrl {
    type Error = CollectorUrlError;

    fn try_from(text: String) -> Result<Self, CollectorUrlError> {
        text.parse()
    }
}

impl From<CollectorUrl> for String {
    fn from(url: CollectorUrl) -> Self {
        url.to_string()
    }
}
