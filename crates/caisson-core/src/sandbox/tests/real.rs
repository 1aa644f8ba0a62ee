//! On real engines, with the real airlock. Needs `CAISSON_TEST_AIRLOCK` (the static airlock's path) and at least
//! one of `CAISSON_TEST_{PODMAN,DOCKER,ROOTLESS}` (a socket); `scripts/test` sets them. What is skipped says so.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::SystemTime,
};

use futures::future::BoxFuture;
use tokio::sync::broadcast;

use super::*;
use crate::{
    egress::{Egress, Resolver},
    engine::{Engine, EngineChoice, EngineEnv, Engines, Tar},
    model::{FolderGrant, MemorySize, SecretName},
    sandbox::{dock::EngineDock, start::SecretSource},
    secrets::SecretError,
};

/// The value of every secret in these tests.
const SECRET: &str = "watertight-7c1f";

struct OneSecret;

impl SecretSource for OneSecret {
    fn get<'a>(
        &'a self,
        _: &'a ServerName,
        _: &'a SecretName,
    ) -> BoxFuture<'a, Result<caisson_wire::SecretBytes, SecretError>> {
        Box::pin(async { Ok(SECRET.into()) })
    }
}

/// A real engine, and a sandbox on it.
struct Real {
    sandbox: Sandbox,
    engine: Engine,
    image: crate::model::Digest,
    home_id: String,
    user: UserIds,
    disk: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "tests are told where the engines are by the environment")]
fn told(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        eprintln!("SKIPPED: {variable} is not set");
    }
    value
}

/// A root folder with nothing but busybox.
fn rootfs() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let busybox = std::fs::read("/bin/busybox").expect("busybox-static is installed");
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(busybox.len() as u64);
    tar.append_data(&mut header, "bin/busybox", busybox.as_slice()).unwrap();
    for applet in [
        "sh", "cat", "sleep", "id", "ls", "touch", "unshare", "mount", "nc", "printf", "tail", "yes",
        "chroot", "grep", "cp", "mkdir",
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    for folder in ["proc", "sys", "dev", "tmp", "run", "etc", "home", "srv", "caisson"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        tar.append_data(&mut header, folder, std::io::empty()).unwrap();
    }
    tar.into_inner().unwrap()
}

impl Real {
    /// None, said aloud, where the engine is not there to be tested on.
    async fn on(variable: &str) -> Option<Self> {
        let socket = told(variable)?;
        let airlock = PathBuf::from(told("CAISSON_TEST_AIRLOCK")?);
        let user = match variable {
            "CAISSON_TEST_ROOTLESS" => {
                let socket = std::fs::metadata(socket.trim_start_matches("unix://")).unwrap();
                UserIds { uid: socket.uid(), gid: socket.gid() }
            }
            _ => UserIds { uid: 1234, gid: 1234 },
        };
        let disk = tempfile::tempdir().unwrap();
        std::fs::set_permissions(disk.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let env = EngineEnv {
            docker_host: None,
            container_host: None,
            runtime_dir: None,
            home: disk.path().into(),
            uid: user.uid,
            gid: user.gid,
        };
        let artifacts = airlock.parent().unwrap().to_owned();
        let engines =
            Engines::new(env, EngineChoice::Address(socket), artifacts, Some(disk.path().join("pipes")));
        let engine = engines.get().await.unwrap();
        let tag = "localhost/caisson-test/sandbox:latest";
        let image = engine.import(Tar::bytes(rootfs()), tag, &BTreeMap::new()).await.unwrap().id;
        let home_id = format!("t{:08x}", getrandom::u32().unwrap());
        let local = vec![std::net::IpAddr::from([127, 0, 0, 1])];
        let table =
            BTreeMap::from([("a.example".to_owned(), local.clone()), ("b.example".to_owned(), local)]);
        let sandbox = Sandbox::with(Common {
            dock: std::sync::Arc::new(EngineDock { engines, home_id: home_id.clone() }),
            secrets: std::sync::Arc::new(OneSecret),
            audit: crate::audit::Audit::in_memory(std::time::SystemTime::now).unwrap(),
            egress: Egress::new(Resolver::Fixed(std::sync::Arc::new(table))),
            events: broadcast::Sender::new(64),
            home_id: home_id.clone(),
            user,
            places: Places { home: "/nobody".into(), own: Vec::new() },
            authorities: crate::sandbox::Authorities::default(),
            clock: SystemTime::now,
            pins: crate::pins::Pins::new(crate::registry::State::in_memory().unwrap()),
            paused: std::sync::atomic::AtomicBool::new(false),
            swept: OnceCell::new(),
            mine: std::sync::Mutex::default(),
        });
        Some(Self { sandbox, engine, image, home_id, user, disk })
    }

    /// A server that runs a shell script.
    fn server(&self, script: &str) -> Server {
        let mut server = super::server();
        server.image = self.image.clone();
        server.command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        server.life.start_timeout = 60;
        server
    }

    fn define(&self, script: &str, change: impl FnOnce(&mut Server)) {
        let mut server = self.server(script);
        change(&mut server);
        self.sandbox.define(&name(), server);
    }

    async fn open(&self) -> (SessionSender, SessionReceiver) {
        self.sandbox.open_session(open(), RAW).await.unwrap().split()
    }

    /// The first message of a new session, which says `{"name":"value", …}`.
    async fn first(&self) -> serde_json::Value {
        let (_sender, mut receiver) = self.open().await;
        let message = timeout(Duration::from_secs(60), receiver.next()).await.expect("a message in time");
        serde_json::from_slice(&message.unwrap().unwrap()).unwrap()
    }

    /// A folder on the host that belongs to the user.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.disk.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        chown(&folder, Some(self.user.uid), Some(self.user.gid)).unwrap();
        folder
    }

