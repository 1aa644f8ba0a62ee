use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Digest, Limits, Permissions, Source};

/// An installed server: what its file in the config folder says. The file's stem is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where it came from, with the exact version.
    pub source: Source,
    /// The image that runs: its id on the engine, a digest over its content.
    pub image: Digest,
    /// The server's program and arguments inside the image.
    pub command: Vec<String>,
    /// Environment variables, none of them secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The working folder inside; none means the image's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<PathBuf>,
    /// How it speaks MCP.
    #[serde(default, skip_serializing_if = "Transport::is_stdio")]
    pub transport: Transport,
    /// What it may do.
    #[serde(default)]
    pub permissions: Permissions,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// When it runs.
    #[serde(default)]
    pub life: LifeSettings,
}

/// How a server speaks MCP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// One JSON-RPC message a line on standard input and output (MCP 2025-11-25, "Transports: stdio").
    #[default]
    Stdio,
    /// Streamable HTTP on a port of the container's own loopback.
    Http {
        /// The port it listens on.
        port: u16,
        /// The endpoint's path, such as `/mcp`.
        path: String,
    },
}

impl Transport {
    fn is_stdio(&self) -> bool {
        *self == Self::Stdio
    }
}

/// When a server runs. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
pub struct LifeSettings {
    /// Without a session for so long, it is stopped; 0 means never.
    pub idle_stop: u64,
    /// So long it may take from start until it is ready.
    pub start_timeout: u64,
    /// So often it is started again after it failed, before Caisson gives up.
    pub restarts: u32,
    /// Whether it is started as soon as a client connects, and not with the first request that needs it.
    pub prewarm: bool,
    /// Whether it is started with Caisson, and never stopped for idleness.
    pub always_on: bool,
}

impl Default for LifeSettings {
    fn default() -> Self {
        Self { idle_stop: 900, start_timeout: 60, restarts: 5, prewarm: false, always_on: false }
    }
}

impl LifeSettings {
    /// [`Self::idle_stop`] as a duration.
    pub fn idle_stop(&self) -> Duration {
        Duration::from_secs(self.idle_stop)
    }

    /// [`Self::start_timeout`] as a duration.
    pub fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.start_timeout)
    }
}
