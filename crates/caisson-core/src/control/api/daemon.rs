use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How the process that owns the state is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GetStatus {}

/// The answer to [`GetStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaemonStatus {
    /// Caisson's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// What it is: `daemon`, `desktop`.
    pub role: String,
    /// Since when it runs.
    pub started_at: u64,
    /// What this home is called in the labels of its containers (`dev.caisson.home`).
    pub home_id: String,
    /// The bridge's address, `http://127.0.0.1:PORT`; none while it cannot listen.
    pub bridge: Option<String>,
    /// Why the bridge cannot listen.
    pub bridge_problem: Option<String>,
    /// The Unix socket on which agents in containers reach the bridge, where there is one.
    pub socket: Option<PathBuf>,
    /// Why there is none, where there should be one.
    pub socket_problem: Option<String>,
    /// Whether all servers are paused.
    pub paused: bool,
    /// Installed servers.
    pub servers: u32,
    /// Running servers.
    pub running: u32,
    /// Open client sessions.
    pub sessions: u32,
    /// The engine, once one was found.
    pub engine: Option<EngineView>,
    /// The folder of settings and server files.
    pub config: PathBuf,
    /// The folder of state and logs.
    pub data: PathBuf,
}

/// A container engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EngineView {
    /// `Podman` or `Docker`.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// Whether it runs without root.
    pub rootless: bool,
}

/// Stops all servers and starts none, or lets them run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Pause {
    /// Whether they shall be paused.
    pub paused: bool,
}

/// Stops every server and ends the process that owns the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Shutdown {}

/// Looks for everything Caisson needs, and for what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Doctor {}

/// The answer to [`Doctor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DoctorReport {
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Check {
    /// What it belongs to: `Engine`, `Keychain`, `Clients`, `Files`, `Bridge`, `Machine`.
    pub area: String,
    /// What was looked at: `Podman at unix:///run/podman/podman.sock`.
    pub name: String,
    /// How it is.
    pub status: CheckStatus,
    /// What was found.
    pub found: String,
    /// What to do, where something is wrong.
    pub fix: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// Not there, and not needed.
    Info,
    /// It works, with a drawback.
    Warning,
    /// It keeps Caisson from working.
    Problem,
}
