//! The control API: how the CLI, the window, the tray and the shim talk to the process that owns the state.
//!
//! JSON-RPC 2.0, one message a line, on a Unix socket of the user's own (0600 in a 0700 folder) or a Windows
//! named pipe. Only the same user is served. [`api`] holds the types; nothing in here decides anything.

pub mod api;
pub mod bindings;
mod client;
mod connection;
mod lines;
mod message;
mod server;
mod service;
mod socket;
#[cfg(test)]
#[cfg(unix)]
mod tests;

#[cfg(unix)]
pub use client::BlockingSession;
pub use client::{ControlClient, Running, SessionStream};
pub use connection::serve_stream;
pub use lines::{LineError, LineReader};
pub use server::serve;
pub use service::{Call, CallError, DRAIN, Notices, Reply, Service, Session};
pub use socket::{Listener, SocketError};

/// The longest line either side takes, in bytes: a message of MCP of the largest size, and what JSON-RPC puts
/// around it.
pub const LONGEST_LINE: usize = (16 << 20) + (64 << 10);
