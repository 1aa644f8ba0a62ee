use std::collections::BTreeSet;

use super::*;
use crate::sandbox::plan::tests::{docker, plan_of_everything, plan_of_nothing, server_of_everything};

#[test]
fn there_are_many_probes_and_each_has_a_name_of_its_own() {
    let all = probes();
    assert!(all.len() >= 50, "{}", all.len());
    let names: BTreeSet<_> = all.iter().map(|probe| probe.name).collect();
    assert_eq!(names.len(), all.len());
    for probe in &all {
        let kebab = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(probe.name.bytes().all(kebab), "{}", probe.name);
        assert!(probe.tried.ends_with('.'), "{}: {}", probe.name, probe.tried);
    }
}

#[test]
fn probes_of_a_group_stand_together() {
    let mut seen = BTreeSet::new();
    let mut last = "";
    for probe in probes() {
        if probe.group != last {
            assert!(seen.insert(probe.group), "{} comes twice", probe.group);
            last = probe.group;
        }
    }
}

#[test]
fn each_probe_is_stopped_by_a_line_of_the_plan() {
    let has = |plan: &Plan, probe: &Probe| {
        let lines = plan.explain();
        probe.stopped_by.iter().any(|what| lines.iter().any(|line| line.what == *what))
    };
    let (everything, read_only, nothing) =
        (plan_of_everything(true), plan_of_everything(false), plan_of_nothing());
    for probe in probes() {
        assert!(has(&everything, &probe) || has(&read_only, &probe), "{}", probe.name);
        // What is not granted is not tried.
        let granted = ["Folders", "Secrets"].contains(&probe.group) || probe.name == "config-secrets";
        assert!(has(&nothing, &probe) || granted, "{}", probe.name);
    }
}

#[test]
fn no_answer_is_no_pass() {
    let output = |exit, stdout: &str| Output { exit, stdout: stdout.into(), stderr: b"it broke\n".to_vec() };
    let said = r#"{"outcome":"held","happened":"refused"}"#;
    let held = answer(&output(Exit::Code(0), &format!("{said}\n")), STUBBORN);
    assert_eq!((held.outcome, held.happened.as_str()), (Outcome::Held, "refused"));
    for silent in [
        output(Exit::Code(0), ""),
        output(Exit::Code(0), "held"),
        output(Exit::Code(1), said),
        output(Exit::Signal(9), said),
        output(Exit::Signal(11), ""),
    ] {
        let finding = answer(&silent, STUBBORN);
        assert_eq!(finding.outcome, Outcome::Broken, "{silent:?}");
        assert!(finding.happened.starts_with("no answer"), "{}", finding.happened);
    }
}

#[test]
fn the_ground_is_the_plans() {
    let plan = plan_of_everything(true);
    let (server, facts) = (server_of_everything(), docker());
    let image = crate::sandbox::vessel::ImageSettings { env: Vec::new(), volumes: vec!["/data/".into()] };
    let ground = ground::of(&plan, &server, &facts, &image);
    assert_eq!(ground.writable, ["/workspace/input"]);
    assert!(ground.read_only.is_empty() && ground.own_kernel);
    assert_eq!(ground.secret_files, ["API_KEY"]);
    assert_eq!(ground.image_volumes, ["/data"]);
    assert!(ground.allows("db.example.com", 5432) && !ground.allows("db.example.com", 443));
    let files = ground::decoy_secrets(&ground);
    assert_eq!(files[0].path, "/run/secrets/API_KEY");
}

#[tokio::test]
async fn decoys_count_who_comes() {
    let scratch = tempfile::tempdir().unwrap();
    let mut ground = Ground::default();
    let decoys = Decoys::lay_out(scratch.path(), &mut ground).await.unwrap();
    let file = ground.decoy_file.clone().unwrap();
    assert!(std::path::Path::new(&file).exists());
    let port = ground.decoy_port.unwrap();
    drop(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let came = async {
        while decoys.taken() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), came).await.unwrap();
    drop(decoys);
    assert!(!std::path::Path::new(&file).exists());
    tokio::task::yield_now().await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
}
