use super::*;
use crate::engine::{ContainerId, EngineError, EngineKind};

on_engines!([podman docker rootless runsc] echo, exit_codes, killed);
on_engines!([podman docker rootless] facts, stopped, dropped, failed_start, image_gone, closed_inside, image_volumes, given_up, stats);

async fn facts(real: Real) {
    let facts = real.facts();
    assert_eq!(facts.os, "linux");
    assert!(facts.cpus > 0 && facts.memory > 0 && facts.max_files > 0, "{facts:?}");
    assert!(facts.runtimes.contains(&facts.default_runtime), "{facts:?}");
    let surveys = real.engines.survey().await;
    assert!(surveys.len() == 1 && surveys[0].chosen && surveys[0].usable(), "{surveys:?}");
}

/// Bytes of every value, in an order that shows any loss.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Every byte comes back to a slow reader, and after the input was ended.
async fn echo(real: Real) {
    let plan = real.plan().await;
    let Container { pipe, diagnostics: _kept, handle, .. } = real.engine.run(&plan).await.unwrap();
    let (mut output, mut input) = tokio::io::split(pipe);
    let sent = bytes(6 << 20);
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        input.write_all(b"exec cat\n").await.unwrap();
        input.write_all(&sent).await.unwrap();
        input.shutdown().await.unwrap();
        input
    });
    let mut received = Vec::new();
    let mut part = vec![0; 200_000];
    timeout(PATIENCE, async {
        loop {
            let count = output.read(&mut part).await.unwrap();
            if count == 0 {
                break;
            }
            received.extend_from_slice(&part[..count]);
            if received.len() < 2 << 20 {
                sleep(Duration::from_millis(2)).await;
            }
        }
    })
    .await
    .expect("the echo ends");
    assert!(received == expected, "{} of {} bytes came back", received.len(), expected.len());
    assert_eq!(timeout(PATIENCE, handle.wait()).await.unwrap().code, Some(0));
    drop(writer.await.unwrap());
    real.clean().await;
}

async fn exit_codes(real: Real) {
    let plan = real.plan().await;
    let (said, exit) = real.shell(&plan, "echo out; echo err >&2; exit 7").await;
    assert_eq!((said.as_str(), exit.code), ("out\n", Some(7)), "{exit:?}");

    let Container { mut pipe, mut diagnostics, handle, .. } =
        real.engine.run(&real.plan().await).await.unwrap();
    pipe.write_all(b"echo err >&2; sleep 0.7\n").await.unwrap();
    pipe.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(diagnostics.recv().await.as_deref(), Some(&b"err\n"[..]));
    assert_eq!(handle.wait().await.code, Some(0));
    real.clean().await;
}

async fn killed(real: Real) {
    let Container { mut pipe, handle, .. } = real.engine.run(&real.plan().await).await.unwrap();
    pipe.write_all(b"echo up; exec sleep 1000\n").await.unwrap();
    up(&mut pipe).await;
    handle.kill().await.unwrap();
    assert_eq!(timeout(PATIENCE, handle.wait()).await.unwrap().code, Some(137));
    handle.kill().await.unwrap();
    handle.stop(Duration::ZERO).await.unwrap();
    handle.remove().await.unwrap();
    real.clean().await;
}

async fn stopped(real: Real) {
    let Container { mut pipe, handle, .. } = real.engine.run(&real.plan().await).await.unwrap();
    pipe.write_all(b"trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done\n").await.unwrap();
    up(&mut pipe).await;
    handle.stop(Duration::from_secs(20)).await.unwrap();
    assert_eq!(timeout(PATIENCE, handle.wait()).await.unwrap().code, Some(5));
    real.clean().await;
}

/// Whoever drops the pipe, as a crash does, ends the container's input.
async fn dropped(real: Real) {
    let Container { mut pipe, .. } = real.engine.run(&real.plan().await).await.unwrap();
    pipe.write_all(b"echo up; exec cat\n").await.unwrap();
    up(&mut pipe).await;
    drop(pipe);
    real.clean().await;
}

