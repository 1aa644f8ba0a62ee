use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ts_rs::TS;

use crate::{
    gate::{
        scan::{Action, Direction},
        tokens::TokenId,
    },
    model::{Digest, PinKind, Refused, SecretName, ServerName},
};

/// One entry of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditEntry {
    /// Its number, one more than that of the entry before it.
    #[ts(type = "number")]
    pub seq: u64,
    /// When, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at: u64,
    /// The server it is about.
    pub server: Option<ServerName>,
    /// What the server's container was for.
    pub phase: Phase,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening,
}

/// An entry as it is written.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ExportedEntry {
    /// Its number.
    #[ts(type = "number")]
    pub seq: u64,
    /// The entry: the very text that is hashed.
    #[ts(type = "unknown")]
    pub entry: Box<RawValue>,
    /// SHA-256 of the hash of the entry before it (its 32 bytes; before the first, 32 zeros) and of that text.
    pub hash: Digest,
}

/// What a container was for when something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Running the server.
    Run,
    /// Installing it.
    Install,
    /// Trying to break out of its plan.
    Verify,
}

/// What happened. What a server says of itself is in it as it is: show it escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happening {
    /// A container was started.
    Started {
        /// The digest of the plan it runs under.
        plan: Digest,
        /// The secrets it was given.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<SecretName>,
    },
    /// It could not be started.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// A container has ended by itself.
    Ended {
        /// Why.
        reason: String,
    },
    /// A container was stopped.
    Stopped,
    /// A connection was opened for it.
    Connected {
        /// The host it named.
        host: String,
        /// The TCP port.
        port: u16,
        /// Where it leads.
        address: SocketAddr,
    },
    /// A connection has ended.
    Closed {
        /// The host.
        host: String,
        /// The TCP port.
        port: u16,
        /// Bytes it sent.
        #[ts(type = "number")]
        sent: u64,
        /// Bytes it got.
        #[ts(type = "number")]
        received: u64,
        /// How long it was open, in milliseconds.
        #[ts(type = "number")]
        lasted: u64,
    },
    /// A connection was refused, or cut. The same again is noted once in a while.
    Refused {
        /// The host it named.
        host: String,
        /// The TCP port; 0 when only the name was asked for.
        port: u16,
        /// Why.
        why: Refused,
        /// The same in words.
        reason: String,
    },
    /// What it may reach was changed by the user.
    Rules {
        /// What was done: `allowed`, `allowed once`, `blocked`, `taken back`.
        change: String,
        /// The rule.
        rule: String,
    },
    /// A tool was called, and the call let through.
    Called {
        /// The call's number, counted from when Caisson started.
        #[ts(type = "number")]
        call: u64,
        /// Who called, as the user knows it.
        client: String,
        /// The token it showed; none for the user's own calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        token: Option<TokenId>,
        /// When that token ends, in seconds since 1970 (UTC); none means never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "number")]
        expires: Option<u64>,
        /// The tool.
        tool: String,
        /// What let it through.
        by: String,
        /// The digest of its arguments.
        arguments: Digest,
        /// Their bytes.
        #[ts(type = "number")]
        bytes: u64,
        /// The arguments as a person was or would be shown them, without secrets; where the user wants them kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        shown: Option<String>,
    },
    /// A call was answered.
    Answered {
        /// The call's number.
        #[ts(type = "number")]
        call: u64,
        /// Whether the answer says that it failed.
        failed: bool,
        /// The answer's bytes.
        #[ts(type = "number")]
        bytes: u64,
        /// How long it took, in milliseconds.
        #[ts(type = "number")]
        lasted: u64,
    },
    /// A call will not be answered: it was cancelled, or the server has ended.
    Unanswered {
        /// The call's number.
        #[ts(type = "number")]
        call: u64,
        /// How long it was waited for, in milliseconds.
        #[ts(type = "number")]
        lasted: u64,
    },
    /// A call was refused.
    Denied {
        /// Who called.
        client: String,
        /// The token it showed; none for the user's own calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        token: Option<TokenId>,
        /// When that token ends, in seconds since 1970 (UTC); none means never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional, type = "number")]
        expires: Option<u64>,
        /// The tool.
        tool: String,
        /// Why it was refused.
        reason: String,
    },
    /// A message carried what is looked for.
    Found {
        /// The kind of thing: `credential.github-token`.
        kind: String,
        /// What people call it.
        title: String,
        /// Where in the message it stood, as a JSON Pointer.
        place: String,
        /// What was done with it.
        action: Action,
        /// Which way the message went.
        direction: Direction,
        /// The tool it called, or answered for.
        tool: Option<String>,
        /// Who sent it, when it was a client.
        client: Option<String>,
    },
    /// A question about a call was settled.
    Decided {
        /// The question.
        #[ts(type = "number")]
        question: u64,
        /// Who called.
        client: String,
        /// The tool.
        tool: String,
        /// How: `allowed once`, `denied`, `denied, since nobody answered`.
        outcome: String,
    },
    /// What the server says of itself is not what was accepted: it is kept from clients.
    Quarantined {
        /// What it is.
        kind: PinKind,
        /// What it is called.
        name: String,
        /// Whether there was none of that name; else it was changed.
        is_new: bool,
    },
    /// The user has decided on what was kept from clients.
    Reviewed {
        /// What it is.
        kind: PinKind,
        /// What it is called.
        name: String,
        /// Whether it was accepted.
        accepted: bool,
    },
    /// The user has changed what holds, or a file of theirs that says it.
    Configured {
        /// What was changed.
        part: Part,
        /// Which one; may be empty where there is but one.
        name: String,
        /// How: `installed`, `set`, `revoked`.
        change: String,
    },
    /// The record is not what it was: see `caisson audit verify`.
    Tampered {
        /// What is wrong with it.
        reason: String,
    },
    /// Entries before this one were lost.
    Lost {
        /// How many.
        #[ts(type = "number")]
        entries: u64,
    },
}

