//! Asks an endpoint what it is.
//!
//! The requests carry no API version, since which one to use is what they find out; bollard's always do, and
//! an engine refuses those that are too new or too old for it. The connection is made here, too, so that its
//! error says whether the socket is missing, closed to us, or left behind by an engine that ended.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{Address, EngineKind, error::tidy, facts::Said};

/// How long one endpoint may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// No engine says more of itself.
const LONGEST_ANSWER: usize = 8 << 20;

/// Why an endpoint did not say what it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("it cannot be reached: {0}")]
    Connect(io::Error),
    #[error("it does not answer as an engine does: {0}")]
    Answer(String),
    #[error("it did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("{0}")]
    Unsupported(&'static str),
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Asks the engine at `address` what it is.
pub(super) async fn probe(address: &Address) -> Result<Said, ProbeError> {
    timeout(PATIENCE, async {
        let version: super::facts::Version = get(address, "/version").await?;
        let info = get(address, "/info").await?;
        let podman = match version.kind() {
            EngineKind::Podman => Some(get(address, "/v4.0.0/libpod/info").await?),
            EngineKind::Docker => None,
        };
        Ok(Said { version, info, podman })
    })
    .await
    .unwrap_or(Err(ProbeError::Silent))
}

async fn get<T: DeserializeOwned>(address: &Address, path: &str) -> Result<T, ProbeError> {
    let answer = |error: &dyn std::error::Error| ProbeError::Answer(tidy(&error.to_string()));
    let stream = TokioIo::new(connect(address).await?);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(|e| answer(&e))?;
    // Ends with the sender, at the end of this function.
    let driver = tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, "engine")
        .body(Empty::<Bytes>::new())
        .map_err(|e| answer(&e))?;
    let response = sender.send_request(request).await.map_err(|e| answer(&e))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
    let body = body.map_err(|error| ProbeError::Answer(tidy(&error.to_string())))?.to_bytes();
    drop(sender);
    driver.abort();
    if status != StatusCode::OK {
        return Err(ProbeError::Answer(format!("{status}: {}", tidy(&String::from_utf8_lossy(&body)))));
    }
    serde_json::from_slice(&body).map_err(|e| answer(&e))
}

async fn connect(address: &Address) -> Result<Box<dyn Connection>, ProbeError> {
    match address {
        Address::Unix(path) => unix(path).await.map_err(ProbeError::Connect),
        Address::Pipe(path) => pipe(path).map_err(ProbeError::Connect),
        Address::Tcp(place) => {
            TcpStream::connect(place.as_str()).await.map(|s| Box::new(s) as _).map_err(ProbeError::Connect)
        }
        Address::Unsupported { why, .. } => Err(ProbeError::Unsupported(why)),
    }
}

#[cfg(unix)]
async fn unix(path: &Path) -> io::Result<Box<dyn Connection>> {
    tokio::net::UnixStream::connect(path).await.map(|stream| Box::new(stream) as _)
}

#[cfg(not(unix))]
async fn unix(_path: &Path) -> io::Result<Box<dyn Connection>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(windows)]
fn pipe(path: &str) -> io::Result<Box<dyn Connection>> {
    let path = path.replace('/', "\\");
    tokio::net::windows::named_pipe::ClientOptions::new().open(path).map(|pipe| Box::new(pipe) as _)
}

#[cfg(not(windows))]
fn pipe(_path: &str) -> io::Result<Box<dyn Connection>> {
    Err(io::ErrorKind::Unsupported.into())
}
