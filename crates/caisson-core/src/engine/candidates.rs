//! Where an engine may be listening. A pure function of what the caller knows of the machine.

use std::path::{Path, PathBuf};

use super::{Address, machine::Os};

/// What of the environment matters for finding engines. Core reads none of it itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineEnv {
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `CONTAINER_HOST`, Podman's own.
    pub container_host: Option<String>,
    /// `XDG_RUNTIME_DIR`; on macOS `TMPDIR`, where Podman machine puts its socket.
    pub runtime_dir: Option<PathBuf>,
    /// The user's home folder.
    pub home: PathBuf,
    /// The user's id.
    pub uid: u32,
    /// The user's main group.
    pub gid: u32,
}

/// Which engine to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// What `DOCKER_HOST` or `CONTAINER_HOST` names; without them, the first that works, those that enforce
    /// limits before those that do not.
    #[default]
    Auto,
    /// The first Podman.
    Podman,
    /// The first Docker.
    Docker,
    /// The one at this address, such as `unix:///run/podman/podman.sock`.
    Address(String),
}

impl From<&str> for EngineChoice {
    /// Reads the setting `engine`.
    fn from(text: &str) -> Self {
        match text {
            "" | "auto" => Self::Auto,
            "podman" => Self::Podman,
            "docker" => Self::Docker,
            address => Self::Address(address.to_owned()),
        }
    }
}

/// A place where an engine may be listening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What people call it: `Docker`, `rootless Podman`, `DOCKER_HOST`.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// Whether the user named it: by a setting or by a variable.
    pub named: bool,
}

/// Every place to look at, in order, each address once.
pub(super) fn candidates(
    env: &EngineEnv,
    choice: &EngineChoice,
    os: Os,
    context: Option<(String, Address)>,
) -> Vec<Candidate> {
    if let EngineChoice::Address(address) = choice {
        return vec![Candidate { name: "setting".into(), address: address.as_str().into(), named: true }];
    }
    let mut places = Places(Vec::new());
    for (name, value) in [("DOCKER_HOST", &env.docker_host), ("CONTAINER_HOST", &env.container_host)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            places.add(name, value.into(), true);
        }
    }
    if let Some((name, address)) = context {
        places.add(&format!("Docker context {name}"), address, false);
    }
    if os == Os::Windows {
        places.pipe("Docker Desktop", "docker_engine");
        places.pipe("Docker Desktop", "dockerDesktopLinuxEngine");
        places.pipe("Podman machine", "podman-machine-default");
        return places.0;
    }
    places.socket("Docker", "/var/run/docker.sock".into());
    // A service started outside of a login session knows no runtime folder, yet the usual one may be there.
    let guessed = (os == Os::Linux && env.uid != 0).then(|| PathBuf::from(format!("/run/user/{}", env.uid)));
    for runtime in env.runtime_dir.iter().chain(&guessed) {
        if os == Os::Mac {
            places.socket("Podman machine", runtime.join("podman/podman-machine-default-api.sock"));
        } else {
            places.socket("rootless Podman", runtime.join("podman/podman.sock"));
            places.socket("rootless Docker", runtime.join("docker.sock"));
        }
    }
    if os == Os::Linux {
        places.socket("Podman", "/run/podman/podman.sock".into());
    }
    for (name, path) in [
        ("Docker Desktop", ".docker/run/docker.sock"),
        ("Docker Desktop", ".docker/desktop/docker.sock"),
        ("Colima", ".colima/default/docker.sock"),
        ("OrbStack", ".orbstack/run/docker.sock"),
        ("Rancher Desktop", ".rd/docker.sock"),
        ("Podman machine", ".local/share/containers/podman/machine/podman.sock"),
        ("Podman machine", ".local/share/containers/podman/machine/applehv/podman.sock"),
        ("Podman machine", ".local/share/containers/podman/machine/libkrun/podman.sock"),
        ("Podman machine", ".local/share/containers/podman/machine/qemu/podman.sock"),
    ] {
        places.socket(name, env.home.join(Path::new(path)));
    }
    places.0
}

struct Places(Vec<Candidate>);