    /// Ends everything, and looks whether anything is left.
    async fn end(self) {
        self.sandbox.shutdown().await;
        for _ in 0..50 {
            if self.engine.list_ours(&self.home_id).await.unwrap().is_empty() {
                self.sandbox.erase_state(&name()).await.unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("left: {:?}", self.engine.list_ours(&self.home_id).await.unwrap());
    }
}

/// Runs a test on each engine there is.
macro_rules! on_engines {
    ($($test:ident),+) => {
        on_engines!(podman "CAISSON_TEST_PODMAN" $($test),+);
        on_engines!(docker "CAISSON_TEST_DOCKER" $($test),+);
        on_engines!(rootless "CAISSON_TEST_ROOTLESS" $($test),+);
    };
    ($engine:ident $variable:literal $($test:ident),+) => {
        mod $engine {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(real) = super::Real::on($variable).await {
                    super::$test(&real).await;
                    real.end().await;
                }
            })+
        }
    };
}

on_engines!(
    messages_cross,
    defaults_hold_inside,
    the_kernel_is_closed,
    secrets_stand_inside_alone,
    folders_are_what_was_granted,
    state_is_kept,
    a_server_that_exits_says_why,
    too_much_memory_is_said,
    floods_and_forks_are_borne,
    egress_is_by_name,
    an_install_becomes_an_image,
    a_stubborn_server_is_stopped
);

async fn messages_cross(real: &Real) {
    real.define("exec cat", |_| {});
    let (sender, mut receiver) = real.open().await;
    for number in 0..50 {
        let text = format!("{{\"n\":{number},\"x\":\"{}\"}}", "é".repeat(number * 1000));
        sender.send(message(), text.as_bytes()).await.unwrap();
        assert_eq!(next(&mut receiver).await, Some(Ok(text)));
    }
    drop(sender);
    assert_eq!(next(&mut receiver).await, None);
    // A second session is a process of its own, in the container that runs.
    let (sender, mut receiver) = real.open().await;
    sender.send(message(), b"{}").await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{}".into())));
    assert_eq!(real.engine.list_ours(&real.home_id).await.unwrap().len(), 1);
}

