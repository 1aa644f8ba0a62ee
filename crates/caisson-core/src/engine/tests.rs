//! On real engines. Their sockets stand in the environment, where `make test` puts them; the airlock is a shell
//! script here that runs the first line it reads.

mod images;
mod meets;
mod pulls;
mod runs;
mod vanish;
mod volumes;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep, timeout},
};

use super::{
    Container, Engine, EngineChoice, EngineEnv, EngineFacts, Engines, Exit, ImageFacts, Tar,
    archive::{Entry, pack},
};
use crate::{
    model::{FolderGrant, LifeSettings, Limits, Permissions, Server, ServerName, Source, Transport},
    sandbox::{Folders, Plan, UserIds},
};

const IMAGE: &str = "localhost/caisson-engine-test:3";
const SCRIPT: &[u8] = b"#!/bin/sh\nread -r line\neval \"$line\"\n";
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a test of each function on each engine: `on_engines!([podman docker] one, another);`
macro_rules! on_engines {
    ($engines:tt $($name:ident),+ $(,)?) => { $(super::on_engines!(@each $name $engines);)+ };
    (@each $name:ident [$($engine:ident)+]) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $engine() {
                    if let Some(real) = crate::engine::tests::Real::new(stringify!($engine)).await {
                        super::$name(real).await;
                    }
                }
            )+
        }
    };
}
use on_engines;

/// A real engine, with a home of its own.
struct Real {
    socket: PathBuf,
    engines: Engines,
    engine: Engine,
    /// Where the airlock is.
    folder: tempfile::TempDir,
    /// Tells this test's containers from others'.
    home_id: String,
    /// Whom granted folders belong to.
    user: UserIds,
    runtime: Option<String>,
}

impl Real {
    /// `name` is `podman`, `docker`, `rootless`, or `runsc`, which is Docker with that runtime.
    #[expect(clippy::disallowed_methods, reason = "a test reads where the engines are")]
    async fn new(name: &str) -> Option<Self> {
        let variable = match name {
            "podman" => "CAISSON_TEST_PODMAN",
            "rootless" => "CAISSON_TEST_ROOTLESS",
            _ => "CAISSON_TEST_DOCKER",
        };
        let Ok(socket) = std::env::var(variable) else {
            assert!(std::env::var("CI").is_err(), "{variable} is not set: in CI this engine must run");
            eprintln!("SKIPPED: {variable} is not set, so nothing was tested on {name}; use `make test`");
            return None;
        };
        let socket = PathBuf::from(socket.strip_prefix("unix://").unwrap_or(&socket));
        let folder = tempfile::tempdir().unwrap();
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let home_id = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        // The script is another one for each test, and so is its volume.
        let script = [SCRIPT, b"# ", home_id.as_bytes(), b"\n"].concat();
        for arch in ["amd64", "arm64"] {
            tokio::fs::write(folder.path().join(format!("airlock-linux-{arch}")), &script).await.unwrap();
        }
        let engines = engines(&socket, folder.path(), None);
        let engine = engines.get().await.unwrap();
        let owner = tokio::fs::metadata(&socket).await.unwrap();
        let user = {
            use std::os::unix::fs::MetadataExt as _;
            if engine.facts().rootless {
                UserIds { uid: owner.uid(), gid: owner.gid() }
            } else {
                UserIds { uid: 1234, gid: 1235 }
            }
        };
        let runtime = (name == "runsc").then(|| "runsc".to_owned());
        Some(Self { socket, engines, engine, folder, home_id, user, runtime })
    }

    fn facts(&self) -> &EngineFacts {
        self.engine.facts()
    }

    /// An image with busybox as its shell.
    async fn image(&self) -> ImageFacts {
        if let Some(image) = self.engine.image(IMAGE).await.unwrap() {
            return image;
        }
        let busybox = tokio::fs::read("/bin/busybox").await.expect("busybox-static is installed");
        let folder = |path| Entry { path, mode: 0o755, uid: 0, gid: 0, bytes: &[] };
        let mut entries: Vec<_> =
            ["bin/", "tmp/", "proc/", "dev/", "sys/", "etc/", "run/", "var/", "var/tmp/"].map(folder).into();
        let applets = [
            "sh", "cat", "id", "sleep", "head", "wc", "stat", "ls", "dd", "touch", "grep", "mkdir", "ip",
            "true", "mount", "tr", "rm", "kill",
        ];
        let names: Vec<_> = applets.iter().map(|name| format!("bin/{name}")).collect();
        entries.extend(names.iter().map(|path| Entry { path, mode: 0o755, uid: 0, gid: 0, bytes: &busybox }));
        let labels = BTreeMap::from([("dev.caisson.test".to_owned(), "engine".to_owned())]);
        self.engine.import(Tar::bytes(pack(&entries).unwrap()), IMAGE, &labels).await.unwrap()
    }

    fn server(&self, image: &ImageFacts) -> Server {
        Server {
            source: Source::Example,
            image: image.id.clone(),
            command: vec!["unused".into()],
            env: BTreeMap::new(),
            workdir: None,
            transport: Transport::Stdio,
            permissions: Permissions { runtime: self.runtime.clone(), ..Permissions::default() },
            limits: Limits::default(),
            life: LifeSettings::default(),
        }
    }

    async fn plan(&self) -> Plan {
        self.plan_of(self.server(&self.image().await), vec![])
    }

    fn plan_of(&self, server: Server, folders: Vec<FolderGrant>) -> Plan {
        let name: ServerName = "engine-test".parse().unwrap();
        let folders = Folders::unchecked(folders);
        let mut nonce = [0; 4];
        getrandom::fill(&mut nonce).unwrap();
        Plan::for_server(&name, &server, &folders, self.facts(), self.user, &self.home_id)
            .unwrap()
            .with_nonce(format!("{:08x}", u32::from_ne_bytes(nonce)))
    }

    /// Runs a line of shell, gives what it wrote to standard output, and how it ended.
    async fn shell(&self, plan: &Plan, line: &str) -> (String, Exit) {
        let Container { mut pipe, diagnostics: _kept, handle, .. } = self.engine.run(plan).await.unwrap();
        pipe.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut said = String::new();
        timeout(PATIENCE, pipe.read_to_string(&mut said)).await.expect("the shell ends").unwrap();
        (said, timeout(PATIENCE, handle.wait()).await.expect("the container ends"))
    }

    /// Waits until no container of this test is left.
    async fn none_left(&self) {
        let began = Instant::now();
        loop {
            let ours = self.engine.list_ours(&self.home_id).await.unwrap();
            if ours.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "left: {ours:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Removes what the test made.
    async fn clean(self) {
        self.none_left().await;
        let airlock = self.engine.ensure_airlock().await.unwrap();
        self.engine.remove_volume(&airlock).await.unwrap();
    }
}

/// Reads the line `up`.
async fn up(pipe: &mut dyn super::Pipe) {
    let mut line = [0; 3];
    timeout(PATIENCE, pipe.read_exact(&mut line)).await.expect("the shell says it is up").unwrap();
    assert_eq!(&line, b"up\n");
}

fn engines(socket: &Path, artifacts: &Path, sockets: Option<PathBuf>) -> Engines {
    let env = EngineEnv { home: artifacts.into(), ..EngineEnv::default() };
    let choice = EngineChoice::Address(format!("unix://{}", socket.display()));
    Engines::new(env, choice, artifacts.into(), sockets)
}
