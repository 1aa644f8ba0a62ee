use std::io;

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
