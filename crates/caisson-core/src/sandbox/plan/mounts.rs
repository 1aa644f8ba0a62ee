use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A folder in memory, gone when the container ends. Always `nosuid,nodev`, the plan's user's own, and empty at
/// the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Tmpfs {
    /// Where it is inside.
    pub path: String,
    /// The most it can hold, in bytes.
    #[ts(type = "number")]
    pub size: u64,
    /// Whether programs in it may be run; else `noexec`.
    pub exec: bool,
}

/// A folder of the host, shown inside. The host's side has been resolved: no part of it is a symlink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Bind {
    /// The folder on the host, absolute and resolved.
    pub host: PathBuf,
    /// Where it appears inside, absolute.
    pub inside: String,
    /// Whether it may be changed from inside.
    pub write: bool,
}

/// A volume of the engine, mounted inside, `nosuid,nodev` where the engine can say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct VolumeMount {
    /// The volume's name. It must exist, owned by the plan's user, before the container is created.
    pub name: String,
    /// Where it appears inside, absolute.
    pub inside: String,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// A limit of `setrlimit`, for each process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Ulimit {
    /// The engine's name for it: `nofile`, `nproc`, `core`.
    pub name: String,
    /// The limit in force.
    #[ts(type = "number")]
    pub soft: u64,
    /// The limit it can be raised to.
    #[ts(type = "number")]
    pub hard: u64,
}