async fn defaults_hold_inside(real: &Real) {
    let script = r#"
        field() { grep "^$1:" /proc/self/status | while read _ value rest; do printf '%s' "$value"; done; }
        touch /x 2>/dev/null && root=writable || root=closed
        printf '#!/bin/sh\n:\n' > /run/x; chmod 755 /run/x 2>/dev/null; /bin/busybox chmod 755 /run/x
        /run/x 2>/dev/null && run=exec || run=noexec
        options() { grep " $1 " /proc/mounts | while read _ _ _ options _; do printf '%s' "$options"; done; }
        echo "{\"uid\":$(id -u),\"gid\":$(id -g),\"net\":\"$(ls /sys/class/net 2>/dev/null || echo lo)\",\"root\":\"$root\",\"run\":\"$run\",
\"eff\":\"$(field CapEff)\",\"bnd\":\"$(field CapBnd)\",\"nnp\":\"$(field NoNewPrivs)\",\"seccomp\":\"$(field Seccomp)\",
\"tmp\":\"$(options /tmp)\",\"home\":\"$(options /home/server)\",\"files\":\"$(ulimit -n)\",\"core\":\"$(ulimit -c)\",
\"shm\":\"$(options /dev/shm)\",\"HOME\":\"$HOME\",\"PATH\":\"$PATH\",\"host\":\"$(/bin/busybox hostname)\"}" | /bin/busybox tr -d '\n'; echo
        exec sleep 60"#;
    real.define(script, |_| {});
    let seen = real.first().await;
    for (what, meant) in [
        ("uid", serde_json::json!(65532)),
        ("gid", serde_json::json!(65532)),
        ("net", "lo".into()),
        ("root", "closed".into()),
        ("run", "noexec".into()),
        ("eff", "0000000000000000".into()),
        ("bnd", "0000000000000000".into()),
        ("nnp", "1".into()),
        ("seccomp", "2".into()),
        ("files", "4096".into()),
        ("core", "0".into()),
        ("HOME", "/home/server".into()),
        ("host", "caisson".into()),
    ] {
        assert_eq!(seen[what], meant, "{what} in {seen}");
    }
    for tmpfs in ["tmp", "home"] {
        let options = seen[tmpfs].as_str().unwrap();
        assert!(
            ["nosuid", "nodev", "size=65536k"].iter().all(|option| options.contains(option)),
            "{options}"
        );
    }
}

async fn the_kernel_is_closed(real: &Real) {
    let script = r#"
        try() { "$@" >/dev/null 2>&1 && printf 'done' || printf 'refused'; }
        echo "{\"unshare\":\"$(try unshare -U /bin/busybox true)\",\"net\":\"$(try unshare -n /bin/busybox true)\",
\"mount\":\"$(try mount -t tmpfs none /tmp)\",\"chroot\":\"$(try chroot / /bin/busybox true)\",\"dmesg\":\"$(try /bin/busybox dmesg)\",
\"hostname\":\"$(try /bin/busybox hostname x)\",\"mknod\":\"$(try /bin/busybox mknod /tmp/d b 8 0)\",
\"airlock\":\"$(try touch /caisson/x)\",\"sysrq\":\"$(try sh -c 'echo b > /proc/sysrq-trigger')\",\"fifo\":\"$(try /bin/busybox mkfifo /tmp/f)\"}" | /bin/busybox tr -d '\n'; echo
        exec sleep 60"#;
    real.define(script, |_| {});
    let seen = real.first().await;
    for (what, outcome) in seen.as_object().unwrap() {
        assert_eq!(outcome, if what == "fifo" { "done" } else { "refused" }, "{what}");
    }
}

async fn secrets_stand_inside_alone(real: &Real) {
    let script = r#"echo "{\"env\":\"$TOKEN\",\"file\":\"$(cat /run/secrets/KEY)\",\"mode\":\"$(/bin/busybox stat -c %a /run/secrets/KEY)\",\"first\":\"$(/bin/busybox tr '\0' ' ' < /proc/1/environ)\"}"; exec sleep 60"#;
    real.define(script, |server| {
        for (name, place) in [("TOKEN", SecretPlace::Env), ("KEY", SecretPlace::File)] {
            server.permissions.secrets.push(SecretGrant { name: name.parse().unwrap(), place });
        }
    });
    let seen = real.first().await;
    assert_eq!((seen["env"].as_str(), seen["file"].as_str()), (Some(SECRET), Some(SECRET)));
    assert_eq!(seen["mode"], "400");
    assert!(!seen["first"].as_str().unwrap_or_default().contains(SECRET), "{seen}");
    let logs = format!("{:?}", real.sandbox.logs(&name()).unwrap().lines);
    assert!(!logs.contains(SECRET), "{logs}");
}

