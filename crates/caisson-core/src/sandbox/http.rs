//! A session with a server that speaks Streamable HTTP on a port of its container's loopback.

use std::{sync::Arc, time::Duration};

use caisson_wire::Stream;
use tokio::time::{Instant, sleep};

use super::{SandboxError, Session, SessionError, lease::Lease, link::Link};
use crate::model::ServerName;

/// Between two tries while the server does not listen yet.
const RETRY: Duration = Duration::from_millis(50);

/// Opens connections to the server's port.
pub(super) struct Connector {
    link: Arc<Link>,
    port: u16,
    /// Until then the server may take to listen.
    patience: Instant,
}

impl Connector {
    pub(super) fn new(link: Arc<Link>, port: u16, start_timeout: Duration) -> Self {
        Self { link, port, patience: Instant::now() + start_timeout }
    }

    /// Opens a connection. While the server is starting, waits until it listens.
    ///
    /// # Errors
    /// When the server has ended, or does not listen in time.
    pub(super) async fn connect(&self) -> Result<Stream, SessionError> {
        loop {
            match self.link.connect(self.port).await? {
                Ok(stream) => return Ok(stream),
                Err(_) if Instant::now() < self.patience => sleep(RETRY).await,
                Err(why) => {
                    let why = format!("it does not take connections on port {}: {why}", self.port);
                    return Err(SessionError::Ended(why));
                }
            }
        }
    }
}

/// Opens a session that talks to the endpoint `path` over connections of `connector`: made with
/// [`Session::carried`], it holds `lease` as long as it lives, and tells it when the server has answered.
///
/// # Errors
/// When the server does not take connections in time.
pub(super) async fn session(
    server: ServerName,
    path: &str,
    connector: Connector,
    lease: Arc<Lease>,
) -> Result<Session, SandboxError> {
    let ended =
        |error: SessionError| SandboxError::Ended { server: server.clone(), reason: error.to_string() };
    let _connection = connector.connect().await.map_err(ended)?;
    let (session, ends, incoming) = Session::carried(server.clone(), lease);
    let reason = format!("it speaks HTTP at {path}, and no adapter is built in");
    drop((ends, incoming.send(Err(SessionError::Protocol(reason))).await));
    Ok(session)
}
