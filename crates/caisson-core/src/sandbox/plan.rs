//! A `Plan`: all that a container is, decided before it exists. Pure: the same input gives the same plan.
//!
//! The engine runs nothing but a plan, and only this module makes one. What the user reviews is the plan
//! that runs; nothing may be added to a container that does not stand here.

mod build;
mod executes;
mod explain;
mod files;
mod folders;
mod inside;
mod mounts;
mod runtime;
mod seccomp;

use std::{collections::BTreeMap, sync::Arc};

use caisson_wire::ProcessLimits;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{Digest, HostRule, SecretName, ServerName, Workspace};

pub(super) use build::state_volume;
pub use build::{HOME, InstallNeeds, PlanError};
pub use executes::Spoken;
pub use explain::PlanLine;
pub(super) use files::{Moved, output_volume, snapshot_of, snapshot_volume};
pub use folders::{FolderError, Folders, Places};
pub use mounts::{Bind, Tmpfs, Ulimit, VolumeMount};
pub use runtime::Isolating;

/// A user and group by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UserIds {
    /// The user.
    pub uid: u32,
    /// The user's own group.
    pub gid: u32,
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// Running a server.
    Server,
    /// Installing a package: what it leaves in its root folder becomes an image.
    Install,
    /// Copying or counting the files of a workspace. Nothing of the server's runs in it.
    Files,
}

/// What networks a container has. There is but one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// None: loopback is its only interface, and no port is published.
    None,
}

/// How user ids inside are made from those outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum UserNamespace {
    /// As the engine does by itself.
    Engine,
    /// Podman's `keep-id`: the user's own id is the same inside.
    KeepId,
}

/// All that a container is. Made by [`Plan::for_server`], [`Plan::for_install`] and [`Plan::for_files`] alone.
///
/// Always true, and so without a field: all capabilities are dropped and none added; `no-new-privileges`; not
/// privileged; no devices; no published ports; the engine's masked and read-only paths of `/proc` and `/sys`;
/// its SELinux or AppArmor label; private IPC, PID and UTS namespaces; log driver `none`; no environment (it
/// travels over the pipe); standard input open, no terminal; the airlock's volume read-only at `/caisson`; and where
/// the pipe is a socket, the folder it was in, read-only and by then empty, at `/caisson-pipe`.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Plan {
    kind: PlanKind,
    server: ServerName,
    container: String,
    #[serde(skip)]
    nonce: Option<String>,
    image: Digest,
    entrypoint: Vec<String>,
    hostname: String,
    user: UserIds,
    user_namespace: UserNamespace,
    network: Network,
    dns: Vec<String>,
    cap_drop: Vec<String>,
    no_new_privileges: bool,
    /// In JSON, the digest of the profile stands for it.
    #[serde(serialize_with = "profile_digest")]
    #[ts(type = "string")]
    seccomp: Arc<str>,
    read_only_root: bool,
    tmpfs: Vec<Tmpfs>,
    binds: Vec<Bind>,
    volumes: Vec<VolumeMount>,
    /// What the server works in, where it has such a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<Workspace>,
    #[ts(type = "number")]
    memory: u64,
    #[ts(type = "number")]
    memory_swap: u64,
    #[ts(type = "number")]
    nano_cpus: u64,
    pids: u32,
    ulimits: Vec<Ulimit>,
    #[ts(type = "number")]
    shm_size: u64,
    sysctls: BTreeMap<String, String>,
    runtime: Option<String>,
    /// Hosts the server may reach through the airlock: the one part that can change while it runs.
    hosts: Vec<HostRule>,
    /// Secrets it is given at start, by name.
    secrets: Vec<SecretName>,
    labels: BTreeMap<String, String>,
    auto_remove: bool,
    warnings: Vec<String>,
    #[serde(skip)]
    hash: Digest,
}

fn profile_digest<S: serde::Serializer>(profile: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    Digest::of(profile.as_bytes()).serialize(serializer)
}

impl Plan {
    /// What the container is for.
    pub fn kind(&self) -> PlanKind {
        self.kind
    }

    /// The server it belongs to.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// This plan for one container: a nonce in its name keeps it apart from a predecessor that is not yet gone.
    #[must_use]
    pub fn with_nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// The container's name, nonce included where there is one.
    pub fn container_name(&self) -> String {
        match &self.nonce {
            Some(nonce) => format!("{}-{nonce}", self.container),
            None => self.container.clone(),
        }
    }

