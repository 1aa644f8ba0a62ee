//! Asks an endpoint what it is.
//!
//! The requests carry no API version, since which one to use is what they find out; bollard's always do, and
//! an engine refuses those that are too new or too old for it. The connection is made here, too, so that its
//! error says whether the socket is missing, closed to us, or left behind by an engine that ended.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{HeaderMap, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{
    Address,
    error::tidy,
    facts::{Ping, Said},
};

/// How long one endpoint may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(30);
/// No engine says more of itself.
const LONGEST_ANSWER: usize = 8 << 20;

/// Why an endpoint did not say what it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("it cannot be reached: {0}")]
    Connect(io::Error),
    #[error("it does not answer as an engine does: {0}")]
    Answer(String),
    #[error("it answers with status {status}: {text}")]
    Status { status: u16, text: String },
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
        let (headers, _) = get(address, "/_ping").await?;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let Some(api_version) = header("api-version") else {
            return Err(ProbeError::Answer("its answer lacks the header Api-Version".to_owned()));
        };
        let ping = Ping { api_version, podman_version: header("libpod-api-version") };
        // At once: Podman takes its time for each.
        let podman = async {
            match ping.podman_version {
                Some(_) => get_json(address, "/v4.0.0/libpod/info").await.map(Some),
                None => Ok(None),
            }
        };
        let (info, podman) = futures::try_join!(get_json(address, "/info"), podman)?;
        Ok(Said { ping, info, podman })
    })
    .await
    .unwrap_or(Err(ProbeError::Silent))
}

fn broken(error: &dyn std::error::Error) -> ProbeError {
    ProbeError::Answer(tidy(&error.to_string()))
}

/// What an engine says is wrong: `{"message": "…"}`.
fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    let said = serde_json::from_slice::<Said>(body).map(|said| said.message);
    tidy(&said.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()))
}

pub(super) async fn get_json<T: DeserializeOwned>(address: &Address, path: &str) -> Result<T, ProbeError> {
    let (_, body) = get(address, path).await?;
    serde_json::from_slice(&body).map_err(|error| broken(&error))
}

async fn get(address: &Address, path: &str) -> Result<(HeaderMap, Bytes), ProbeError> {
    let stream = TokioIo::new(connect(address).await?);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(|error| broken(&error))?;
    let request = Request::get(path).header(header::HOST, "engine").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| broken(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|error| broken(&*error))?.to_bytes();
        match head.status {
            StatusCode::OK => Ok((head.headers, body)),
            status => Err(ProbeError::Status { status: status.as_u16(), text: message(&body) }),
        }
    };
    // The connection moves the bytes; it ends with the answer, or with this future.
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        _ended = connection => answer.await,
    }
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
