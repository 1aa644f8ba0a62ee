use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Digest, PinKind, ServerName};

/// What is done when a server says something else of itself than it did when it was installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum PinMode {
    /// What changed and what is new is kept from clients until the user accepts it.
    #[default]
    Strict,
    /// What changed is; what is new is taken.
    Additive,
    /// Nothing is.
    Off,
}

/// Something a server says of itself that is kept from clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Quarantined {
    /// The server.
    pub server: ServerName,
    /// What it is.
    pub kind: PinKind,
    /// What it is called. The server has named it: show it escaped.
    pub name: String,
    /// The digest of what it says, so that what is accepted is what was looked at.
    pub digest: Digest,
    /// Whether there was none of that name; else it was changed.
    pub is_new: bool,
    /// Whether the user has refused it.
    pub refused: bool,
    /// Since when, in seconds since 1970 (UTC).
    #[ts(type = "number")]
    pub since: u64,
    /// What is different, one member after the other.
    pub changes: Vec<MemberChange>,
}

/// What is different in one member of what a server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MemberChange {
    /// The member: `description`, `inputSchema`.
    pub member: String,
    /// Its text, old and new, in pieces. The server has written it: show it escaped.
    pub words: Vec<Words>,
}

/// Some words of a text that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Words {
    /// Whether they were there, and are.
    pub change: Change,
    /// The words, with the blanks between them.
    pub text: String,
}

/// Whether something was there, and is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was and is there.
    Same,
    /// It was there.
    Gone,
    /// It is there now.
    Come,
}

/// Something about what a server says of itself that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PinWarning {
    /// What it is about.
    pub kind: PinKind,
    /// What that is called. The server has named it: show it escaped.
    pub name: String,
    /// What to know.
    pub what: String,
}

impl fmt::Display for PinMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Additive => "additive",
            Self::Off => "off",
        })
    }
}
