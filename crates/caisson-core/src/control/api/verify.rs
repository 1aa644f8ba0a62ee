use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{ServerName, Verification};

/// Tries to break out of a server's container, in another that is made from the same plan, and answers with what
/// happened; it takes some seconds. Sends [`super::NoticeBody::Progress`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct VerifyServer {
    /// The server.
    pub server: ServerName,
    /// Try nothing, and answer with what was found the last time.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub last: bool,
}

/// The answer to [`VerifyServer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct VerifyReport {
    /// The server.
    pub server: ServerName,
    /// The same at a glance.
    pub verified: Verified,
    /// Every probe, and what it holds for.
    #[serde(flatten)]
    pub verification: Verification,
}

/// What the last verification of a server has found, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Verified {
    /// When, in seconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at: u64,
    /// How many probes did not get through.
    pub held: usize,
    /// How many did, or did not answer.
    pub broken: usize,
    /// How many could not be tried on this engine, under this plan.
    pub not_applicable: usize,
    /// Whether the plan or the engine is another by now, or cannot be known: verify again.
    pub stale: bool,
}
