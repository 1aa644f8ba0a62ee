use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{
    Digest, Folders, Isolating, Network, Plan, PlanKind, Tmpfs, Ulimit, UserIds, UserNamespace, VolumeMount,
    inside, runtime, seccomp,
};
use crate::{
    engine::{EngineFacts, EngineKind, IdMapping},
    model::{Limits, MemorySize, Server, ServerName},
};

/// The home folder inside: in memory, unless the server keeps state beneath.
pub const HOME: &str = "/home/server";

const AIRLOCK: &str = "/caisson/airlock";
/// No image's own user, and nobody's on the host.
const NOBODY: UserIds = UserIds { uid: 65532, gid: 65532 };
const ROOT: UserIds = UserIds { uid: 0, gid: 0 };
const SHM_SIZE: u64 = 16 << 20;
const RUN_SIZE: u64 = 8 << 20;
/// Engines refuse less than 6 MiB; with less than this no interpreter starts, and the airlock's own part is missed.
const LEAST_MEMORY: MemorySize = MemorySize::mib(16);
const LEAST_PROCESSES: u32 = 8;
const LEAST_FILES: u32 = 64;
/// Where nothing counts a container's processes, this bounds all servers of one user together.
const PROCESSES_UNCOUNTED: u64 = 4096;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A runtime the engine does not have.
    #[error(
        "the engine has no runtime \"{}\"{}; it has: {}. Change `runtime` under [permissions], or add it to the engine: \
         `caisson doctor` says how",
        .wanted.escape_debug(), called(.wanted), .known.join(", ")
    )]
    NoSuchRuntime {
        /// The runtime asked for.
        wanted: String,
        /// The runtimes there are.
        known: Vec<String>,
    },
    /// A limit nothing can run within.
    #[error("the limit `{what}` of {value} is not possible: {why}")]
    Limit {
        /// The setting.
        what: &'static str,
        /// What it is set to.
        value: String,
        /// Why not.
        why: &'static str,
    },
    /// A place inside where nothing can be mounted.
    #[error("nothing can be shown to the server at \"{}\": {why}", .path.display().to_string().escape_debug())]
    Inside {
        /// The place.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// Two things in one place.
    #[error("two things would be at \"{}\" inside the container; give each its own place", .0.escape_debug())]
    Clash(String),
    /// A workspace for each session, of a server whose sessions share one process.
    #[error(
        "a server that speaks HTTP has one process for all sessions, and no workspace for each; write `per = \"server\"` under [permissions.workspace]"
    )]
    SessionsShareAProcess,
    /// A workspace whose files nobody but root could collect.
    #[error(
        "on this engine, files of a server that runs as root belong to root, and cannot be collected for you; take `root` or the workspace away"
    )]
    RootsWorkspace,
    /// Folders of this machine, on an engine of another.
    #[error(
        "the engine is on another machine and cannot show this machine's folders; use a local engine, or take the folders away"
    )]
    RemoteFolders,
    /// The plan has no JSON form.
    #[error("the plan cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What else a runtime goes by, where it is known.
fn called(wanted: &str) -> String {
    let named =
        Isolating::of(wanted).map(|runtime| format!(" (it may be called {})", runtime.names().join(", ")));
    named.unwrap_or_default()
}

/// What an install needs, beyond what every container gets.
#[derive(Clone, Debug)]
pub struct InstallNeeds {
    /// The image it begins with, by its id on the engine.
    pub image: Digest,
    /// Whether it runs as root inside (without any capability), so that what it writes belongs to root and
    /// the server cannot change it; else as the server's own user.
    pub root: bool,
    /// What it may use at most. [`InstallNeeds::limits`] is a good start.
    pub limits: Limits,
}

impl InstallNeeds {
    /// Limits an install of a large package fits in.
    pub fn limits() -> Limits {
        Limits {
            memory: MemorySize::mib(3 << 10),
            cpus: 2.0,
            processes: 1024,
            files: 16384,
            scratch: MemorySize::mib(1 << 10),
        }
    }
}

