//! What the user can ask for in the tray's menu.

use std::{fmt, str::FromStr};

use caisson_core::model::{HostRule, QuestionId, ServerName};

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
    /// Let a call through that waits for a yes.
    Allow(QuestionId),
    /// Refuse a call that waits for a yes.
    Deny(QuestionId),
    /// Let a server reach a host.
    Reach {
        /// The server.
        server: ServerName,
        /// The host and port.
        rule: HostRule,
        /// Until the server stops.
        once: bool,
    },
    /// Keep a host from a server, and ask no more about it.
    Block {
        /// The server.
        server: ServerName,
        /// The host and port.
        rule: HostRule,
    },
    /// Keep what a server has changed of itself from clients, and ask no more about it.
    KeepAway {
        /// The server.
        server: ServerName,
        /// What was changed, as the server calls it.
        name: String,
    },
    /// Refuse every call.
    Lock,
    /// Let calls take their course again.
    Unlock,
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
            Self::Allow(id) => write!(f, "allow {id}"),
            Self::Deny(id) => write!(f, "deny {id}"),
            Self::Reach { server, rule, once: false } => write!(f, "reach {server} {rule}"),
            Self::Reach { server, rule, once: true } => write!(f, "reach-once {server} {rule}"),
            Self::Block { server, rule } => write!(f, "block {server} {rule}"),
            Self::KeepAway { server, name } => write!(f, "keep-away {server} {name}"),
            Self::Lock => f.write_str("lock"),
            Self::Unlock => f.write_str("unlock"),
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
                "lock" => Ok(Self::Lock),
                "unlock" => Ok(Self::Unlock),
                "open" => Ok(Self::Open),
                "quit" => Ok(Self::Quit),
                _ => Err(NoWish),
            },
            Some((verb @ ("allow" | "deny"), id)) => {
                let id = QuestionId(id.parse().map_err(|_| NoWish)?);
                Ok(if verb == "allow" { Self::Allow(id) } else { Self::Deny(id) })
            }
            Some((verb @ ("reach" | "reach-once" | "block" | "keep-away"), rest)) => {
                let (server, rest) = rest.split_once(' ').ok_or(NoWish)?;
                let server = server.parse().map_err(|_| NoWish)?;
                let rule = || rest.parse().map_err(|_| NoWish);
                match verb {
                    "keep-away" => Ok(Self::KeepAway { server, name: rest.to_owned() }),
                    "block" => Ok(Self::Block { server, rule: rule()? }),
                    verb => Ok(Self::Reach { server, rule: rule()?, once: verb == "reach-once" }),
                }
            }
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
            Wish::Restart(server.clone()),
            Wish::Reach { server: server.clone(), rule: "*.a.example:80".parse().unwrap(), once: true },
            Wish::Reach { server: server.clone(), rule: "[::1]:443".parse().unwrap(), once: false },
            Wish::Block { server: server.clone(), rule: "a.example".parse().unwrap() },
            Wish::KeepAway { server: server.clone(), name: "a tool\nwith blanks".into() },
            Wish::KeepAway { server, name: String::new() },
            Wish::PauseAll,
            Wish::ResumeAll,
            Wish::Allow(QuestionId(7)),
            Wish::Deny(QuestionId(8)),
            Wish::Lock,
            Wish::Unlock,
            Wish::Open,
            Wish::Quit,
        ] {
            assert_eq!(wish.to_string().parse(), Ok(wish));
        }
        for id in [
            "",
            "start",
            "start ",
            "start a/b",
            "remove example",
            "quit now",
            "allow",
            "allow x",
            "deny -1",
            "reach",
            "reach example",
            "reach example a b",
            "block a/b c.example",
            "keep-away example",
        ] {
            assert_eq!(id.parse::<Wish>(), Err(NoWish), "{id:?}");
        }
    }
}
