//! What a probe inside a container is told, and what it answers. It is run by [`crate::Header::Exec`] as
//! `probe NAME GROUND`, the ground as JSON, and prints one line: a [`Finding`].

use serde::{Deserialize, Serialize};

use crate::HostPattern;

/// What a probe must know of the plan it runs under, and of the decoys the host has laid out. Nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// The most memory, in bytes.
    pub memory: u64,
    /// Memory of the engine's machine, in bytes: what is too much for it is not tried.
    pub machine_memory: u64,
    /// The most processes and threads.
    pub processes: u32,
    /// Processor time, in billionths of one processor.
    pub nano_cpus: u64,
    /// Processors of the engine's machine.
    pub machine_cpus: u32,
    /// The most open files of a process.
    pub files: u64,
    /// The user everything inside runs as.
    pub uid: u32,
    /// The host name inside.
    pub hostname: String,
    /// Folders in memory, with their sizes in bytes.
    pub memory_folders: Vec<(String, u64)>,
    /// Granted folders that can only be read.
    pub read_only: Vec<String>,
    /// Granted folders that can be written.
    pub writable: Vec<String>,
    /// Volumes of the server's own.
    pub volumes: Vec<String>,
    /// Folders for which the image wants a volume, and that are in memory in its place.
    pub image_volumes: Vec<String>,
    /// The hosts that may be reached, with their ports.
    pub hosts: Vec<(HostPattern, u16)>,
    /// Secrets that are files in `/run/secrets`, and hold decoys.
    pub secret_files: Vec<String>,
    /// Secrets that are variables, and hold decoys.
    pub secret_variables: Vec<String>,
    /// Files and sockets of the host that must not be there.
    pub absent: Vec<String>,
    /// A file of the host that must not be reached.
    pub decoy_file: Option<String>,
    /// A port of the host's loopback on which the host listens.
    pub decoy_port: Option<u16>,
    /// An abstract socket on which the host listens.
    pub decoy_socket: Option<String>,
    /// The host's own namespaces, as `/proc/self/ns` names them.
    pub host_namespaces: Vec<String>,
    /// Whether the runtime has a kernel of its own (gVisor), which stands in the place of the system call filter.
    pub own_kernel: bool,
}

impl Ground {
    /// Whether a host, a name or an address, may be reached at this port.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|(pattern, of)| *of == port && pattern.matches(host))
    }
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did not get through.
    Held,
    /// It got through.
    Broken,
    /// It cannot be tried here.
    NotApplicable,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, in a sentence.
    pub happened: String,
}

impl Finding {
    /// It did not get through.
    pub fn held(happened: impl Into<String>) -> Self {
        Self { outcome: Outcome::Held, happened: happened.into() }
    }

    /// It got through.
    pub fn broken(happened: impl Into<String>) -> Self {
        Self { outcome: Outcome::Broken, happened: happened.into() }
    }

    /// It cannot be tried here.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotApplicable, happened: why.into() }
    }
}
