use super::*;
use crate::{
    engine::{BuildNetwork, EngineError},
    model::ProgressSink,
};

on_engines!([podman docker rootless] imported, built, broken_builds, committed, not_there, archives);

pub(super) async fn build(real: &Real, dockerfile: &str, tag: &str) -> Result<ImageFacts, EngineError> {
    let entry = Entry { path: "Dockerfile", mode: 0o644, uid: 0, gid: 0, bytes: dockerfile.as_bytes() };
    let context = Tar::bytes(pack(&[entry]).unwrap());
    let labels = BTreeMap::from([("dev.caisson.test".to_owned(), real.home_id.clone())]);
    real.engine.build(context, "Dockerfile", tag, BuildNetwork::None, &labels, &ProgressSink::nobody()).await
}

async fn imported(real: Real) {
    let folder = Entry { path: "data/", mode: 0o755, uid: 0, gid: 0, bytes: &[] };
    let rootfs = pack(&[folder]).unwrap();
    let tag = format!("localhost/caisson-engine-import:{}", real.home_id);
    let labels = BTreeMap::from([
        ("dev.caisson.test".to_owned(), real.home_id.clone()),
        ("odd".into(), "a \"b\" $c \\d".into()),
    ]);
    let pieces: Vec<_> = rootfs.chunks(100).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
    let image = real.engine.import(Tar::stream(futures::stream::iter(pieces)), &tag, &labels).await.unwrap();
    assert_eq!((image.os.as_str(), &image.arch), ("linux", &real.facts().arch));
    assert_eq!(image.labels, labels);
    assert_eq!(real.engine.image(&tag).await.unwrap().unwrap().id, image.id);
    assert_eq!(real.engine.image(image.id.as_str()).await.unwrap().unwrap().id, image.id);
    let labelled = real.engine.images_labelled(&format!("dev.caisson.test={}", real.home_id)).await.unwrap();
    assert_eq!(labelled, std::slice::from_ref(&image.id));

    let broken =
        futures::stream::iter([Ok(rootfs.slice(..100)), Err(std::io::Error::other("the disk broke"))]);
    assert!(
        real.engine.import(Tar::stream(broken), "localhost/caisson-engine-broken:1", &labels).await.is_err()
    );

    real.engine.remove_image(&image.id).await.unwrap();
    real.engine.remove_image(&image.id).await.unwrap();
    assert_eq!(real.engine.image(&tag).await.unwrap(), None);
}

async fn built(real: Real) {
    real.image().await;
    let tag = format!("localhost/caisson-engine-build:{}", real.home_id);
    let dockerfile = format!(
        "FROM {IMAGE}\nENV A=b\nWORKDIR /work\nENTRYPOINT [\"/bin/cat\"]\nCMD [\"x\"]\nRUN echo loud; cat /proc/net/dev > /etc/net\nUSER 5:6\n"
    );
    let entry = Entry { path: "Dockerfile", mode: 0o644, uid: 0, gid: 0, bytes: dockerfile.as_bytes() };
    let (sink, mut progress) = ProgressSink::channel();
    let context = Tar::bytes(pack(&[entry]).unwrap());
    let image = real
        .engine
        .build(context, "Dockerfile", &tag, BuildNetwork::None, &BTreeMap::new(), &sink)
        .await
        .unwrap();
    assert_eq!((image.user.as_str(), image.workdir.as_str()), ("5:6", "/work"));
    assert_eq!(
        (image.entrypoint.as_slice(), image.cmd.as_slice()),
        (&["/bin/cat".to_owned()][..], &["x".to_owned()][..])
    );
    assert!(image.env.contains(&"A=b".to_owned()), "{image:?}");
    drop(sink);
    let mut told = Vec::new();
    while let Some(step) = progress.recv().await {
        told.extend(step.detail);
    }
    assert!(told.iter().any(|line| line == "loud"), "{told:?}");
    let (said, _) = real.shell(&real.plan_of(real.server(&image), vec![]), "grep -c : /etc/net; id -u").await;
    // Loopback was all the build had, and the plan's user counts, not the image's.
    assert_eq!(said, "1\n65532\n");
    real.none_left().await;
    real.engine.remove_image(&image.id).await.unwrap();
    real.clean().await;
}