    /// The image, by its id on the engine. Never pulled.
    pub fn image(&self) -> &Digest {
        &self.image
    }

    /// The airlock; it has no arguments, and the image's own command is not run by the engine.
    pub fn entrypoint(&self) -> &[String] {
        &self.entrypoint
    }

    /// The host name inside.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The user and group everything inside runs as.
    pub fn user(&self) -> UserIds {
        self.user
    }

    /// How user ids inside are made.
    pub fn user_namespace(&self) -> UserNamespace {
        self.user_namespace
    }

    /// The networks: none.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Name servers to write into `resolv.conf`: the airlock's. Empty where the engine writes none without a
    /// network, and programs ask 127.0.0.1 by themselves.
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// Capabilities to drop: all. None is ever added.
    pub fn cap_drop(&self) -> &[String] {
        &self.cap_drop
    }

    /// Whether no program inside can gain privileges by being executed: always.
    pub fn no_new_privileges(&self) -> bool {
        self.no_new_privileges
    }

    /// The seccomp profile itself, as JSON in the engines' format. Docker takes it inline; Podman's API takes
    /// the path of a file in its place.
    pub fn seccomp(&self) -> &str {
        &self.seccomp
    }

    /// Whether the root folder can only be read.
    pub fn read_only_root(&self) -> bool {
        self.read_only_root
    }

    /// Folders in memory.
    pub fn tmpfs(&self) -> &[Tmpfs] {
        &self.tmpfs
    }

    /// Folders of the host's.
    pub fn binds(&self) -> &[Bind] {
        &self.binds
    }

    /// Volumes of the server's own. The engine adds the airlock's.
    pub fn volumes(&self) -> &[VolumeMount] {
        &self.volumes
    }

    /// What the server works in, where it has such a place. Its folders stand among [`Self::binds`],
    /// [`Self::volumes`] and [`Self::tmpfs`].
    pub fn workspace(&self) -> Option<&Workspace> {
        self.workspace.as_ref()
    }

    /// The most memory, in bytes.
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Memory and swap together, in bytes: equal to [`Self::memory`], so no swap.
    pub fn memory_swap(&self) -> u64 {
        self.memory_swap
    }

    /// Processor time, in billionths of one processor.
    pub fn nano_cpus(&self) -> u64 {
        self.nano_cpus
    }

    /// The most processes and threads.
    pub fn pids(&self) -> u32 {
        self.pids
    }

    /// Limits for each process.
    pub fn ulimits(&self) -> &[Ulimit] {
        &self.ulimits
    }

    /// The same limits in the airlock's words, which sets them where the engine does not.
    pub(super) fn process_limits(&self) -> ProcessLimits {
        let limit = |name: &str| self.ulimits.iter().find(|limit| limit.name == name).map(|limit| limit.hard);
        ProcessLimits { files: limit("nofile"), processes: limit("nproc"), core: limit("core") }
    }

    /// The size of `/dev/shm`, in bytes.
    pub fn shm_size(&self) -> u64 {
        self.shm_size
    }

    /// Kernel settings of the container's own namespaces.
    pub fn sysctls(&self) -> &BTreeMap<String, String> {
        &self.sysctls
    }

    /// The runtime, by the engine's name for it; none means the engine's default.
    pub fn runtime(&self) -> Option<&str> {
        self.runtime.as_deref()
    }

    /// Hosts the server may reach through the airlock.
    pub fn hosts(&self) -> &[HostRule] {
        &self.hosts
    }

    /// Secrets the server is given at start, by name.
    pub fn secrets(&self) -> &[SecretName] {
        &self.secrets
    }

    /// Labels, by which Caisson knows its own.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Whether the engine removes the container as soon as it ends.
    pub fn auto_remove(&self) -> bool {
        self.auto_remove
    }

    /// What this engine cannot hold of the plan, and what else is weaker than usual; for people.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A digest of the plan: SHA-256 of its JSON, the label that carries the digest left out.
    pub fn hash(&self) -> &Digest {
        &self.hash
    }

    /// The plan in people's words, a line for each thing a reviewer wants to know.
    pub fn explain(&self) -> Vec<PlanLine> {
        explain::lines(self)
    }
}

#[cfg(test)]
pub(super) mod tests;
