//! What an engine is and can do, made from what it says of itself. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Address, machine::Machine};

/// What an engine is and can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EngineFacts {
    /// Podman or Docker.
    pub kind: EngineKind,
    /// Its version, such as `4.3.1`.
    pub version: String,
    /// The version of Docker's API it speaks, such as `1.41`.
    pub api_version: String,
    /// Whether it runs as an ordinary user.
    pub rootless: bool,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// `systemd`, `cgroupfs` or `none`.
    pub cgroup_driver: String,
    /// How ids inside a container relate to the user's own.
    pub ids: IdMapping,
    /// The runtimes it can use, sorted.
    pub runtimes: Vec<String>,
    /// The one it uses when none is named.
    pub default_runtime: String,
    /// Its processor, as images name it: `amd64`, `arm64`.
    pub arch: String,
    /// Its operating system, as images name it: `linux`.
    pub os: String,
    /// How many processors it has.
    pub cpus: u32,
    /// How much memory it has, in bytes.
    #[ts(type = "number")]
    pub memory: u64,
    /// The highest `nofile` a container may be given.
    #[ts(type = "number")]
    pub max_files: u64,
    /// The highest `nproc` a container may be given.
    #[ts(type = "number")]
    pub max_processes: u64,
    /// Which limits it enforces.
    pub limits: LimitsEnforced,
    /// Whether it is on another machine, so that no folder of this one can be shown to a container.
    pub remote: bool,
}

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Podman.
    Podman,
    /// Docker, or what speaks its API.
    Docker,
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Podman => "Podman",
            Self::Docker => "Docker",
        })
    }
}

/// How ids inside a container relate to those of the user who runs Caisson: whose the files are that a server
/// writes into a granted folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum IdMapping {
    /// The same: a rootful engine on this kernel. Running as the user's own id does it.
    Shared,
    /// Rootless Podman: `keep-id` makes the user's id the same inside.
    KeepId,
    /// Rootless Docker: root inside is the user outside.
    RootIsUser,
    /// A virtual machine or another machine: its file sharing decides.
    Virtual,
}

/// Which limits an engine enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LimitsEnforced {
    /// Memory and swap.
    pub memory: bool,
    /// The number of processes.
    pub pids: bool,
    /// Processor time.
    pub cpu: bool,
}

impl LimitsEnforced {
    /// Whether it enforces all of them.
    pub fn all(self) -> bool {
        self.memory && self.pids && self.cpu
    }
}

/// The headers of `GET /_ping`: what an engine is, without the time `GET /version` takes Podman, which asks the
/// package manager about each of its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ping {
    /// `Api-Version`.
    pub(super) api_version: String,
    /// `Libpod-Api-Version`: Podman's own version, which it alone has.
    pub(super) podman_version: Option<String>,
}

/// `GET /info`, the fields that matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    pub(super) server_version: String,
    pub(super) operating_system: String,
    #[serde(rename = "OSType")]
    pub(super) os_type: String,
    pub(super) architecture: String,
    pub(super) kernel_version: String,
    #[serde(rename = "NCPU")]
    pub(super) cpus: u32,
    pub(super) mem_total: u64,
    pub(super) cgroup_driver: String,
    pub(super) cgroup_version: String,
    pub(super) memory_limit: bool,
    pub(super) pids_limit: bool,
    #[serde(rename = "CpuCfsQuota", alias = "CPUCfsQuota")]
    pub(super) cpu_quota: bool,
    pub(super) runtimes: BTreeMap<String, Runtime>,
    pub(super) default_runtime: String,
    pub(super) security_options: Option<Vec<String>>,
    pub(super) docker_root_dir: String,
}

