use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Where a server stands in its life, for people. The machine that moves it is `sandbox::life`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServerState {
    /// Not running; the first session starts it.
    Stopped,
    /// Its container is being created.
    Starting,
    /// Its container runs.
    Running {
        /// Open client sessions.
        sessions: usize,
    },
    /// Its container is being stopped.
    Stopping,
    /// It failed and waits before the next try.
    Backoff {
        /// Which failure in a row this is, from 1.
        failures: u32,
        /// Why it failed.
        reason: String,
    },
    /// It failed too often; the next `start` tries again.
    Failed {
        /// Why it failed last.
        reason: String,
    },
}
