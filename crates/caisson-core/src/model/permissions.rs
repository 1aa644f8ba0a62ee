use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{HostRule, MemorySize, SecretName, Workspace};

/// All a server may do beyond the defaults, which allow nothing. The user grants each item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// Hosts it may open TCP connections to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostRule>,
    /// Hosts it never reaches, whatever else is allowed, and about which nobody is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<HostRule>,
    /// Folders of the user's it sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderGrant>,
    /// Secrets it is given at start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretGrant>,
    /// A folder inside the container that is kept between runs, in a volume of the server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PathBuf>,
    /// Folders to work in: input, output, and what is thrown away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// Run as root inside the container, for images that need it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub root: bool,
    /// Another container runtime, such as `runsc`, by the engine's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
}

impl Permissions {
    /// All folders of the user's that the server sees: those granted, and its workspace's input.
    pub fn seen(&self) -> Vec<FolderGrant> {
        let input = self.workspace.as_ref().and_then(Workspace::grant);
        self.folders.iter().cloned().chain(input).collect()
    }
}

/// A folder of the user's, shown to a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct FolderGrant {
    /// The folder on the host, absolute.
    pub host: PathBuf,
    /// Where it appears inside, absolute.
    pub inside: PathBuf,
    /// Whether the server may change what is in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub write: bool,
}

/// A secret of the keychain, given to a server at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SecretGrant {
    /// Its name in the keychain, and inside.
    pub name: SecretName,
    /// How the server finds it.
    #[serde(default, rename = "as")]
    pub place: SecretPlace,
}

/// How a server finds a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum SecretPlace {
    /// An environment variable of the secret's name.
    #[default]
    Env,
    /// The file `/run/secrets/NAME`, readable by the server alone.
    File,
}

/// What a server may use at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory; there is no swap beyond it.
    pub memory: MemorySize,
    /// Processors, in units of one core.
    pub cpus: f64,
    /// Processes and threads.
    pub processes: u32,
    /// Open files per process.
    pub files: u32,
    /// Room in each writable temporary folder.
    pub scratch: MemorySize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: MemorySize::mib(512),
            cpus: 1.0,
            processes: 256,
            files: 4096,
            scratch: MemorySize::mib(64),
        }
    }
}