impl Info {
    /// Whether a security option such as `seccomp` is on.
    pub(super) fn has_option(&self, name: &str) -> bool {
        let wanted = format!("name={name}");
        self.security_options.iter().flatten().any(|option| option.split(',').any(|part| part == wanted))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Runtime {
    pub(super) path: String,
}

/// `GET /libpod/info` of Podman, the fields that matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodmanInfo {
    pub(super) host: PodmanHost,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodmanHost {
    pub(super) cgroup_controllers: Vec<String>,
    pub(super) security: PodmanSecurity,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodmanSecurity {
    pub(super) rootless: bool,
}

/// All an engine says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) ping: Ping,
    pub(super) info: Info,
    /// From Podman alone.
    pub(super) podman: Option<PodmanInfo>,
}

/// No more is asked for, even where the kernel would give it: systemd gives services this many.
const MOST_FILES: u64 = 524_288;
/// Podman lowers its own limit to this, and may not raise it again.
const MOST_PROCESSES: u64 = 32_768;

impl Said {
    /// The facts. `installed` says whether a runtime with this name and path exists on this machine: Podman
    /// lists runtimes that it only knows of.
    pub(super) fn facts(
        &self,
        address: &Address,
        machine: &Machine,
        installed: impl Fn(&str, &str) -> bool,
    ) -> EngineFacts {
        let Self { ping, info, podman } = self;
        let kind = if ping.podman_version.is_some() { EngineKind::Podman } else { EngineKind::Docker };
        let rootless = podman
            .as_ref()
            .map_or_else(|| info.has_option("rootless"), |podman| podman.host.security.rootless);
        let remote = address.is_elsewhere();
        let shares_kernel =
            !remote && info.kernel_version == machine.kernel && info.operating_system != "Docker Desktop";
        let ids = match (shares_kernel, rootless, kind) {
            (false, ..) => IdMapping::Virtual,
            (true, false, _) => IdMapping::Shared,
            (true, true, EngineKind::Podman) => IdMapping::KeepId,
            (true, true, EngineKind::Docker) => IdMapping::RootIsUser,
        };
        let cgroup_version = if info.cgroup_version == "2" { 2 } else { 1 };
        let limits = match podman {
            // Podman tells what the kernel could enforce; a user's own cgroup has only what was delegated to it.
            Some(podman) if rootless => {
                let has = |name: &str| {
                    cgroup_version == 2
                        && podman.host.cgroup_controllers.iter().any(|controller| controller == name)
                };
                LimitsEnforced { memory: has("memory"), pids: has("pids"), cpu: has("cpu") }
            }
            Some(_) | None => {
                LimitsEnforced { memory: info.memory_limit, pids: info.pids_limit, cpu: info.cpu_quota }
            }
        };
        let listed_only = kind == EngineKind::Podman && shares_kernel;
        let runtimes = info
            .runtimes
            .iter()
            .filter(|(name, runtime)| {
                !listed_only || **name == info.default_runtime || installed(name, &runtime.path)
            })
            .map(|(name, _)| name.clone())
            .collect();
        let own = |limit: Option<u64>, most: u64| {
            limit.filter(|_| shares_kernel).map_or(most, |limit| limit.min(most))
        };
        EngineFacts {
            kind,
            version: ping.podman_version.clone().unwrap_or_else(|| info.server_version.clone()),
            api_version: ping.api_version.clone(),
            rootless,
            cgroup_version,
            cgroup_driver: info.cgroup_driver.clone(),
            ids,
            runtimes,
            default_runtime: info.default_runtime.clone(),
            arch: image_arch(&info.architecture),
            os: info.os_type.to_lowercase(),
            cpus: info.cpus,
            memory: info.mem_total,
            max_files: own(machine.max_files, MOST_FILES),
            max_processes: own(machine.max_processes, MOST_PROCESSES),
            limits,
            remote,
        }
    }
}

/// A processor's name as images have it (Go's `GOARCH`); Docker's `/info` has the kernel's.
fn image_arch(arch: &str) -> String {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm",
        "i686" | "i386" => "386",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::machine::Os, *};

    fn machine() -> Machine {
        Machine {
            os: Os::Linux,
            kernel: "6.1.0".into(),
            hybrid_cgroups: false,
            max_files: Some(20_000),
            max_processes: None,
        }
    }

    fn said(version: Option<&str>, info: &str, podman: Option<&str>) -> Said {
        Said {
            ping: Ping { api_version: "1.41".into(), podman_version: version.map(str::to_owned) },
            info: serde_json::from_str(info).unwrap(),
            podman: podman.map(|text| serde_json::from_str(text).unwrap()),
        }
    }

    const DOCKER: Option<&str> = None;
    const PODMAN: Option<&str> = Some("4.3.1");

    fn info(more: &str) -> String {
        format!(
            r#"{{"ServerVersion":"20.10.24","OSType":"linux","Architecture":"x86_64","KernelVersion":"6.1.0","NCPU":2,"MemTotal":25276514304,
            "CgroupDriver":"cgroupfs","MemoryLimit":true,"PidsLimit":true,"CpuCfsQuota":true,
            "Runtimes":{{"runc":{{"path":"runc"}},"runsc":{{"path":"/usr/bin/runsc"}}}},"DefaultRuntime":"runc",
            "SecurityOptions":["name=seccomp,profile=default"]{more}}}"#
        )
    }

    #[test]
    fn docker() {
        let unix = Address::from("/var/run/docker.sock");
        let facts =
            said(DOCKER, &info(r#","CgroupVersion":"1""#), None).facts(&unix, &machine(), |_, _| false);
        assert_eq!((facts.kind, facts.rootless, facts.ids), (EngineKind::Docker, false, IdMapping::Shared));
        assert_eq!((facts.arch.as_str(), facts.os.as_str(), facts.cgroup_version), ("amd64", "linux", 1));
        assert_eq!((facts.version.as_str(), facts.api_version.as_str()), ("20.10.24", "1.41"));
        assert_eq!(facts.runtimes, ["runc", "runsc"]);
        assert_eq!((facts.max_files, facts.max_processes), (20_000, MOST_PROCESSES));
        assert!(facts.limits.all() && !facts.remote);

        let rootless = info("").replace("name=seccomp", "name=rootless\",\"name=seccomp");
        assert_eq!(
            said(DOCKER, &rootless, None).facts(&unix, &machine(), |_, _| true).ids,
            IdMapping::RootIsUser
        );
    }

    #[test]
    fn podman() {
        let unix = Address::from("/run/podman/podman.sock");
        let rootless = |version: u8, controllers: &str| {
            let more = format!(r#","CgroupVersion":"{version}""#);
            let podman = format!(
                r#"{{"host":{{"cgroupControllers":[{controllers}],"security":{{"rootless":true}}}}}}"#
            );
            said(PODMAN, &info(&more), Some(&podman)).facts(&unix, &machine(), |name, _| name == "crun")
        };
        let old = rootless(1, "");
        assert_eq!(old.version, "4.3.1");
        assert_eq!((old.kind, old.ids), (EngineKind::Podman, IdMapping::KeepId));
        assert_eq!(old.limits, LimitsEnforced { memory: false, pids: false, cpu: false });
        assert_eq!(old.runtimes, ["runc"], "runsc is listed, but not installed");
        let delegated = rootless(2, r#""memory","pids""#).limits;
        assert_eq!(delegated, LimitsEnforced { memory: true, pids: true, cpu: false });
    }

    #[test]
    fn virtual_and_remote() {
        let desktop = info(r#","OperatingSystem":"Docker Desktop""#);
        let unix = Address::from("/home/ada/.docker/desktop/docker.sock");
        assert_eq!(
            said(DOCKER, &desktop, None).facts(&unix, &machine(), |_, _| true).ids,
            IdMapping::Virtual
        );
        let facts =
            said(DOCKER, &info(""), None).facts(&"tcp://10.0.0.1:2375".into(), &machine(), |_, _| true);
        assert_eq!((facts.ids, facts.remote, facts.max_files), (IdMapping::Virtual, true, MOST_FILES));
        let other = Machine { kernel: "6.9".into(), ..machine() };
        assert_eq!(said(DOCKER, &info(""), None).facts(&unix, &other, |_, _| true).ids, IdMapping::Virtual);
    }

    #[test]
    fn an_engine_that_says_little_is_understood() {
        let facts = said(DOCKER, "{}", None).facts(&"/x".into(), &machine(), |_, _| true);
        assert!(!facts.limits.all());
    }
}
