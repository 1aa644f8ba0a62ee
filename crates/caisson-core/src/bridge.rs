//! Speaks MCP to clients, over Streamable HTTP on this machine's loopback and a Unix socket. It forwards messages as the bytes
//! they came in, reads of them only what tells where they belong, and decides nothing: that is the gate's.
//! It must never listen on anything but these, nor send a message without the gate's permit.
//!
//! [`edge`] checks requests. [`legacy`] speaks the versions with sessions, [`http_sse`] the oldest of them: [`session`] ties a client to a process
//! of a server, [`stream`] carries messages back, whichever response they leave on. [`modern`] speaks those
//! without: a request, and what comes back on it. What the protocol asks is in MCP 2025-11-25 and 2026-07-28,
//! "Transports".

mod answer;
mod body;
mod connections;
mod edge;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod http_sse;
mod legacy;
mod local;
mod message;
mod meter;
mod modern;
mod negotiate;
mod nesting;
mod rates;
mod refusal;
mod route;
mod serve;
mod servers;
mod session;
#[cfg(unix)]
mod socket;
mod sse;
mod stream;
mod sweep;
mod version;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub use error::{BridgeError, SocketError};
pub use local::{LocalClient, LocalError};
pub use meter::Meter;
pub use serve::Listener;
pub use servers::{Installed, Servers};

use crate::gate::Gate;
use connections::Seats;
use modern::Exchanges;
use rates::Rates;
use session::Table;

/// How the bridge treats its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeSettings {
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// Sessions a client may have open at a time.
    pub sessions_per_client: usize,
    /// Requests without a session that a client may have open at a time, subscriptions among them.
    pub exchanges_per_client: usize,
    /// A session nobody uses for so long ends.
    pub idle: Duration,
    /// So long a server may take to answer `initialize`, once it runs.
    pub initialize_timeout: Duration,
    /// So long a server may say nothing on a request; progress counts as a word.
    pub request_timeout: Duration,
    /// Requests a client may make a second, for long; for a moment it may make more.
    pub requests_per_second: u32,
    /// Requests of a client that may be answered at a time, streams of events included.
    pub requests_at_once: usize,
    /// Connections at a time.
    pub connections: usize,
    /// So long the head of a request may take to arrive, once it has begun.
    pub head: Duration,
    /// So long its body may take.
    pub body: Duration,
    /// So long requests may still be answered when the bridge is to stop.
    pub drain: Duration,
}

impl Default for BridgeSettings {
    fn default() -> Self {
        Self {
            largest_body: 16 << 20,
            sessions_per_client: 256,
            exchanges_per_client: 256,
            idle: Duration::from_secs(30 * 60),
            initialize_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(600),
            requests_per_second: 10_000,
            requests_at_once: 1024,
            connections: 2048,
            head: Duration::from_secs(10),
            body: Duration::from_secs(120),
            drain: Duration::from_secs(5),
        }
    }
}

/// The bridge, before it listens.
pub struct Bridge {
    gate: Gate,
    servers: Arc<dyn Servers>,
    settings: BridgeSettings,
    meter: Option<Arc<dyn Meter>>,
}

/// What every connection shares.
struct Inner {
    port: u16,
    gate: Gate,
    servers: Arc<dyn Servers>,
    settings: BridgeSettings,
    sessions: Arc<Table>,
    exchanges: Arc<Exchanges>,
    rates: Arc<Rates>,
    seats: Arc<Seats>,
    /// What tells its numbers; none where nobody asked for that.
    meter: Option<Arc<dyn Meter>>,
    /// Held while it does.
    metering: tokio::sync::Mutex<()>,
    /// Cancelled when no new session is opened any more.
    draining: CancellationToken,
}

impl Bridge {
    /// A bridge before `servers`, with `gate` deciding.
    pub fn new(gate: Gate, servers: impl Servers, settings: BridgeSettings) -> Self {
        Self { gate, servers: Arc::new(servers), settings, meter: None }
    }

    /// With the numbers of `meter` at an address of their own.
    #[must_use]
    pub fn metered(self, meter: Arc<dyn Meter>) -> Self {
        Self { meter: Some(meter), ..self }
    }
}