impl Plan {
    /// The plan of a server on an engine. Pure; `folders` are the server's grants, resolved and checked.
    ///
    /// # Errors
    /// When something granted is not possible on this engine.
    pub fn for_server(
        name: &ServerName,
        server: &Server,
        folders: &Folders,
        facts: &EngineFacts,
        user: UserIds,
        home_id: &str,
    ) -> Result<Self, PlanError> {
        let asked = &server.permissions;
        let mut plan = base(PlanKind::Server, name, server.image.clone(), &server.limits, facts, home_id)?;
        let is_users = !folders.is_empty() || asked.workspace.is_some();
        (plan.user, plan.user_namespace) = user_inside(asked.root, is_users, facts.ids, user);
        if plan.user == ROOT && asked.root {
            plan.warnings.push("the server runs as root inside the container, without any capability".into());
        } else if plan.user == ROOT && facts.ids != IdMapping::RootIsUser {
            plan.warnings.push(
                "Caisson runs as root, and so does this server, without any capability, to reach the granted folders; \
                 run Caisson as a user of your own"
                    .into(),
            );
        }
        if facts.remote && !folders.is_empty() {
            return Err(PlanError::RemoteFolders);
        }
        for grant in folders.iter() {
            let text = inside::check(&grant.inside)
                .map_err(|why| PlanError::Inside { path: grant.inside.clone(), why })?;
            plan.binds.push(super::Bind { host: grant.host.clone(), inside: text, write: grant.write });
        }
        if let Some(state) = &asked.state {
            let text = inside::check(state).map_err(|why| PlanError::Inside { path: state.clone(), why })?;
            plan.volumes.push(VolumeMount {
                name: state_volume(name, home_id),
                inside: text,
                read_only: false,
            });
        }
        if let Some(workspace) = &asked.workspace {
            plan.add_workspace(workspace, &server.transport, server.limits.scratch, home_id)?;
            if asked.root && facts.ids == IdMapping::Shared && user != ROOT {
                return Err(PlanError::RootsWorkspace);
            }
        }
        if let Some(runtime) = &asked.runtime {
            let named = runtime::named(runtime, facts).ok_or_else(|| PlanError::NoSuchRuntime {
                wanted: runtime.clone(),
                known: facts.runtimes.clone(),
            })?;
            plan.runtime = Some(named.to_owned());
        }
        match Isolating::of(plan.runtime.as_deref().unwrap_or(&facts.default_runtime)) {
            Some(Isolating::Gvisor) => plan
                .warnings
                .push("gVisor puts a kernel of its own before the host's; it takes the place of the seccomp profile".into()),
            Some(Isolating::Kata | Isolating::Krun) => plan.warnings.push(
                "it runs in a virtual machine, with a kernel of its own; whether the seccomp profile holds inside is for the runtime"
                    .into(),
            ),
            None => {}
        }
        plan.hosts = asked.hosts.clone();
        plan.secrets = asked.secrets.iter().map(|grant| grant.name.clone()).collect();
        finish(plan)
    }

    /// The plan of an install: as closed as a server's, but its root folder can be written and becomes the
    /// image. The container stays until it was committed and removed.
    ///
    /// # Errors
    /// When the limits are not possible on this engine.
    pub fn for_install(
        name: &ServerName,
        needs: &InstallNeeds,
        facts: &EngineFacts,
        home_id: &str,
    ) -> Result<Self, PlanError> {
        let mut plan = base(PlanKind::Install, name, needs.image.clone(), &needs.limits, facts, home_id)?;
        plan.user = if needs.root { ROOT } else { NOBODY };
        plan.read_only_root = false;
        plan.auto_remove = false;
        finish(plan)
    }
}

