use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    engine::ContainerUse,
    metrics::{MachineUse, OwnUse, Percentiles},
    model::{CallCounts, ServerName, ServerState},
    sandbox::TrafficSums,
};

/// What servers were called for, and what they use. Measured while it is asked for, which takes a quarter of a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReadStats {
    /// Of this server alone.
    #[serde(default)]
    #[ts(optional)]
    pub server: Option<ServerName>,
}

/// The answer to [`ReadStats`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Stats {
    /// When it was measured, in milliseconds since 1970 (UTC).
    pub at: u64,
    /// Since when is counted: when Caisson started.
    pub since: u64,
    /// The servers, in the order of their names.
    pub servers: Vec<ServerStats>,
    /// The machine; none where the system does not tell.
    pub machine: Option<MachineUse>,
    /// Caisson's own process; none where the system does not tell.
    pub own: Option<OwnUse>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ServerStats {
    /// Its name.
    pub name: ServerName,
    /// Where it stands in its life.
    pub state: ServerState,
    /// Since when its container runs; none while none does.
    pub running_since: Option<u64>,
    /// Containers of it that came up.
    pub starts: u64,
    /// Containers of it that could not be brought up, or have ended by themselves.
    pub failures: u64,
    /// How busy it keeps processors at the moment, in percent of one; none where the engine does not tell.
    pub cpu: Option<f64>,
    /// What its container uses.
    pub uses: ContainerUse,
    /// The memory it may use, in bytes; none while its file was never readable.
    pub memory_limit: Option<u64>,
    /// What its connections have carried.
    pub traffic: TrafficSums,
    /// All calls of its tools.
    pub calls: CallStats,
    /// The same for each tool that was called; all that it does not say it has stand last, as one.
    pub tools: Vec<ToolStats>,
}

/// Calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CallStats {
    /// What became of them.
    #[serde(flatten)]
    pub counts: CallCounts,
    /// How long answers took; none before the first.
    pub latency: Option<Percentiles>,
}

/// Calls of one tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ToolStats {
    /// Its name, the server's word: show it escaped. None for all that are not counted by name.
    pub tool: Option<String>,
    /// Its calls.
    #[serde(flatten)]
    pub calls: CallStats,
}
