//! What a probe is told, made from the plan. Pure.

use caisson_wire::{FileMode, LaunchFile, probe::Ground};

use super::DECOY_SECRET;
use crate::{
    engine::EngineFacts,
    model::{SecretPlace, Server},
    sandbox::{Plan, vessel::ImageSettings},
};

/// The ground of a server's plan; the decoys are yet to be laid out.
pub(super) fn of(plan: &Plan, server: &Server, facts: &EngineFacts, image: &ImageSettings) -> Ground {
    let folders = |write: bool| {
        plan.binds().iter().filter(|bind| bind.write == write).map(|bind| bind.inside.clone()).collect()
    };
    let secrets = |place: SecretPlace| {
        let granted = server.permissions.secrets.iter().filter(|grant| grant.place == place);
        granted.map(|grant| grant.name.to_string()).collect()
    };
    let files =
        plan.ulimits().iter().find(|limit| limit.name == "nofile").map_or(u64::MAX, |limit| limit.hard);
    Ground {
        memory: plan.memory(),
        machine_memory: facts.memory,
        processes: plan.pids(),
        nano_cpus: plan.nano_cpus(),
        machine_cpus: facts.cpus,
        files,
        uid: plan.user().uid,
        hostname: plan.hostname().to_owned(),
        memory_folders: plan.tmpfs().iter().map(|tmpfs| (tmpfs.path.clone(), tmpfs.size)).collect(),
        read_only: folders(false),
        writable: folders(true),
        volumes: plan.volumes().iter().map(|volume| volume.inside.clone()).collect(),
        image_volumes: image.volumes.iter().map(|path| path.trim_end_matches('/').to_owned()).collect(),
        hosts: plan.hosts().iter().map(|rule| (rule.host().clone(), rule.port())).collect(),
        secret_files: secrets(SecretPlace::File),
        secret_variables: secrets(SecretPlace::Env),
        own_kernel: plan.runtime().unwrap_or(&facts.default_runtime).contains("runsc"),
        ..Ground::default()
    }
}

/// Files in the place of the secrets that are files. The real values stay in the keychain.
pub(super) fn decoy_secrets(ground: &Ground) -> Vec<LaunchFile> {
    let file = |name: &String| LaunchFile {
        path: format!("/run/secrets/{name}"),
        content: DECOY_SECRET.into(),
        mode: FileMode::Secret,
    };
    ground.secret_files.iter().map(file).collect()
}
