use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Digest;

/// What `caisson verify` found: every probe's result, and what it holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Verification {
    /// When, in seconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at: u64,
    /// The digest of the plan that was tried.
    pub plan: Digest,
    /// The engine it ran on.
    pub engine: EngineIdentity,
    /// Every probe, in the order of the groups.
    pub probes: Vec<ProbeResult>,
}

/// What of an engine a verification holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EngineIdentity {
    /// `Podman` or `Docker`.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// The runtime in use, such as `runc`.
    pub runtime: String,
    /// Whether it runs as an ordinary user.
    pub rootless: bool,
}

/// How one try to break out ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProbeResult {
    /// The probe's name, which stays: `raw-socket`.
    pub name: String,
    /// What it is about: `Network`.
    pub group: String,
    /// What was tried, in a sentence.
    pub tried: String,
    /// How it ended.
    pub outcome: ProbeOutcome,
    /// What happened, in a sentence. May hold what is inside the container: show escaped.
    pub happened: String,
    /// What the plan's line is about that stops it; none where the plan has no such line, and nothing was tried.
    pub stopped_by: Option<String>,
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ProbeOutcome {
    /// It did not get through.
    Held,
    /// It got through, or did not answer.
    Broken,
    /// It cannot be tried here.
    NotApplicable,
}

impl Verification {
    /// How many probes ended so.
    pub fn count(&self, outcome: ProbeOutcome) -> usize {
        self.probes.iter().filter(|probe| probe.outcome == outcome).count()
    }
}
