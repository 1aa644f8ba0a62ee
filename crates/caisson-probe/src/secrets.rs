//! Secrets: the server's own lie where only it can read them, and nobody else's lie anywhere.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use caisson_wire::probe::{Finding, Ground};

use crate::{Probe, status::none_of};

const FOLDER: &str = "/run/secrets";

pub(crate) const PROBES: &[Probe] = &[
    ("secret-mode", mode),
    ("secret-others", |ground| {
        let found = fs::read_dir(FOLDER).into_iter().flatten().flatten();
        let others: Vec<_> = found
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !ground.secret_files.contains(name))
            .map(|name| name.escape_debug().to_string())
            .collect();
        none_of(&others, "there is no secret but those that were granted", "there are others")
    }),
    ("secret-variables", |ground| {
        if ground.secret_variables.is_empty() {
            return Finding::not_applicable("no secret is granted as a variable");
        }
        // As the container's own configuration would hand it on: to the first process, and so to this one.
        let seen: Vec<_> = ground
            .secret_variables
            .iter()
            .filter(|name| variables_of("1").is_some_and(|all| all.iter().any(|(known, _)| known == *name)))
            .cloned()
            .collect();
        none_of(&seen, "no secret stands in the variables of the container", "the container's variables hold")
    }),
    ("other-homes", |_| {
        let folders = [
            "/root/.ssh",
            "/root/.aws",
            "/root/.docker",
            "/root/.kube",
            "/root/.config/containers",
            "/host",
            "/hostfs",
            "/rootfs",
            "/mnt/host",
        ];
        let there: Vec<_> =
            folders.into_iter().filter(|path| Path::new(path).exists()).map(str::to_owned).collect();
        none_of(&there, "there are no keys and no credentials of the host", "these are there")
    }),
];

fn mode(ground: &Ground) -> Finding {
    if ground.secret_files.is_empty() {
        return Finding::not_applicable("no secret is granted as a file");
    }
    let mut loose = Vec::new();
    for path in std::iter::once(FOLDER.to_owned())
        .chain(ground.secret_files.iter().map(|name| format!("{FOLDER}/{name}")))
    {
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.mode() & 0o077 == 0 && facts.uid() == ground.uid => {}
            Ok(facts) => loose.push(format!("{path} (mode {:o}, of {})", facts.mode() & 0o7777, facts.uid())),
            Err(error) => loose.push(format!("{path} ({error})")),
        }
    }
    none_of(&loose, "only the server's user can read them", "these are open to others")
}

/// The variables a process was started with; none where they cannot be read.
pub(crate) fn variables_of(process: &str) -> Option<Vec<(String, String)>> {
    let bytes = fs::read(format!("/proc/{process}/environ")).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
