//! A plan in the words of the engines' API. Pure: nothing is in it but what the plan says.

use std::{collections::HashMap, fmt::Write as _, path::Path};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountType, MountVolumeOptions, ResourcesUlimits,
};

use super::{EngineKind, airlock::AirlockVolume, meeting::Meeting};
use crate::sandbox::{Network, Plan, Tmpfs, UserIds, UserNamespace};

/// Where every container finds the airlock.
const AIRLOCK: &str = "/caisson";
/// Where the folder of the airlock's socket is seen.
const MEETING: &str = "/caisson-pipe";
const VAR_TMP: &str = "/var/tmp";

/// How the engine is told the seccomp profile: Docker takes it as it is, Podman the path of a file.
pub(super) enum Profile {
    Inline,
    Path(String),
}

/// The request that creates the plan's container. `image_volumes` are folders for which the image wants a
/// volume: unasked, the engine would give it one, writable and without a limit, so it gets a `/tmp` there. `meeting`
/// is the folder of the socket on which the airlock is expected.
pub(super) fn body(
    plan: &Plan,
    kind: EngineKind,
    airlock: &AirlockVolume,
    profile: &Profile,
    image_volumes: &[String],
    meeting: Option<&Path>,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(plan.image().to_string()),
        entrypoint: Some(plan.entrypoint().to_vec()),
        // In place of the image's own arguments.
        cmd: Some(
            meeting.map_or_else(Vec::new, |_| vec!["--socket".to_owned(), Meeting::socket_in(MEETING)]),
        ),
        hostname: Some(plan.hostname().to_owned()),
        user: Some(format!("{}:{}", plan.user().uid, plan.user().gid)),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // When Caisson goes, standard input ends, and with it the airlock.
        stdin_once: Some(true),
        tty: Some(false),
        // The airlock knows this one, whatever the image asks for.
        stop_signal: Some("SIGTERM".to_owned()),
        // The image's health check would run a command of the image's outside of the airlock's watch.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        labels: Some(plan.labels().iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
        host_config: Some(host_config(plan, kind, airlock, profile, image_volumes, meeting)),
        ..Default::default()
    }
}

fn host_config(
    plan: &Plan,
    kind: EngineKind,
    airlock: &AirlockVolume,
    profile: &Profile,
    image_volumes: &[String],
    meeting: Option<&Path>,
) -> HostConfig {
    let mut security = vec![match profile {
        Profile::Inline => format!("seccomp={}", plan.seccomp()),
        Profile::Path(path) => format!("seccomp={path}"),
    }];
    if plan.no_new_privileges() {
        security.push("no-new-privileges".to_owned());
    }
    HostConfig {
        network_mode: Some(match plan.network() {
            Network::None => "none".to_owned(),
        }),
        dns: (!plan.dns().is_empty()).then(|| plan.dns().to_vec()),
        cap_drop: Some(plan.cap_drop().to_vec()),
        security_opt: Some(security),
        readonly_rootfs: Some(plan.read_only_root()),
        userns_mode: userns(plan.user_namespace()).map(str::to_owned),
        ipc_mode: Some("private".to_owned()),
        tmpfs: Some(tmpfs(plan, kind, image_volumes)),
        mounts: Some(mounts(plan, airlock, meeting)),
        memory: Some(signed(plan.memory())),
        memory_swap: Some(signed(plan.memory_swap())),
        nano_cpus: Some(signed(plan.nano_cpus())),
        pids_limit: Some(plan.pids().into()),
        ulimits: Some(
            plan.ulimits()
                .iter()
                .map(|limit| ResourcesUlimits {
                    name: Some(limit.name.clone()),
                    soft: Some(signed(limit.soft)),
                    hard: Some(signed(limit.hard)),
                })
                .collect(),
        ),
        shm_size: Some(signed(plan.shm_size())),
        sysctls: Some(plan.sysctls().iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
        runtime: plan.runtime().map(str::to_owned),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), ..Default::default() }),
        auto_remove: Some(plan.auto_remove()),
        ..Default::default()
    }
}

/// The API's word for how a container's ids are made.
pub(super) fn userns(namespace: UserNamespace) -> Option<&'static str> {
    match namespace {
        UserNamespace::Engine => None,
        UserNamespace::KeepId => Some("keep-id"),
    }
}

fn tmpfs(plan: &Plan, kind: EngineKind, image_volumes: &[String]) -> HashMap<String, String> {
    let mounted = |inside: &str| {
        plan.tmpfs().iter().any(|tmpfs| tmpfs.path == inside)
            || plan.binds().iter().any(|bind| bind.inside == inside)
            || plan.volumes().iter().any(|volume| volume.inside == inside)
    };
    let scratch = plan.tmpfs().iter().map(|tmpfs| tmpfs.size).max().unwrap_or(64 << 20);
    let unasked = image_volumes
        .iter()
        .map(|inside| inside.trim_end_matches('/'))
        .filter(|inside| inside.starts_with('/') && !mounted(inside))
        .map(|inside| Tmpfs { path: inside.to_owned(), size: scratch, exec: false });
    let mut all: HashMap<_, _> = plan
        .tmpfs()
        .iter()
        .cloned()
        .chain(unasked)
        .map(|tmpfs| (tmpfs.path.clone(), tmpfs_options(&tmpfs, plan.user(), kind)))
        .collect();
    if kind == EngineKind::Podman && plan.read_only_root() && !mounted(VAR_TMP) {
        // Podman would put a writable one there, as large as memory.
        all.entry(VAR_TMP.to_owned())
            .or_insert_with(|| "ro,nosuid,nodev,noexec,size=4096,notmpcopyup".to_owned());
    }
    all
}

fn tmpfs_options(tmpfs: &Tmpfs, user: UserIds, kind: EngineKind) -> String {
    let exec = if tmpfs.exec { "exec" } else { "noexec" };
    let mut options = format!("rw,nosuid,nodev,{exec},mode=1777,size={}", tmpfs.size);
    // Whose it is must be said: runc gives it the mode of the image's own folder, whatever is asked for.
    let _infallible = match kind {
        EngineKind::Docker => write!(options, ",uid={},gid={}", user.uid, user.gid),
        // Podman copies what the image has there, unless told not to.
        EngineKind::Podman => write!(options, ",U,notmpcopyup"),
    };
    options
}

fn mounts(plan: &Plan, airlock: &AirlockVolume, meeting: Option<&Path>) -> Vec<Mount> {
    let volume = |name: &str, inside: &str, read_only| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name.to_owned()),
        target: Some(inside.to_owned()),
        read_only: Some(read_only),
        // What the image has there stays hidden, and does not decide whose the volume is.
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..Default::default() }),
        ..Default::default()
    };
    let mut mounts = vec![volume(&airlock.name, AIRLOCK, true)];
    mounts.extend(plan.volumes().iter().map(|asked| volume(&asked.name, &asked.inside, asked.read_only)));
    mounts.extend(plan.binds().iter().map(|granted| bind(&granted.host, &granted.inside, !granted.write)));
    mounts.extend(meeting.map(|folder| bind(folder, MEETING, true)));
    mounts
}

fn bind(host: &Path, inside: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(host.to_string_lossy().into_owned()),
        target: Some(inside.to_owned()),
        read_only: Some(read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The API's numbers are signed; nothing in a plan comes near the limit.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
