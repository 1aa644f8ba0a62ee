//! What is wrong with an engine, and how to put it right. Pure.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{EngineFacts, EngineKind};

/// Something wrong, and how to put it right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What to do, with the exact commands or file contents.
    pub fix: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Servers run, but less well guarded or with something missing.
    Weakens,
    /// No server can run.
    Blocks,
}

/// What is known beside an engine's facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// This machine mounts cgroups of both versions.
    pub(super) hybrid_cgroups: bool,
    /// The engine does not filter system calls.
    pub(super) no_seccomp: bool,
    /// The engine maps ids of its own onto containers (`userns-remap`).
    pub(super) remaps_users: bool,
    /// The address is a TCP one: whoever reaches it is root there.
    pub(super) over_tcp: bool,
}

impl Problem {
    fn weakens(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Weakens, what: what.into(), fix: fix.into() }
    }

    fn blocks(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Blocks, what: what.into(), fix: fix.into() }
    }

    /// A server wants a runtime that the engine lacks.
    pub fn missing_runtime(facts: &EngineFacts, runtime: &str) -> Self {
        let known = facts.runtimes.join(", ");
        let fix = match facts.kind {
            EngineKind::Docker => format!(
                "Install {runtime}, name it under \"runtimes\" in /etc/docker/daemon.json, and restart Docker: sudo systemctl restart docker"
            ),
            EngineKind::Podman => {
                format!(
                    "Install {runtime}, and name it under [engine.runtimes] in {} if Podman does not find it",
                    conf(facts)
                )
            }
        };
        Self::blocks(format!("the engine has no runtime {runtime:?}; it has {known}"), fix)
    }
}

/// The problems that follow from an engine's facts, the worst first.
pub(super) fn problems(facts: &EngineFacts, around: &Circumstances) -> Vec<Problem> {
    let mut found = Vec::new();
    if facts.os != "linux" {
        found.push(Problem::blocks(
            format!("the engine runs {} containers, and Caisson's are Linux ones", facts.os),
            "In Docker Desktop's menu, choose \"Switch to Linux containers\"",
        ));
    }
    let (oldest, installed) = match facts.kind {
        EngineKind::Podman => ("4.0", &facts.version),
        EngineKind::Docker => ("1.40", &facts.api_version),
    };
    if number(installed) < number(oldest) {
        let what = match facts.kind {
            EngineKind::Podman => format!("Podman {} is too old; Caisson needs {oldest}", facts.version),
            EngineKind::Docker => format!("Docker {} is too old; Caisson needs 19.03", facts.version),
        };
        found.push(Problem::blocks(what, "Update the engine"));
    }
    if facts.kind == EngineKind::Podman && facts.default_runtime == "crun" && around.hybrid_cgroups {
        let restart =
            if facts.rootless { "systemctl --user restart podman" } else { "sudo systemctl restart podman" };
        found.push(Problem::blocks(
            "this machine mounts cgroups of both versions (hybrid), and Podman's runtime crun refuses to run so",
            format!(
                "Install runc, write into {}:\n[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nand run: {restart}",
                conf(facts)
            ),
        ));
    }
    if !facts.limits.all() {
        let lacking: Vec<_> = [
            ("memory", facts.limits.memory),
            ("processes", facts.limits.pids),
            ("processor time", facts.limits.cpu),
        ]
        .iter()
        .filter_map(|(name, enforced)| (!enforced).then_some(*name))
        .collect();
        let fix = match (facts.rootless, facts.cgroup_version) {
            (true, 1) => {
                "Start the machine with cgroups version 2 (kernel parameter systemd.unified_cgroup_hierarchy=1), or use the rootful engine: set engine = \"unix:///run/podman/podman.sock\""
            }
            (true, _) => {
                "Delegate the controllers to users: write into /etc/systemd/system/user@.service.d/delegate.conf:\n[Service]\nDelegate=cpu cpuset io memory pids\nrun sudo systemctl daemon-reload, and log in anew"
            }
            (false, _) => "Enable the memory, pids and cpu cgroup controllers of the kernel",
        };
        found.push(Problem::weakens(
            format!("this engine ignores limits for {}: a server can use all there is", lacking.join(", ")),
            fix,
        ));
    }
    if around.no_seccomp {
        found.push(Problem::weakens(
            "this engine does not filter system calls (no seccomp)",
            "Use a kernel and an engine built with seccomp",
        ));
    }
    if around.remaps_users {
        found.push(Problem::weakens(
            "the engine gives containers ids of its own (userns-remap), so what a server writes into a granted folder belongs to nobody here",
            "Remove userns-remap from /etc/docker/daemon.json, or grant servers no folder to write to",
        ));
    }
    if around.over_tcp {
        found.push(Problem::weakens(
            "the engine is reached over plain TCP: whoever can reach that port controls it",
            "Use the engine's local socket, or forward a remote one with ssh -L",
        ));
    }
    if facts.remote {
        found.push(Problem::weakens(
            "the engine is on another machine: no folder of this one can be granted to a server",
            "Use an engine on this machine for servers that need folders",
        ));
    }
    found.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    found
}