/// What a user can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A server: installed, removed, permitted more or less.
    Server,
    /// A secret of a server's.
    Secret,
    /// A token of a client's.
    Token,
    /// What stands in a client's file.
    Client,
    /// A group of servers.
    Group,
    /// The rules on calls.
    Policy,
    /// What is allowed for longer than once.
    Grant,
    /// Whether all is refused.
    Lock,
    /// Whether servers may run.
    Pause,
    /// A server's workspace.
    Workspace,
    /// This record.
    Audit,
}

/// The kinds of happenings, as [`Happening::kind`] names them.
pub const KINDS: [&str; 19] = [
    "started",
    "not_started",
    "ended",
    "stopped",
    "connected",
    "closed",
    "refused",
    "rules",
    "called",
    "answered",
    "unanswered",
    "denied",
    "found",
    "decided",
    "quarantined",
    "reviewed",
    "configured",
    "tampered",
    "lost",
];

impl Happening {
    /// What kind of thing it is: the text of its member `what`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::NotStarted { .. } => "not_started",
            Self::Ended { .. } => "ended",
            Self::Stopped => "stopped",
            Self::Connected { .. } => "connected",
            Self::Closed { .. } => "closed",
            Self::Refused { .. } => "refused",
            Self::Rules { .. } => "rules",
            Self::Called { .. } => "called",
            Self::Answered { .. } => "answered",
            Self::Unanswered { .. } => "unanswered",
            Self::Denied { .. } => "denied",
            Self::Found { .. } => "found",
            Self::Decided { .. } => "decided",
            Self::Quarantined { .. } => "quarantined",
            Self::Reviewed { .. } => "reviewed",
            Self::Configured { .. } => "configured",
            Self::Tampered { .. } => "tampered",
            Self::Lost { .. } => "lost",
        }
    }
}
