use std::{io, path::PathBuf};

/// Why the bridge cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// Another program has the port.
    #[error(
        "port {port} on 127.0.0.1 is taken by another program. End that program, or set another `port` in \
         settings.toml and connect the clients again"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The system forbids it.
    #[error("port {port} on 127.0.0.1 may not be used: {source}. Set a `port` above 1023 in settings.toml")]
    Forbidden {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system could not do it.
    #[error("port {port} on 127.0.0.1 cannot be listened on: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

impl BridgeError {
    pub(super) fn listening(port: u16, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            Self::PortTaken { port }
        } else if source.kind() == io::ErrorKind::PermissionDenied {
            Self::Forbidden { port, source }
        } else {
            Self::Listen { port, source }
        }
    }
}

/// Why the bridge has no Unix socket. Its port is not affected.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path is longer than the system takes.
    #[error(
        "the path {} is {length} bytes long, and systems take about 100. Set CAISSON_HOME, or XDG_RUNTIME_DIR, to a \
         shorter one",
        .path.display()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// Others could get through to it.
    #[error("the folder {} is open to other users. Close it: chmod 700", .0.display())]
    Open(PathBuf),
    /// A folder that is not the user's: its owner could put another socket there.
    #[error("the folder {} belongs to another user", .0.display())]
    Foreign(PathBuf),
    /// Something else has the folder's name.
    #[error("{} is in the way: it is no folder", .0.display())]
    NotAFolder(PathBuf),
    /// Whoever is shown the folder would be shown this too.
    #[error("{} is in the socket's folder, which is to hold the socket alone. Remove it", .0.display())]
    NotAlone(PathBuf),
    /// The system refused.
    #[error("{} cannot be listened on: {source}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
