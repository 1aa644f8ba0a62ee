//! `caisson doctor`: everything Caisson needs, looked at, and how to fix what is wrong.

use std::path::Path;

use super::{Host, bridging::Listening};
use crate::{
    control::api::{Check, CheckStatus, DoctorReport},
    engine::{EngineFacts, EngineKind, Outcome, Severity, Survey},
    sandbox::Isolating,
    secrets::KeychainStatus,
};

/// With less room an install may fail in the middle.
const LITTLE_ROOM: u64 = 1 << 30;

impl Host {
    pub(super) async fn doctor(&self) -> DoctorReport {
        let surveys = self.0.engines.survey().await;
        let arch = surveys.iter().find(|survey| survey.chosen).and_then(|survey| survey.facts.as_ref());
        let mut checks = engines(&surveys);
        checks.extend(self.files(arch));
        checks.push(self.bridge());
        checks.extend(self.agent_socket_check());
        checks.push(keychain(self.0.secrets.keychain_status().await));
        checks.extend(self.clients_found().await);
        DoctorReport { checks }
    }

    /// Caisson's own files and folders, and the servers' files.
    fn files(&self, facts: Option<&EngineFacts>) -> Vec<Check> {
        let parts = &self.0;
        let arch = facts.map_or(host_arch(), |facts| facts.arch.as_str());
        let mut checks = Vec::new();
        for what in ["airlock", "example"] {
            let path = parts.paths.artifacts.join(format!("{what}-linux-{arch}"));
            let needed = if what == "airlock" { CheckStatus::Problem } else { CheckStatus::Warning };
            checks.push(if path.is_file() {
                check("Files", what, CheckStatus::Ok, path.display())
            } else {
                check("Files", what, needed, format!("{} is missing", path.display())).fix(
                    "reinstall Caisson, build it with `make build`, or set CAISSON_ARTIFACTS to its folder",
                )
            });
        }
        let config = parts.paths.config.display();
        checks.push(check("Files", "Settings and servers", CheckStatus::Ok, config));
        checks.push(room(&parts.paths.data));
        for listed in parts.registry.list() {
            if let Some(broken) = listed.broken {
                let file = parts.registry.file(&listed.name);
                checks.push(
                    check(
                        "Files",
                        listed.name.as_str(),
                        CheckStatus::Warning,
                        format!("its file is broken: {broken}"),
                    )
                    .fix(format!("correct {}", file.display())),
                );
            }
        }
        for ignored in parts.registry.ignored() {
            checks.push(check("Files", &ignored.file, CheckStatus::Warning, ignored.reason));
        }
        checks
    }

    fn bridge(&self) -> Check {
        let name = format!("Port {}", self.0.settings.port);
        let listening = self.listening();
        match listening.problem {
            Some(problem) => check("Bridge", &name, CheckStatus::Problem, problem)
                .fix(format!("free the port, or choose another in {}", self.0.paths.settings().display())),
            None if listening.port.is_some() => {
                check("Bridge", &name, CheckStatus::Ok, "listening on 127.0.0.1")
            }
            None => check("Bridge", &name, CheckStatus::Info, "not listening yet"),
        }
    }

    fn agent_socket_check(&self) -> Option<Check> {
        let Listening { socket, socket_problem, .. } = self.listening();
        let name = "Socket for agents in containers";
        Some(match (socket, socket_problem) {
            (Some(socket), _) => check("Bridge", name, CheckStatus::Ok, socket.display()),
            (None, Some(problem)) => check("Bridge", name, CheckStatus::Warning, problem)
                .fix("correct that and start Caisson again, or set `agent_socket = false` in settings.toml"),
            (None, None) => return None,
        })
    }

    async fn clients_found(&self) -> Vec<Check> {
        let Ok(list) = self.list_clients().await else { return Vec::new() };
        let found = list.clients.into_iter().filter(|client| client.found || client.problem.is_some());
        let mut checks: Vec<Check> = found
            .map(|client| match client.problem {
                Some(problem) => check("Clients", &client.title, CheckStatus::Warning, problem),
                None if client.servers.is_empty() => {
                    check("Clients", &client.title, CheckStatus::Ok, "found, not connected")
                        .fix(format!("to connect it: caisson connect {}", client.client))
                }
                None => {
                    let connected = format!("{} server(s) connected", client.servers.len());
                    check("Clients", &client.title, CheckStatus::Ok, connected)
                }
            })
            .collect();
        if checks.is_empty() {
            checks.push(
                check("Clients", "AI clients", CheckStatus::Info, "none of those Caisson knows was found")
                    .fix("`caisson token issue` gives address and token for any other"),
            );
        }
        checks
    }
}

