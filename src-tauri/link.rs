//! The way to the process that owns the servers.

use caisson_core::control::{ControlClient, api::ApiError};
use serde::Serialize;
use ts_rs::TS;

/// How the way to the process that owns the servers stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "link", rename_all = "snake_case")]
pub(crate) enum Link {
    /// It is being looked for.
    Searching,
    /// It answers.
    Up {
        /// Whether this application is that process.
        host: bool,
    },
    /// There is none; it is looked for again by itself.
    Down {
        /// Why there is none, and what to do.
        problem: ApiError,
    },
}

/// The same, with the connection.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// It is being looked for.
    Searching,
    /// It answers.
    Up {
        /// The connection. Whoever asks uses this one: what was prepared on it is accepted on it.
        client: ControlClient,
        /// Whether this application is that process.
        host: bool,
    },
    /// There is none.
    Down {
        /// Why there is none, and what to do.
        problem: ApiError,
    },
}

impl Way {
    /// How it stands.
    pub(crate) fn link(&self) -> Link {
        match self {
            Self::Searching => Link::Searching,
            Self::Up { host, .. } => Link::Up { host: *host },
            Self::Down { problem } => Link::Down { problem: problem.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use ts_rs::Config;

    use super::*;

    /// `UPDATE_BINDINGS=1 cargo test -p caisson-desktop bindings` writes the file.
    #[test]
    fn the_bindings_in_the_window_are_those_of_this_shell() {
        let config = Config::new();
        let docs = Link::docs().unwrap_or_default();
        let text = format!(
            "// Generated from src-tauri/link.rs by `UPDATE_BINDINGS=1 cargo test -p caisson-desktop bindings`.\n\n\
             import type {{ ApiError }} from './api';\n\n{docs}export {}\n",
            Link::decl(&config)
        );
        let text: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
        let file =
            std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/ui/src/backend/bindings/desktop.ts"));
        if std::env::var_os("UPDATE_BINDINGS").is_some() {
            caisson_core::registry::atomic::write(file, text.as_bytes(), 0o644).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    }
}
