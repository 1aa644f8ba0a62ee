use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    audit::{AuditCheck, AuditEntry, ExportedEntry},
    model::ServerName,
};

/// What of the record is meant. What it does not name may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct AuditFilter {
    /// About this server.
    #[ts(optional)]
    pub server: Option<ServerName>,
    /// Entries with a higher number.
    #[ts(optional, type = "number")]
    pub after: Option<u64>,
    /// Entries with a lower number.
    #[ts(optional, type = "number")]
    pub before: Option<u64>,
    /// That happened then or later, in milliseconds since 1970.
    #[ts(optional, type = "number")]
    pub since: Option<u64>,
    /// That happened before, in milliseconds since 1970.
    #[ts(optional, type = "number")]
    pub until: Option<u64>,
    /// In which this client had a part.
    #[ts(optional)]
    pub client: Option<String>,
    /// In which this tool had a part.
    #[ts(optional)]
    pub tool: Option<String>,
    /// Of these kinds: `called`, `denied`; none means all.
    #[ts(as = "Option<Vec<String>>", optional)]
    pub kinds: Vec<String>,
    /// In which this text stands, upper and lower case (ASCII) being the same.
    #[ts(optional)]
    pub text: Option<String>,
}

/// What happened, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReadAudit {
    /// Which entries.
    #[serde(flatten)]
    pub filter: AuditFilter,
    /// So many, the latest; at most 10 000, and 100 where nothing is said.
    #[serde(default)]
    #[ts(optional)]
    pub last: Option<u32>,
    /// Send later ones too, as [`NoticeBody::Audit`](super::NoticeBody::Audit), until [`EndSubscription`](super::EndSubscription).
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub follow: bool,
}

/// The answer to [`ReadAudit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditList {
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

/// Entries as they are written, the oldest first, at most 5000 at a time: the next begin after the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportAudit {
    /// Which entries.
    #[serde(flatten)]
    pub filter: AuditFilter,
}

/// The answer to [`ExportAudit`].
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct AuditExport {
    /// The entries; none when there are no more.
    pub entries: Vec<ExportedEntry>,
}

/// Goes through the whole record, to see whether each entry follows from those before it, and whether what was kept apart
/// from it says the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CheckAudit {
    /// What [`AnchorAudit`] gave earlier, to be held against it, too.
    #[serde(default)]
    #[ts(as = "Option<Vec<String>>", optional)]
    pub anchors: Vec<String>,
}

/// The answer to [`CheckAudit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditReport {
    /// What was found.
    #[serde(flatten)]
    pub check: AuditCheck,
    /// The same in words, when it is not whole.
    pub problem: Option<String>,
    /// Where Caisson keeps what the record is held against.
    pub kept_in: Vec<String>,
}

/// Where the record ends: kept elsewhere, this shows later that nothing up to there was changed or cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AnchorAudit {
    /// Take the record as it is from here on, though it is not what it was.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub renew: bool,
}

/// The answer to [`AnchorAudit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditAnchor {
    /// The last entry's number and hash: `NUMBER:HASH`.
    pub anchor: String,
}
