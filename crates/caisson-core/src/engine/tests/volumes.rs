use super::*;
use crate::engine::{Owner, archive::INSIDE};

on_engines!([podman docker rootless] state_is_the_users, folders_are_the_users, filled_once, cut_short);

/// A volume belongs to the plan's user, stays, and can be written by nobody else.
async fn state_is_the_users(real: Real) {
    let mut server = real.server(&real.image().await);
    server.permissions.state = Some("/data".into());
    let folder = tempfile::tempdir().unwrap();
    let grant = FolderGrant { host: folder.path().into(), inside: "/in".into(), write: false };
    for grants in [vec![], vec![grant]] {
        open(folder.path(), real.user).await;
        let plan = real.plan_of(server.clone(), grants);
        let user = plan.user();
        let line = "stat -c '%u %g %a' /data && touch /data/kept && ls /data";
        let (said, exit) = real.shell(&plan, line).await;
        assert_eq!(said, format!("{} {} 700\nkept\n", user.uid, user.gid), "{exit:?}");
        let (said, _) = real.shell(&plan.clone().with_nonce("again"), "ls /data").await;
        assert_eq!(said, "kept\n");
        real.none_left().await;
        for volume in plan.volumes() {
            assert!(real.engine.remove_volume(&volume.name).await.unwrap());
            assert!(!real.engine.remove_volume(&volume.name).await.unwrap());
        }
    }
    real.clean().await;
}

/// What a server writes into a granted folder belongs to the user, and a read-only one it cannot write.
async fn folders_are_the_users(real: Real) {
    use std::os::unix::fs::MetadataExt as _;
    let (write, read) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(write.path(), real.user).await;
    open(read.path(), real.user).await;
    let grants = vec![
        FolderGrant { host: write.path().into(), inside: "/out".into(), write: true },
        FolderGrant { host: read.path().into(), inside: "/in".into(), write: false },
    ];
    let plan = real.plan_of(real.server(&real.image().await), grants);
    let (said, _) = real.shell(&plan, "touch /out/made && echo made; touch /in/made 2>&1").await;
    assert!(said.starts_with("made\n") && said.contains("Read-only file system"), "{said}");
    let made = tokio::fs::metadata(write.path().join("made")).await.unwrap();
    assert_eq!((made.uid(), made.gid()), (real.user.uid, real.user.gid));
    real.clean().await;
}

/// Several processes that start at once, each for the first time.
async fn filled_once(real: Real) {
    let plan = real.plan().await;
    let runs = (0..4).map(|at| {
        let engines = engines(&real.socket, real.folder.path(), None);
        let plan = plan.clone().with_nonce(at.to_string());
        async move {
            let engine = engines.get().await.unwrap();
            let Container { mut pipe, handle, .. } = engine.run(&plan).await.unwrap();
            pipe.write_all(b"exit 3\n").await.unwrap();
            assert_eq!(pipe.read(&mut [0]).await.unwrap(), 0);
            handle.wait().await.code
        }
    });
    assert_eq!(futures::future::join_all(runs).await, [Some(3); 4]);
    real.clean().await;
}

/// A volume that a crash left half filled, or that someone emptied, is filled again.
async fn cut_short(real: Real) {
    let name = real.engine.ensure_airlock().await.unwrap();
    let helper = real.engine.helper(&name, None, None).await.unwrap();
    for bytes in [&SCRIPT[..5], &[b'x'; 500_000]] {
        let entry = Entry { path: "airlock", mode: 0o755, uid: 0, gid: 0, bytes };
        real.engine.put_archive(helper.id(), INSIDE, Tar::bytes(pack(&[entry]).unwrap())).await.unwrap();
        let engine = engines(&real.socket, real.folder.path(), None).get().await.unwrap();
        assert_eq!(engine.ensure_airlock().await.unwrap(), name);
    }
    helper.remove().await.unwrap();
    real.engine.remove_volume(&name).await.unwrap();
    let (said, _) = real.shell(&real.plan().await, "echo whole").await;
    assert_eq!(said, "whole\n");

    let owner = Owner { uid: 7, gid: 8, namespace: crate::sandbox::UserNamespace::Engine };
    real.engine.ensure_volume(&name, &BTreeMap::new(), Some(owner)).await.unwrap();
    real.clean().await;
}

/// Gives a folder to the user.
async fn open(folder: &std::path::Path, user: UserIds) {
    std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid)).expect("the engine tests run as root");
}
