use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{audit::AuditEntry, model::ServerName};

/// What happened, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReadAudit {
    /// To this server alone.
    #[serde(default)]
    #[ts(optional)]
    pub server: Option<ServerName>,
    /// Entries after this number.
    #[serde(default)]
    #[ts(optional)]
    pub after: Option<u64>,
    /// So many, the latest; at most 10 000, and 100 where nothing is said.
    #[serde(default)]
    #[ts(optional)]
    pub last: Option<u32>,
}

/// The answer to [`ReadAudit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditList {
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

/// Goes through the whole record, to see whether each entry follows from those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CheckAudit {}

/// The answer to [`CheckAudit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditReport {
    /// Entries looked at.
    pub entries: u64,
    /// The number of the first that does not follow; none: the record is whole.
    pub broken_at: Option<u64>,
}