async fn folders_are_what_was_granted(real: &Real) {
    let (read, write) = (real.folder("read"), real.folder("write"));
    std::io::Write::write_all(&mut std::fs::File::create(read.join("a")).unwrap(), b"hello").unwrap();
    let link = real.disk.path().join("link");
    std::os::unix::fs::symlink(&write, &link).unwrap();
    let script = r#"
        touch /in/x 2>/dev/null && in=writable || in=closed
        mkdir /out/d && echo from-inside > /out/d/f && out=written || out=refused
        ls /in/.. >/dev/null; echo "{\"a\":\"$(cat /in/a)\",\"in\":\"$in\",\"out\":\"$out\"}"; exec sleep 60"#;
    let grant =
        |host: &Path, inside: &str, write| FolderGrant { host: host.into(), inside: inside.into(), write };
    real.define(script, |server| {
        server.permissions.folders = vec![grant(&read, "/in", false), grant(&link, "/out", true)];
    });
    assert_eq!(real.first().await, serde_json::json!({"a": "hello", "in": "closed", "out": "written"}));
    let written = std::fs::metadata(write.join("d/f")).unwrap();
    assert_eq!((written.uid(), written.gid()), (real.user.uid, real.user.gid), "it belongs to the user");

    // A folder that became a dangerous one after it was granted is refused at the next start.
    real.sandbox.stop(&name()).await.unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let error = refused(&real.sandbox).await;
    assert!(error.contains("never shown to a server") && error.contains("/etc"), "{error}");
}

async fn state_is_kept(real: &Real) {
    // Written before it is told of: the restart follows at once.
    let script = r#"before=$(cat /data/f 2>/dev/null); echo kept > /data/f; echo "{\"before\":\"$before\"}"; exec cat"#;
    real.define(script, |server| server.permissions.state = Some("/data".into()));
    assert_eq!(real.first().await["before"], "");
    real.sandbox.restart(&name()).await.unwrap();
    assert_eq!(real.first().await["before"], "kept");
}

async fn a_server_that_exits_says_why(real: &Real) {
    real.define("echo 'no API key' >&2; exit 3", |_| {});
    let (_sender, mut receiver) = real.open().await;
    let error = next(&mut receiver).await.unwrap().unwrap_err();
    assert!(error.contains("exit code 3") && error.contains("no API key"), "{error}");
    real.sandbox.stop(&name()).await.unwrap();
    real.define("unused", |server| server.command = vec!["/no/such/program".into()]);
    let error = refused(&real.sandbox).await;
    assert!(error.contains("could not launch") && error.contains("/no/such/program"), "{error}");
}

async fn too_much_memory_is_said(real: &Real) {
    if !real.engine.facts().limits.memory {
        return eprintln!("SKIPPED: this engine cannot limit memory");
    }
    real.define("sleep 1; tail /dev/zero; exit 9", |server| server.limits.memory = MemorySize::mib(32));
    let (_sender, mut receiver) = real.open().await;
    let error = next(&mut receiver).await.unwrap().unwrap_err();
    // Either the server alone was killed, or the whole container.
    assert!(error.contains("memory") || error.contains("exit code 9"), "{error}");
}

async fn floods_and_forks_are_borne(real: &Real) {
    real.define("yes >&2 & yes '{\"flood\":1}'", |_| {});
    let (sender, mut receiver) = real.open().await;
    for _ in 0..10_000 {
        assert_eq!(next(&mut receiver).await, Some(Ok("{\"flood\":1}".into())));
    }
    drop((sender, receiver));
    let kept = real.sandbox.logs(&name()).unwrap().lines.len();
    assert!(kept <= 2000, "{kept}");
    real.sandbox.stop(&name()).await.unwrap();

    if !real.engine.facts().limits.pids {
        return eprintln!("SKIPPED: this engine cannot limit processes");
    }
    let script = r#"n=0; while [ $n -lt 1000 ]; do sleep 100 & n=$((n+1)); done 2>/dev/null; echo "{\"n\":$n}"; exec cat"#;
    real.define(script, |server| server.limits.processes = 64);
    let (_sender, mut receiver) = real.open().await;
    // The shell ends itself when it cannot fork; the host lives and the server can be stopped.
    let _either = next(&mut receiver).await;
    real.sandbox.stop(&name()).await.unwrap();
}