/// A place where nothing can be mounted: the container is created, but cannot start.
async fn failed_start(real: Real) {
    let grant = FolderGrant { host: real.folder.path().into(), inside: "/bin/sh/in".into(), write: false };
    let plan = real.plan_of(real.server(&real.image().await), vec![grant]);
    let error = real.engine.run(&plan).await.unwrap_err();
    assert!(matches!(&error, EngineError::Refused { .. }), "{error}");
    assert_eq!(real.engine.list_ours(&real.home_id).await.unwrap(), []);
    real.clean().await;
}

async fn image_gone(real: Real) {
    let mut server = real.server(&real.image().await);
    server.image = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let error = real.engine.run(&real.plan_of(server, vec![])).await.unwrap_err();
    assert!(matches!(&error, EngineError::NotFound(what) if what.contains("install it again")), "{error}");
}

/// What the plan says holds inside.
async fn closed_inside(real: Real) {
    let plan = real.plan().await;
    let line = "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'; \
                grep -c : /proc/net/dev; touch /x 2>&1; touch /caisson/x 2>&1; touch /tmp/x /run/x /home/server/x && echo tmp; touch /var/tmp/x 2>&1; \
                grep ' /caisson ' /proc/mounts; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ulimit -n";
    let (said, exit) = real.shell(&plan, line).await;
    assert_eq!(exit.code, Some(0), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines[..7],
        [
            "65532",
            "CapEff:0000000000000000",
            "CapBnd:0000000000000000",
            "NoNewPrivs:1",
            "Seccomp:2",
            "1",
            "touch: /x: Read-only file system"
        ]
        .map(|line| line),
        "{said}"
    );
    assert!(said.contains("/caisson/x: Read-only") && said.contains("\ntmp\n"), "{said}");
    // Rootless Podman's API leaves process limits out; the airlock sets them itself.
    let files = if real.facts().rootless { real.facts().max_files } else { 4096 };
    assert!(said.ends_with(&format!("\n0\n{files}\n")), "{said}");
    real.clean().await;
}

/// A volume that only the image asks for would be writable without a limit.
async fn image_volumes(real: Real) {
    let tag = format!("localhost/caisson-engine-volume:{}", real.home_id);
    real.image().await;
    let dockerfile =
        format!("FROM {IMAGE}\nVOLUME /stuff\nHEALTHCHECK --interval=1s CMD touch /stuff/checked\n");
    let image = super::images::build(&real, &dockerfile, &tag).await.unwrap();
    assert_eq!(image.volumes, ["/stuff"]);
    let plan = real.plan_of(real.server(&image), vec![]);
    let (said, _) = real.shell(&plan, "grep ' /stuff ' /proc/mounts; sleep 3; ls /stuff").await;
    assert!(said.starts_with("tmpfs /stuff tmpfs") && said.contains("noexec"), "{said}");
    assert!(!said.contains("checked"), "{said}");
    real.none_left().await;
    real.engine.remove_image(&image.id).await.unwrap();
    real.clean().await;
}

/// A caller that stops waiting leaves no container, whenever that is.
async fn given_up(real: Real) {
    let plan = real.plan().await;
    real.engine.ensure_airlock().await.unwrap();
    for millis in [1, 5, 20, 60, 150, 300] {
        let plan = plan.clone().with_nonce(millis.to_string());
        drop(timeout(Duration::from_millis(millis), real.engine.run(&plan)).await);
    }
    sleep(Duration::from_secs(1)).await;
    real.clean().await;
}

async fn stats(real: Real) {
    let Container { mut pipe, handle, .. } = real.engine.run(&real.plan().await).await.unwrap();
    pipe.write_all(b"echo up; exec sleep 1000\n").await.unwrap();
    up(&mut pipe).await;
    let used = real.engine.stats(handle.id()).await;
    if real.facts().limits.all() {
        assert!(used.memory.is_some_and(|memory| memory > 0) && used.processes == Some(1), "{used:?}");
    }
    assert_eq!(real.engine.stats(&ContainerId::from("0".repeat(64))).await, Default::default());
    let ours = real.engine.list_ours(&real.home_id).await.unwrap();
    assert!(
        ours.len() == 1 && ours[0].running && ours[0].server.as_deref() == Some("engine-test"),
        "{ours:?}"
    );
    assert!(real.facts().kind == EngineKind::Podman || !handle.ran_out_of_memory().await);
    drop(pipe);
    handle.kill().await.unwrap();
    real.clean().await;
}
