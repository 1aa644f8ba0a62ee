//! A session with a server that speaks HTTP on a port of its container's loopback: Streamable HTTP (MCP
//! 2025-11-25, "Transports"), the HTTP+SSE of before, or requests that stand alone. To everyone above it is a
//! session like any other. What is said first decides how it is carried.

mod alone;
mod beside;
mod carrier;
mod endpoint;
mod events;
mod room;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use caisson_wire::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep},
};

pub(super) use self::room::{Guest, Room};
use self::{carrier::Carrier, endpoint::Endpoint, room::Share};
use super::{SandboxError, Session, SessionError, lease::Lease, link::Link};
use crate::model::ServerName;

/// Between two tries while the server does not listen yet.
const RETRY: Duration = Duration::from_millis(50);

/// Opens connections to the server's port.
pub(super) struct Connector {
    link: Arc<Link>,
    guest: Guest,
    port: u16,
    /// Until then the server may take to listen.
    patience: Instant,
}

impl Connector {
    pub(super) fn new(link: Arc<Link>, guest: Guest, port: u16, start_timeout: Duration) -> Self {
        Self { link, guest, port, patience: Instant::now() + start_timeout }
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

/// What connections to a server come from: its container, or a test.
trait Dial: Send + Sync + 'static {
    /// A connection.
    type Connection: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// What is held as long as the connection.
    type Place: Send + 'static;

    /// Opens a connection. The session is over when that cannot be, unless there is no room for it.
    fn dial(&self) -> impl Future<Output = Result<(Self::Connection, Self::Place), SessionError>> + Send;

    /// The port the server listens on.
    fn port(&self) -> u16;

    /// Returns when there will be no more connections, with the reason.
    fn ended(&self) -> impl Future<Output = SessionError> + Send;
}

impl Dial for Connector {
    type Connection = Stream;
    type Place = Share;

    async fn dial(&self) -> Result<(Stream, Share), SessionError> {
        let place = self.guest.take_place()?;
        Ok((self.connect().await?, place))
    }

    fn port(&self) -> u16 {
        self.port
    }

    async fn ended(&self) -> SessionError {
        SessionError::Ended(self.link.ended().await.reason)
    }
}

/// Opens a session that talks to the endpoint `path` over connections of `connector`. It holds `lease` as long
/// as it lives, and tells it when the server has answered.
///
/// # Errors
/// When the server does not take connections in time.
pub(super) async fn session(
    server: ServerName,
    path: &str,
    connector: Connector,
    lease: Arc<Lease>,
) -> Result<Session, SandboxError> {
    let ended = |reason: String| SandboxError::Ended { server: server.clone(), reason };
    let endpoint = Endpoint::new(connector, path).map_err(ended)?;
    endpoint.reach().await.map_err(|error| ended(error.to_string()))?;
    Ok(carried(server.clone(), endpoint, lease))
}

fn carried(server: ServerName, endpoint: Endpoint<impl Dial>, lease: Arc<Lease>) -> Session {
    let (session, ends, incoming) = Session::carried(server.into(), Some(lease.clone()));
    let carrier = Arc::new(Carrier::new(endpoint, incoming, lease));
    tokio::spawn(carrier.carry(ends.outgoing));
    session
}