async fn egress_is_by_name(real: &Real) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    // The host part is asked for by each message.
    let script = r#"while read line; do
        answer=$(printf 'CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\nping' "$line" | nc -w 2 127.0.0.1 3128 | /bin/busybox tr -d '\r' | /bin/busybox tr '\n"' '  ')
        echo "{\"answer\":\"$answer\"}"; done"#;
    real.define(script, |server| {
        server.permissions.hosts =
            ["a.example", "127.0.0.1"].map(|host| format!("{host}:{port}").parse().unwrap()).into();
    });
    let (sender, mut receiver) = real.open().await;
    sender.send(message(), format!("a.example:{port}").as_bytes()).await.unwrap();
    let answer = next(&mut receiver).await.unwrap().unwrap();
    assert!(answer.contains(" 200") && answer.contains("ping"), "{answer}");
    for closed in [format!("b.example:{port}"), "a.example:1".to_owned(), format!("127.0.0.2:{port}")] {
        sender.send(message(), closed.as_bytes()).await.unwrap();
        let answer = next(&mut receiver).await.unwrap().unwrap();
        assert!(!answer.contains(" 200"), "{closed}: {answer}");
    }
}

async fn an_install_becomes_an_image(real: &Real) {
    let needs = InstallNeeds { image: real.image.clone(), root: true, limits: InstallNeeds::limits() };
    let plan = Plan::for_install(&name(), &needs, real.engine.facts(), &real.home_id).unwrap();
    let install = real.sandbox.run_install(plan, Vec::new(), Vec::new()).await.unwrap();
    let run = |script: &str| caisson_wire::Command {
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        env: base_environment(false).into_iter().map(|(name, value)| (name, value.into())).collect(),
        cwd: None,
    };
    let mut seen = Vec::new();
    let output = install
        .exec(
            run("mkdir /srv/app && echo installed > /srv/app/f && echo out && echo err >&2; exit 4"),
            |bytes| {
                seen.extend_from_slice(bytes);
            },
        )
        .await
        .unwrap();
    assert_eq!(output.exit, caisson_wire::Exit::Code(4));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(seen.len(), 8);
    // One that is given up is killed, and the next runs.
    let given_up = timeout(Duration::from_millis(300), install.exec(run("sleep 100"), |_| {})).await;
    assert!(given_up.is_err());
    let output = install.exec(run("exit 0"), |_| {}).await.unwrap();
    assert_eq!(output.exit, caisson_wire::Exit::Code(0));
    let labels = BTreeMap::from([("dev.caisson.kind".to_owned(), "test".to_owned())]);
    let image = install.commit("localhost/caisson-test/installed", labels).await.unwrap();
    install.end().await;
    real.define(r#"echo "{\"f\":\"$(cat /srv/app/f)\"}"; exec cat"#, |server| server.image = image.clone());
    assert_eq!(real.first().await["f"], "installed");
    real.sandbox.stop(&name()).await.unwrap();
    real.engine.remove_image(&image).await.unwrap();
}

async fn a_stubborn_server_is_stopped(real: &Real) {
    real.define("trap '' TERM INT HUP; echo '{}'; while :; do sleep 1; done", |_| {});
    let (_sender, mut receiver) = real.open().await;
    assert_eq!(next(&mut receiver).await, Some(Ok("{}".into())));
    let begun = std::time::Instant::now();
    real.sandbox.stop(&name()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(next(&mut receiver).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_gvisor() {
    let Some(real) = Real::on("CAISSON_TEST_DOCKER").await else { return };
    if !real.engine.facts().runtimes.iter().any(|runtime| runtime == "runsc") {
        return eprintln!("SKIPPED: Docker has no runtime runsc here");
    }
    real.define(r#"echo "{\"uid\":$(id -u)}"; touch /x 2>/dev/null && exit 1; exec cat"#, |server| {
        server.permissions.runtime = Some("runsc".into());
    });
    let (sender, mut receiver) = real.open().await;
    assert_eq!(next(&mut receiver).await, Some(Ok("{\"uid\":65532}".into())));
    sender.send(message(), b"{\"echo\":true}").await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{\"echo\":true}".into())));
    real.end().await;
}
