use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    egress::Trial,
    model::{HostRule, ServerName},
    sandbox::{Missed, Reached, Tried},
};

/// What a server may reach, has reached, and was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ShowNetwork {
    /// The server.
    pub server: ServerName,
}

/// The answer to [`ShowNetwork`], and to what changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NetworkView {
    /// What it may reach, as its file says.
    pub allowed: Vec<HostRule>,
    /// What it may reach until it stops.
    pub once: Vec<HostRule>,
    /// What it never reaches, as its file says.
    pub blocked: Vec<HostRule>,
    /// What it has reached since Caisson started, the latest first.
    pub reached: Vec<Reached>,
    /// What it was refused since then and nobody has decided on, the latest first.
    pub tried: Vec<Tried>,
    /// The user's files and folders that it looked for and does not see, the latest first.
    pub missed: Vec<Missed>,
}

/// Lets a server reach a host: for good, or until it stops. In force at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AllowHost {
    /// The server.
    pub server: ServerName,
    /// The host and port.
    pub rule: HostRule,
    /// Until the server stops.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub once: bool,
}

/// Keeps a host from a server for good, and asks no more about it. In force at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BlockHost {
    /// The server.
    pub server: ServerName,
    /// The host and port.
    pub rule: HostRule,
}

/// Takes back what was decided on a host, whatever it was. Connections that only it allowed are cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ForgetHost {
    /// The server.
    pub server: ServerName,
    /// The host and port, as they were allowed or blocked.
    pub rule: HostRule,
}

/// Shows a server a folder of the user's, at the same place inside. In force at its next start; one that is in use is
/// started again once nobody uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AllowFolder {
    /// The server.
    pub server: ServerName,
    /// The folder, absolute.
    pub folder: std::path::PathBuf,
    /// Whether the server may change what is in it.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub write: bool,
}

/// Runs a trial, which is to find out what a server needs, until [`EndSubscription`](super::EndSubscription). What
/// happens meanwhile comes as events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Learn {
    /// The server.
    pub server: ServerName,
    /// What it may meanwhile.
    pub trial: Trial,
}

/// The answer to [`Learn`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Learning {
    /// When the trial began, in milliseconds since 1970 (UTC), for [`Propose`].
    pub since: u64,
}

/// The smallest permissions under which a server could have done what it did since a trial began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Propose {
    /// The server.
    pub server: ServerName,
    /// Only what was reached and tried since then counts, in milliseconds since 1970 (UTC).
    pub since: u64,
}

/// The answer to [`Propose`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Proposal {
    /// Hosts to allow.
    pub allow: Vec<HostRule>,
    /// Folders to show, and whether it wants to change them.
    pub folders: Vec<Missed>,
    /// Hosts that are allowed and were not used.
    pub unused: Vec<HostRule>,
    /// What it was refused and cannot be allowed, in words.
    pub impossible: Vec<String>,
}