impl Places {
    fn add(&mut self, name: &str, address: Address, named: bool) {
        if !self.0.iter().any(|known| known.address == address) {
            self.0.push(Candidate { name: name.to_owned(), address, named });
        }
    }

    fn socket(&mut self, name: &str, path: PathBuf) {
        self.add(name, Address::Unix(path), false);
    }

    fn pipe(&mut self, name: &str, pipe: &str) {
        self.add(name, Address::Pipe(format!("//./pipe/{pipe}")), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(env: &EngineEnv, choice: &EngineChoice, os: Os) -> Vec<String> {
        candidates(env, choice, os, None).iter().map(|c| format!("{} {}", c.name, c.address)).collect()
    }

    fn env() -> EngineEnv {
        EngineEnv {
            runtime_dir: Some("/run/user/1000".into()),
            home: "/home/ada".into(),
            uid: 1000,
            gid: 1000,
            ..EngineEnv::default()
        }
    }

    #[test]
    fn on_linux() {
        let home = "/home/ada/.local/share/containers/podman/machine";
        assert_eq!(
            found(&env(), &EngineChoice::Auto, Os::Linux),
            [
                "Docker unix:///var/run/docker.sock".to_owned(),
                "rootless Podman unix:///run/user/1000/podman/podman.sock".into(),
                "rootless Docker unix:///run/user/1000/docker.sock".into(),
                "Podman unix:///run/podman/podman.sock".into(),
                "Docker Desktop unix:///home/ada/.docker/run/docker.sock".into(),
                "Docker Desktop unix:///home/ada/.docker/desktop/docker.sock".into(),
                "Colima unix:///home/ada/.colima/default/docker.sock".into(),
                "OrbStack unix:///home/ada/.orbstack/run/docker.sock".into(),
                "Rancher Desktop unix:///home/ada/.rd/docker.sock".into(),
                format!("Podman machine unix://{home}/podman.sock"),
                format!("Podman machine unix://{home}/applehv/podman.sock"),
                format!("Podman machine unix://{home}/libkrun/podman.sock"),
                format!("Podman machine unix://{home}/qemu/podman.sock"),
            ]
        );
    }

    #[test]
    fn elsewhere() {
        let on_mac = found(
            &EngineEnv { runtime_dir: Some("/var/folders/T".into()), ..env() },
            &EngineChoice::Auto,
            Os::Mac,
        );
        assert!(
            on_mac.contains(
                &"Podman machine unix:///var/folders/T/podman/podman-machine-default-api.sock".into()
            )
        );
        assert!(!on_mac.iter().any(|place| place.contains("/run/user")), "{on_mac:?}");
        assert_eq!(
            found(&env(), &EngineChoice::Auto, Os::Windows),
            [
                "Docker Desktop npipe:////./pipe/docker_engine",
                "Docker Desktop npipe:////./pipe/dockerDesktopLinuxEngine",
                "Podman machine npipe:////./pipe/podman-machine-default",
            ]
        );
    }

    #[test]
    fn what_the_user_names_comes_first_and_once() {
        let env = EngineEnv {
            docker_host: Some("unix:///var/run/docker.sock".into()),
            container_host: Some("unix:///tmp/p.sock".into()),
            ..env()
        };
        let places =
            candidates(&env, &EngineChoice::Podman, Os::Linux, Some(("work".into(), "tcp://h:2375".into())));
        let names: Vec<_> = places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names[..3], ["DOCKER_HOST", "CONTAINER_HOST", "Docker context work"]);
        assert!(!names.contains(&"Docker"), "{names:?}");
        assert!(places[0].named && places[1].named && !places[2].named);

        let only = candidates(&env, &EngineChoice::from("unix:///x.sock"), Os::Linux, None);
        assert_eq!(
            only,
            [Candidate { name: "setting".into(), address: "unix:///x.sock".into(), named: true }]
        );
        assert!(
            found(&EngineEnv { docker_host: Some(String::new()), ..env }, &EngineChoice::Auto, Os::Linux)[0]
                .starts_with("CONTAINER_HOST")
        );
    }
}
