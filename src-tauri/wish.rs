//! What the user can ask for in the tray's menu.

use std::{fmt, str::FromStr};

use caisson_core::model::ServerName;

/// A wish, as a menu item carries it in its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Start a server.
    Start(ServerName),
    /// Stop a server.
    Stop(ServerName),
    /// Stop a server and start it again.
    Restart(ServerName),
    /// Stop all servers and start none.
    PauseAll,
    /// Let servers run again.
    ResumeAll,
    /// Show the window.
    Open,
    /// End this application.
    Quit,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(server) => write!(f, "start {server}"),
            Self::Stop(server) => write!(f, "stop {server}"),
            Self::Restart(server) => write!(f, "restart {server}"),
            Self::PauseAll => f.write_str("pause-all"),
            Self::ResumeAll => f.write_str("resume-all"),
            Self::Open => f.write_str("open"),
            Self::Quit => f.write_str("quit"),
        }
    }
}

/// The text is no menu item's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoWish;

impl FromStr for Wish {
    type Err = NoWish;

    fn from_str(id: &str) -> Result<Self, NoWish> {
        match id.split_once(' ') {
            None => match id {
                "pause-all" => Ok(Self::PauseAll),
                "resume-all" => Ok(Self::ResumeAll),
                "open" => Ok(Self::Open),
                "quit" => Ok(Self::Quit),
                _ => Err(NoWish),
            },
            Some((verb, server)) => {
                let server = server.parse().map_err(|_| NoWish)?;
                match verb {
                    "start" => Ok(Self::Start(server)),
                    "stop" => Ok(Self::Stop(server)),
                    "restart" => Ok(Self::Restart(server)),
                    _ => Err(NoWish),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        let server: ServerName = "example".parse().unwrap();
        for wish in [
            Wish::Start(server.clone()),
            Wish::Stop(server.clone()),
            Wish::Restart(server),
            Wish::PauseAll,
            Wish::ResumeAll,
            Wish::Open,
            Wish::Quit,
        ] {
            assert_eq!(wish.to_string().parse(), Ok(wish));
        }
        for id in ["", "start", "start ", "start a/b", "remove example", "quit now"] {
            assert_eq!(id.parse::<Wish>(), Err(NoWish), "{id:?}");
        }
    }
}