fn engines(surveys: &[Survey]) -> Vec<Check> {
    let any = surveys.iter().any(|survey| survey.chosen);
    let mut checks = Vec::new();
    if !any {
        checks.push(
            check("Engine", "Container engine", CheckStatus::Problem, "none can be used")
                .fix("install Podman (sudo apt install podman) or Docker, or start it; details below"),
        );
    }
    for survey in surveys {
        if survey.outcome == Outcome::Absent && !survey.named {
            continue;
        }
        let name = format!("{} at {}", survey.name, survey.address);
        // Without any engine, what is wrong with each is what keeps Caisson from working; else it is an aside.
        let bad = if any && !survey.chosen { CheckStatus::Info } else { CheckStatus::Problem };
        let (status, found) = match (&survey.outcome, &survey.facts) {
            (Outcome::Found, Some(facts)) if survey.usable() => {
                (CheckStatus::Ok, facts_line(facts, survey.chosen))
            }
            (Outcome::Found, Some(facts)) => (bad, facts_line(facts, false)),
            (Outcome::Found, None) => (CheckStatus::Ok, "it answers".into()),
            (Outcome::Absent, _) => (bad, "there is nothing".into()),
            (Outcome::NotRunning, _) => (bad, "nobody listens".into()),
            (Outcome::PermissionDenied, _) => (bad, "this user may not open it".into()),
            (Outcome::Failed { why }, _) => (bad, why.clone()),
        };
        let mut entry = check("Engine", &name, status, found);
        let mut problems = survey.problems.as_slice();
        // Of one that does not answer, the first problem says the same again; only its fix is news.
        if survey.outcome != Outcome::Found
            && let [first, rest @ ..] = problems
        {
            entry = entry.fix(&first.fix);
            problems = rest;
        }
        checks.push(entry);
        if let Some(facts) = survey.facts.as_ref().filter(|_| survey.chosen) {
            checks.push(runtimes(facts));
        }
        for problem in problems {
            let status = match problem.severity {
                Severity::Weakens if survey.chosen || !any => CheckStatus::Warning,
                Severity::Weakens => CheckStatus::Info,
                Severity::Blocks => bad,
            };
            checks.push(check("Engine", &survey.name, status, &problem.what).fix(&problem.fix));
        }
    }
    checks
}

fn facts_line(facts: &EngineFacts, chosen: bool) -> String {
    let EngineFacts { kind, version, rootless, cgroup_version, default_runtime, runtimes, arch, .. } = facts;
    let rootless = if *rootless { "rootless" } else { "rootful" };
    let mut others: Vec<&str> =
        runtimes.iter().map(String::as_str).filter(|name| name != default_runtime).collect();
    others.sort_unstable();
    let others = if others.is_empty() { String::new() } else { format!(" (also {})", others.join(", ")) };
    let chosen = if chosen { "; Caisson uses this one" } else { "" };
    format!(
        "{kind} {version}, {rootless}, {arch}, cgroup v{cgroup_version}, runtime {default_runtime}{others}{chosen}"
    )
}

/// What containers can run under, and how to add a runtime with a kernel of its own.
fn runtimes(facts: &EngineFacts) -> Check {
    let named = |name: &String| match Isolating::of(name) {
        Some(runtime) if *name == facts.default_runtime => {
            format!("{name} ({}, the default)", runtime.title())
        }
        Some(runtime) => format!("{name} ({})", runtime.title()),
        None if *name == facts.default_runtime => format!("{name} (the default)"),
        None => name.clone(),
    };
    let found = facts.runtimes.iter().map(named).collect::<Vec<_>>().join(", ");
    let entry = check("Engine", "Runtimes", CheckStatus::Info, found);
    if Isolating::offered(facts).is_some() {
        return entry;
    }
    entry.fix(match facts.kind {
        EngineKind::Docker => {
            "for servers that run code, add gVisor: install runsc (https://gvisor.dev/docs/user_guide/install), then \
             sudo runsc install && sudo systemctl restart docker"
        }
        EngineKind::Podman => {
            "for servers that run code, add gVisor: install runsc (https://gvisor.dev/docs/user_guide/install), which \
             Podman finds by itself in /usr/bin or /usr/local/bin"
        }
    })
}

fn keychain(status: KeychainStatus) -> Check {
    match status {
        KeychainStatus::Ready { what } => check("Keychain", "Secrets", CheckStatus::Ok, what),
        KeychainStatus::Locked { fix } => {
            check("Keychain", "Secrets", CheckStatus::Warning, "the keychain is locked").fix(fix)
        }
        // Servers without secrets run all the same.
        KeychainStatus::Unusable { problem } => check("Keychain", "Secrets", CheckStatus::Warning, problem),
    }
}

#[cfg(unix)]
fn room(folder: &Path) -> Check {
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} MiB free at {}", free >> 20, folder.display());
            if free < LITTLE_ROOM {
                check("Files", "Disk", CheckStatus::Warning, text)
                    .fix("free some space before the next install")
            } else {
                check("Files", "Disk", CheckStatus::Ok, text)
            }
        }
        Err(error) => check("Files", "Disk", CheckStatus::Warning, format!("{}: {error}", folder.display())),
    }
}

#[cfg(not(unix))]
fn room(folder: &Path) -> Check {
    let _ = LITTLE_ROOM;
    check("Files", "State", CheckStatus::Ok, folder.display())
}

/// This machine's processor, as images name it.
fn host_arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

fn check(area: &str, name: &str, status: CheckStatus, found: impl ToString) -> Check {
    Check { area: area.to_owned(), name: name.to_owned(), status, found: found.to_string(), fix: None }
}

impl Check {
    fn fix(mut self, fix: impl ToString) -> Self {
        self.fix = Some(fix.to_string());
        self
    }
}
