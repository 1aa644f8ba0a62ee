use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use caisson_wire::{
    AirlockEvent, Command, Header, Launch, Mode, Mux, Order, ProcessId, ProcessLimits, frame,
};

use super::*;
use crate::engine::Pipe;

on_engines!([podman docker rootless] the_real_airlock_comes, an_airlock_that_stays_away_is_attached_to);
on_engines!([rootless] a_folder_the_engine_cannot_see);
on_engines!([runsc] another_kernel_is_attached_to);

impl Real {
    /// The engine as it is found by a Caisson that has a folder for sockets, which every user can see with `mode`
    /// 0755.
    async fn with_sockets(&self, artifacts: &Path, mode: u32) -> (Engine, PathBuf) {
        let sockets = self.folder.path().join("sockets");
        fs::create_dir(&sockets).unwrap();
        fs::set_permissions(self.folder.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&sockets, Permissions::from_mode(mode)).unwrap();
        let engine = engines(&self.socket, artifacts, Some(sockets.clone())).get().await.unwrap();
        (engine, sockets)
    }
}

/// How many arguments the script that stands for an airlock was given.
async fn arguments(engine: &Engine, plan: &Plan) -> String {
    let Container { mut pipe, diagnostics: _kept, handle, .. } = engine.run(plan).await.unwrap();
    assert!(!is_socket(&*pipe), "nobody connects");
    pipe.write_all(b"echo $#\n").await.unwrap();
    let mut said = String::new();
    timeout(PATIENCE, pipe.read_to_string(&mut said)).await.expect("the shell ends").unwrap();
    assert_eq!(handle.wait().await.code, Some(0));
    said
}

fn is_socket(pipe: &dyn Pipe) -> bool {
    format!("{pipe:?}").contains("UnixStream")
}

fn command(script: &str) -> Command {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    Command { argv, env: BTreeMap::new(), cwd: None }
}

/// Bytes cross on a socket, which is gone before the server's process starts; and whoever drops it ends the container.
#[expect(clippy::disallowed_methods, reason = "a test reads where the airlock is")]
async fn the_real_airlock_comes(real: Real) {
    let airlock = PathBuf::from(std::env::var("CAISSON_TEST_AIRLOCK").expect("CAISSON_TEST_AIRLOCK is set"));
    let (engine, sockets) = real.with_sockets(airlock.parent().unwrap(), 0o755).await;
    let Container { pipe, hatch, diagnostics: _kept, handle } = engine.run(&real.plan().await).await.unwrap();
    assert!(is_socket(&*pipe) && hatch.is_some(), "{pipe:?}");
    assert_eq!(fs::read_dir(&sockets).unwrap().count(), 0, "one connection is taken, and no other can come");

    let Mux { opener, incoming, driver } = Mux::host(pipe);
    let mut control = opener.open().await.unwrap();
    frame::write(&mut control, &Header::Control).await.unwrap();
    let attack = "ls -A /caisson-pipe; touch /caisson-pipe/x || echo closed; \
        grep -c ' /caisson-pipe [^ ]* ro[, ]' /proc/mounts; ls /proc/1/fd || echo hidden";
    let launch = Launch {
        mode: Mode::Exec,
        command: command("unused"),
        files: vec![],
        egress: caisson_wire::Egress::default(),
        limits: ProcessLimits::default(),
        sessions: None,
        grace_ms: 100,
    };
    frame::write(&mut control, &Order::Launch(launch)).await.unwrap();
    assert_eq!(frame::read(&mut control).await.unwrap(), Some(AirlockEvent::Ready));
    let mut said = opener.open().await.unwrap();
    let exec = Header::Exec { process: ProcessId(1), command: command(attack) };
    frame::write(&mut said, &exec).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, said.read_to_string(&mut text)).await.expect("the shell ends").unwrap();
    assert_eq!(text, "closed\n1\nhidden\n");
    drop((said, control, opener, incoming));
    timeout(PATIENCE, driver).await.unwrap().unwrap().unwrap();
    timeout(PATIENCE, handle.wait()).await.expect("the container ends with its socket");
    real.none_left().await;
}

/// An airlock that does not reach the socket: it is attached to, and the next one is not waited for.
async fn an_airlock_that_stays_away_is_attached_to(real: Real) {
    let (engine, sockets) = real.with_sockets(real.folder.path(), 0o755).await;
    assert_eq!(arguments(&engine, &real.plan().await).await, "2\n");
    assert_eq!(arguments(&engine, &real.plan().await).await, "0\n");
    assert_eq!(fs::read_dir(&sockets).unwrap().count(), 0);
    real.clean().await;
}

async fn a_folder_the_engine_cannot_see(real: Real) {
    let (engine, _sockets) = real.with_sockets(real.folder.path(), 0o700).await;
    assert_eq!(arguments(&engine, &real.plan().await).await, "0\n");
    real.clean().await;
}

async fn another_kernel_is_attached_to(real: Real) {
    let (engine, _sockets) = real.with_sockets(real.folder.path(), 0o755).await;
    assert_eq!(arguments(&engine, &real.plan().await).await, "0\n");
    real.clean().await;
}