/// The defaults, which grant nothing.
pub(super) fn base(
    kind: PlanKind,
    name: &ServerName,
    image: Digest,
    limits: &Limits,
    facts: &EngineFacts,
    home_id: &str,
) -> Result<Plan, PlanError> {
    let mut warnings = Vec::new();
    let (nano_cpus, files) = possible(limits, facts, &mut warnings)?;
    let scratch = limits.scratch.bytes();
    let tmpfs = |path: &str, size, exec| Tmpfs { path: path.to_owned(), size, exec };
    let ulimit = |name: &str, value| Ulimit { name: name.to_owned(), soft: value, hard: value };
    // The limit is the kernel's, over all processes of a user: it bounds servers only where nothing better does.
    let processes =
        if facts.limits.pids { facts.max_processes } else { facts.max_processes.min(PROCESSES_UNCOUNTED) };
    let home = short(home_id);
    let (container, what) = match kind {
        PlanKind::Server => (format!("caisson-{home}-{name}"), "server"),
        PlanKind::Install => (format!("caisson-{home}-install-{name}"), "install"),
        PlanKind::Files => (format!("caisson-{home}-files-{name}"), "files"),
    };
    let labels =
        [("dev.caisson.home", home_id), ("dev.caisson.server", name.as_str()), ("dev.caisson.kind", what)];
    Ok(Plan {
        kind,
        server: name.clone(),
        container,
        nonce: None,
        hash: image.clone(),
        image,
        entrypoint: vec![AIRLOCK.to_owned()],
        hostname: "caisson".to_owned(),
        user: NOBODY,
        user_namespace: UserNamespace::Engine,
        network: Network::None,
        dns: match facts.kind {
            EngineKind::Docker => vec!["127.0.0.1".to_owned()],
            // Podman refuses name servers without a network, and writes no resolv.conf.
            EngineKind::Podman => Vec::new(),
        },
        cap_drop: vec!["ALL".to_owned()],
        no_new_privileges: true,
        seccomp: Arc::from(seccomp::profile()?),
        read_only_root: true,
        tmpfs: vec![tmpfs(HOME, scratch, true), tmpfs("/run", RUN_SIZE, false), tmpfs("/tmp", scratch, true)],
        binds: Vec::new(),
        volumes: Vec::new(),
        workspace: None,
        memory: limits.memory.bytes(),
        memory_swap: limits.memory.bytes(),
        nano_cpus,
        pids: limits.processes,
        ulimits: vec![ulimit("core", 0), ulimit("nofile", files), ulimit("nproc", processes)],
        shm_size: SHM_SIZE,
        // The airlock answers on ports 53, 80 and 443 of loopback without any privilege.
        sysctls: BTreeMap::from([("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned())]),
        runtime: None,
        hosts: Vec::new(),
        secrets: Vec::new(),
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        auto_remove: true,
        warnings,
    })
}

/// Checks the limits and fits them to what the engine can give. Gives processor time and open files.
fn possible(
    limits: &Limits,
    facts: &EngineFacts,
    warnings: &mut Vec<String>,
) -> Result<(u64, u64), PlanError> {
    let fault = |what, value: String, why| Err(PlanError::Limit { what, value, why });
    if limits.memory < LEAST_MEMORY {
        return fault("memory", limits.memory.to_string(), "it must be 16MiB or more");
    }
    if limits.processes < LEAST_PROCESSES {
        return fault("processes", limits.processes.to_string(), "it must be 8 or more");
    }
    if limits.files < LEAST_FILES {
        return fault("files", limits.files.to_string(), "it must be 64 or more");
    }
    if !(limits.cpus >= 0.01 && limits.cpus <= 4096.0) {
        return fault("cpus", limits.cpus.to_string(), "it must be from 0.01 to 4096");
    }
    let mut cpus = limits.cpus;
    if facts.cpus > 0 && cpus > f64::from(facts.cpus) {
        warnings.push(format!("the engine has {} processors, fewer than the {cpus} allowed", facts.cpus));
        cpus = f64::from(facts.cpus);
    }
    let mut files = u64::from(limits.files);
    if files > facts.max_files {
        warnings.push(format!(
            "the engine can give a process {} open files, fewer than {files}",
            facts.max_files
        ));
        files = facts.max_files;
    }
    for (enforced, what) in [
        (facts.limits.memory, "memory"),
        (facts.limits.pids, "the number of processes"),
        (facts.limits.cpu, "processor time"),
    ] {
        if !enforced {
            warnings.push(format!(
                "this engine cannot limit {what} (a rootless engine needs cgroup version 2 for that): the limit does not hold"
            ));
        }
    }
    // Within 0.01 and 4096: neither negative nor too large.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked above"
    )]
    let nano_cpus = (cpus * 1e9).round() as u64;
    Ok((nano_cpus, files))
}

/// Who the server is inside. Only folders that are granted, or collected, make it the user's own id: what it writes
/// there is the user's.
pub(super) fn user_inside(
    root: bool,
    is_users: bool,
    ids: IdMapping,
    user: UserIds,
) -> (UserIds, UserNamespace) {
    if root {
        return (ROOT, UserNamespace::Engine);
    }
    if !is_users {
        return (NOBODY, UserNamespace::Engine);
    }
    match ids {
        IdMapping::Shared | IdMapping::Virtual => (user, UserNamespace::Engine),
        IdMapping::RootIsUser => (ROOT, UserNamespace::Engine),
        IdMapping::KeepId if user.uid == 0 => (ROOT, UserNamespace::Engine),
        IdMapping::KeepId => (user, UserNamespace::KeepId),
    }
}

/// Checks that nothing lies on another thing, and computes the hash.
pub(super) fn finish(mut plan: Plan) -> Result<Plan, PlanError> {
    let mut places: Vec<&str> = plan.tmpfs.iter().map(|tmpfs| tmpfs.path.as_str()).collect();
    places.extend(plan.binds.iter().map(|bind| bind.inside.as_str()));
    places.extend(plan.volumes.iter().map(|volume| volume.inside.as_str()));
    places.sort_unstable();
    if let Some(twice) = places.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(PlanError::Clash(twice[0].to_owned()));
    }
    plan.hash = Digest::of(&serde_json::to_vec(&plan)?);
    plan.labels.insert("dev.caisson.plan".to_owned(), plan.hash.to_string());
    Ok(plan)
}

/// The volume in which a server keeps its state.
pub(in crate::sandbox) fn state_volume(name: &ServerName, home_id: &str) -> String {
    format!("caisson-state-{}-{name}", short(home_id))
}

/// The part of a state folder's id that stands in names.
pub(super) fn short(home_id: &str) -> String {
    home_id.chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_ascii_lowercase()
}
