use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Which engine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Podman.
    Podman,
    /// Docker, or what speaks its API: Docker Desktop, Colima, OrbStack, Rancher Desktop.
    Docker,
}

/// How user ids inside a container relate to those of the host's folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum IdMapping {
    /// The same kernel and the same ids: an engine that runs as root.
    Shared,
    /// Rootless Podman: the user's own id can be kept inside.
    KeepId,
    /// Rootless Docker: root inside is the user outside.
    RootIsUser,
    /// A virtual machine that shares folders with the host: Docker Desktop, Podman machine.
    Virtual,
}

/// Which limits the engine can enforce. Rootless engines on cgroup v1 enforce none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LimitsEnforced {
    /// Memory.
    pub memory: bool,
    /// Processes.
    pub pids: bool,
    /// Processor time.
    pub cpu: bool,
}

/// What an engine says of itself, and what follows for a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EngineFacts {
    /// Podman or Docker.
    pub kind: EngineKind,
    /// The engine's version.
    pub version: String,
    /// The version of its Docker-compatible API.
    pub api_version: String,
    /// Whether it runs without root.
    pub rootless: bool,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// `systemd`, `cgroupfs` or `none`.
    pub cgroup_driver: String,
    /// How user ids inside relate to those outside.
    pub ids: IdMapping,
    /// The runtimes it knows, such as `runc` and `runsc`.
    pub runtimes: Vec<String>,
    /// The runtime it uses unless told otherwise.
    pub default_runtime: String,
    /// Its architecture in OCI's words: `amd64`, `arm64`.
    pub arch: String,
    /// Its operating system: `linux`.
    pub os: String,
    /// Processors it may use.
    pub cpus: u32,
    /// Memory it may use, in bytes.
    pub memory: u64,
    /// The highest limit of open files it can give.
    pub max_files: u64,
    /// The highest limit of processes it can give.
    pub max_processes: u64,
    /// Which limits it can enforce.
    pub limits: LimitsEnforced,
    /// Whether it is on another machine, whose folders are not the user's.
    pub remote: bool,
}