async fn broken_builds(real: Real) {
    real.image().await;
    let tag = format!("localhost/caisson-engine-broken:{}", real.home_id);
    let good = build(&real, &format!("FROM {IMAGE}\n"), &tag).await.unwrap();
    for dockerfile in [
        format!("FROM {IMAGE}\nRUN exit 3\n"),
        "FROM localhost/no-such-image:1\n".into(),
        "NONSENSE\n".into(),
    ] {
        let error = build(&real, &dockerfile, &tag).await.unwrap_err();
        assert!(!matches!(error, EngineError::Gone { .. }), "{dockerfile}: {error}");
    }
    real.engine.remove_image(&good.id).await.unwrap();
}

async fn committed(real: Real) {
    let plan = install_plan(&real).await;
    let Container { mut pipe, handle, .. } = real.engine.run(&plan).await.unwrap();
    pipe.write_all(b"mkdir /etc/made && echo kept > /etc/made/file && echo up; exec cat\n").await.unwrap();
    up(&mut pipe).await;
    let tag = format!("localhost/caisson-engine-commit:{}", real.home_id);
    let labels = BTreeMap::from([
        ("dev.caisson.test".to_owned(), real.home_id.clone()),
        ("dev.caisson.lock".into(), "{\"a\": [1, \"$x\\n\"]}".into()),
    ]);
    let image = real.engine.commit(handle.id(), &tag, &labels).await.unwrap();
    for (key, value) in &labels {
        assert_eq!(image.labels.get(key), Some(value));
    }
    pipe.write_all(b"still here\n").await.unwrap();
    let mut said = [0; 11];
    pipe.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"still here\n");
    drop(pipe);
    assert_eq!(handle.wait().await.code, Some(0));
    handle.remove().await.unwrap();

    let (said, _) = real
        .shell(&real.plan_of(real.server(&image), vec![]), "cat /etc/made/file; touch /etc/made/x 2>&1")
        .await;
    assert!(said.starts_with("kept\n") && said.contains("Read-only"), "{said}");
    real.none_left().await;
    real.engine.remove_image(&image.id).await.unwrap();
    real.clean().await;
}

async fn install_plan(real: &Real) -> Plan {
    let needs =
        crate::sandbox::InstallNeeds { image: real.image().await.id, root: true, limits: Limits::default() };
    Plan::for_install(&"engine-test".parse().unwrap(), &needs, real.facts(), &real.home_id).unwrap()
}

async fn not_there(real: Real) {
    for name in ["localhost/no-such-image:1", "no such name", "sha256:0000"] {
        assert_eq!(real.engine.image(name).await.unwrap(), None, "{name}");
    }
    // Nobody listens on this port.
    let error = real.engine.pull("127.0.0.1:1/no/such:1", &ProgressSink::nobody()).await.unwrap_err();
    assert!(matches!(error, EngineError::Refused { .. } | EngineError::NotFound(_)), "{error:?}");
}

/// Files go into a running container and come out of it.
async fn archives(real: Real) {
    let Container { mut pipe, handle, .. } = real.engine.run(&install_plan(&real).await).await.unwrap();
    pipe.write_all(b"echo up; read x; cat /etc/given; exec cat\n").await.unwrap();
    up(&mut pipe).await;
    let entry = Entry { path: "given", mode: 0o644, uid: 0, gid: 0, bytes: b"a gift\n" };
    real.engine.put_archive(handle.id(), "/etc", Tar::bytes(pack(&[entry]).unwrap())).await.unwrap();
    pipe.write_all(b"\n").await.unwrap();
    let mut said = [0; 7];
    pipe.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"a gift\n");
    let file = real.engine.get_file(handle.id(), "/etc/given", 7).await.unwrap();
    assert_eq!(file.as_deref(), Some(&b"a gift\n"[..]));
    assert_eq!(real.engine.get_file(handle.id(), "/etc/none", 7).await.unwrap(), None);
    let error = real.engine.get_archive(handle.id(), "/bin", 100_000).await.unwrap_err();
    assert!(matches!(error, EngineError::TooLarge { .. }), "{error:?}");
    handle.remove().await.unwrap();
    assert!(handle.wait().await.code.is_some_and(|code| code != 0));
    real.clean().await;
}
