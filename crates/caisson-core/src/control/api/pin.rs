use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{Digest, PinMode, PinWarning, Quarantined, ServerName};

/// What is pinned of a server, or of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ShowPins {
    /// The server; all, when none is named.
    #[serde(default)]
    #[ts(optional)]
    pub server: Option<ServerName>,
}

/// The answer to [`ShowPins`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PinList {
    /// The servers, by name.
    pub servers: Vec<PinsView>,
}

/// What is pinned of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PinsView {
    /// The server.
    pub server: ServerName,
    /// What is done when it says something else.
    pub mode: PinMode,
    /// How many things it says of itself were accepted.
    pub accepted: u32,
    /// What is kept from clients.
    pub quarantined: Vec<Quarantined>,
    /// What to know about what was accepted.
    pub warnings: Vec<PinWarning>,
}

/// Accepts what is in quarantine, in place of what was accepted before, or refuses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DecidePins {
    /// The server.
    pub server: ServerName,
    /// What it is called; everything of the server, when nothing is named.
    #[serde(default)]
    #[ts(optional)]
    pub name: Option<String>,
    /// The digest of what was looked at: when the server has changed it again, nothing is decided.
    #[serde(default)]
    #[ts(optional)]
    pub digest: Option<Digest>,
    /// Whether it is accepted.
    pub accept: bool,
}

/// The answer to [`DecidePins`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DecidedPins {
    /// What was decided on.
    pub decided: Vec<Quarantined>,
}
