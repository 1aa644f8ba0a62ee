//! The local socket: a listener that serves its own user alone, and the way to connect to it.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{io, path::PathBuf};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::Listener;
pub(super) use system::{ReadHalf, WriteHalf, connect};

/// Why the control socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process answers on it.
    #[error("another process already answers on {}", .0.display())]
    Taken(PathBuf),
    /// Something that is no socket stands in its place.
    #[error("{} is in the way: it is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// Its folder belongs to someone else, who could put another socket in its place.
    #[error("the folder {} belongs to another user", .0.display())]
    ForeignFolder(PathBuf),
    /// The system refused.
    #[error("cannot listen on {}: {source}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