fn conf(facts: &EngineFacts) -> &'static str {
    if facts.rootless { "~/.config/containers/containers.conf" } else { "/etc/containers/containers.conf" }
}

/// Major and minor number of a version, so that 1.9 comes before 1.41.
fn number(version: &str) -> (u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{IdMapping, LimitsEnforced},
        *,
    };

    fn good() -> EngineFacts {
        EngineFacts {
            kind: EngineKind::Podman,
            version: "4.3.1".into(),
            api_version: "1.41".into(),
            rootless: true,
            cgroup_version: 2,
            cgroup_driver: "systemd".into(),
            ids: IdMapping::KeepId,
            runtimes: vec!["crun".into(), "runc".into()],
            default_runtime: "crun".into(),
            arch: "amd64".into(),
            os: "linux".into(),
            cpus: 2,
            memory: 8 << 30,
            max_files: 524_288,
            max_processes: 32_768,
            limits: LimitsEnforced { memory: true, pids: true, cpu: true },
            remote: false,
        }
    }

    #[test]
    fn nothing_is_wrong_with_a_good_engine() {
        assert_eq!(problems(&good(), &Circumstances::default()), []);
    }

    #[test]
    fn each_problem_is_named_with_its_fix() {
        use Severity::{Blocks, Weakens};
        let none = Circumstances::default;
        let no_limits = LimitsEnforced { memory: false, pids: false, cpu: true };
        let docker = EngineFacts {
            kind: EngineKind::Docker,
            rootless: false,
            default_runtime: "runc".into(),
            ..good()
        };
        let table: Vec<(EngineFacts, Circumstances, Severity, &str, &str)> = vec![
            (
                good(),
                Circumstances { hybrid_cgroups: true, ..none() },
                Blocks,
                "hybrid",
                "runtime = \"runc\"",
            ),
            (EngineFacts { version: "3.4.4".into(), ..good() }, none(), Blocks, "too old", "Update"),
            (EngineFacts { api_version: "1.9".into(), ..docker.clone() }, none(), Blocks, "19.03", "Update"),
            (
                EngineFacts { os: "windows".into(), ..docker.clone() },
                none(),
                Blocks,
                "windows",
                "Switch to Linux",
            ),
            (
                EngineFacts { limits: no_limits, cgroup_version: 1, ..good() },
                none(),
                Weakens,
                "memory, processes:",
                "unified_cgroup",
            ),
            (EngineFacts { limits: no_limits, ..good() }, none(), Weakens, "memory", "Delegate="),
            (docker.clone(), Circumstances { no_seccomp: true, ..none() }, Weakens, "seccomp", "kernel"),
            (
                docker.clone(),
                Circumstances { remaps_users: true, ..none() },
                Weakens,
                "userns-remap",
                "daemon.json",
            ),
            (
                docker.clone(),
                Circumstances { over_tcp: true, ..none() },
                Weakens,
                "plain TCP",
                "local socket",
            ),
            (EngineFacts { remote: true, ..docker }, none(), Weakens, "another machine", "this machine"),
        ];
        for (facts, around, severity, what, fix) in table {
            let found = problems(&facts, &around);
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            assert_eq!(found[0].severity, severity, "{what}");
            assert!(found[0].what.contains(what), "{found:?}");
            assert!(found[0].fix.contains(fix), "{found:?}");
        }
    }

    #[test]
    fn what_blocks_comes_first() {
        let around = Circumstances { hybrid_cgroups: true, no_seccomp: true, ..Circumstances::default() };
        let found = problems(&good(), &around);
        assert_eq!(
            found.iter().map(|p| p.severity).collect::<Vec<_>>(),
            [Severity::Blocks, Severity::Weakens]
        );
    }

    #[test]
    fn a_missing_runtime_is_told() {
        let problem = Problem::missing_runtime(&good(), "runsc");
        assert!(
            problem.what.contains("crun, runc") && problem.fix.contains("[engine.runtimes]"),
            "{problem:?}"
        );
    }
}
