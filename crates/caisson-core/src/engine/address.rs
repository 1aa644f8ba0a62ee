//! Where an engine listens.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A Windows named pipe, such as `//./pipe/docker_engine`.
    Pipe(String),
    /// Plain HTTP over TCP: host and port.
    Tcp(String),
    /// Something Caisson does not speak.
    Unsupported {
        /// The address as it was written.
        text: String,
        /// Why it cannot be used, and what to use in its place.
        why: &'static str,
    },
}

impl Address {
    /// Whether the engine behind it may be another machine's, with folders of its own.
    pub fn is_elsewhere(&self) -> bool {
        let Self::Tcp(place) = self else { return false };
        let host = place.rsplit_once(':').map_or(place.as_str(), |(host, _)| host);
        !matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }
}

impl From<&str> for Address {
    /// Reads what `DOCKER_HOST` and `CONTAINER_HOST` may hold, or a plain path.
    fn from(text: &str) -> Self {
        const TLS: &str = "TLS to an engine is not supported. Use its local socket, or forward it over SSH";
        const SSH: &str = "ssh:// is not supported. Forward the remote socket with `ssh -L` and use unix://";
        let unsupported = |why| Self::Unsupported { text: text.to_owned(), why };
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.starts_with('/') {
                Self::Unix(text.into())
            } else {
                unsupported("an address begins with unix://, npipe:// or tcp://")
            };
        };
        match scheme {
            "unix" if rest.starts_with('/') => Self::Unix(rest.into()),
            "unix" => unsupported("a socket's path must be absolute: unix:///path"),
            "npipe" => Self::Pipe(rest.to_owned()),
            "tcp" | "http" => {
                let place = rest.trim_end_matches('/');
                match place.rsplit_once(':').map(|(_, port)| u16::from_str(port)) {
                    // By convention, an engine speaks TLS on this port.
                    Some(Ok(2376)) => unsupported(TLS),
                    Some(Ok(_)) if !place.contains('/') => Self::Tcp(place.to_owned()),
                    None if !place.is_empty() && !place.contains('/') => Self::Tcp(format!("{place}:2375")),
                    _ => unsupported("an address of this kind is tcp://HOST:PORT"),
                }
            }
            "https" => unsupported(TLS),
            "ssh" => unsupported(SSH),
            _ => unsupported("an address begins with unix://, npipe:// or tcp://"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Pipe(path) => write!(f, "npipe://{path}"),
            Self::Tcp(place) => write!(f, "tcp://{place}"),
            Self::Unsupported { text, .. } => f.write_str(&super::error::tidy(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let unix = |path: &str| Address::Unix(path.into());
        for (text, meant) in [
            ("unix:///run/docker.sock", unix("/run/docker.sock")),
            ("/run/docker.sock", unix("/run/docker.sock")),
            ("npipe:////./pipe/docker_engine", Address::Pipe("//./pipe/docker_engine".into())),
            ("tcp://127.0.0.1:2375", Address::Tcp("127.0.0.1:2375".into())),
            ("tcp://engine.local/", Address::Tcp("engine.local:2375".into())),
            ("http://[::1]:8080", Address::Tcp("[::1]:8080".into())),
        ] {
            assert_eq!(Address::from(text), meant, "{text}");
        }
        for text in [
            "",
            "docker",
            "unix://x",
            "unix://",
            "tcp://",
            "tcp://h:2376",
            "tcp://h:99999",
            "tcp://h:1/x",
            "https://h:1",
            "ssh://me@h",
            "fd://",
        ] {
            assert!(matches!(Address::from(text), Address::Unsupported { .. }), "{text}");
        }
    }

    #[test]
    fn only_loopback_is_here() {
        for (text, elsewhere) in [
            ("tcp://localhost:2375", false),
            ("tcp://127.0.0.1:2375", false),
            ("tcp://[::1]:2375", false),
            ("tcp://10.0.0.1:2375", true),
            ("unix:///x", false),
        ] {
            assert_eq!(Address::from(text).is_elsewhere(), elsewhere, "{text}");
        }
    }
}
