//! Every default of the plan, looked at from inside the container and through the engine's own eyes.

use caisson_tests::{Home, home::text_of};
use serde_json::{Value, json};

on_engines!([podman docker rootless] defaults_hold_inside, nothing_gets_out);
on_engines!([podman docker] defaults_stand_in_the_engine, limits_bite);
on_engines!([docker] under_gvisor);

fn example(home: &Home, args: &[&str]) {
    let mut all = vec!["install", "example", "--yes"];
    all.extend(args);
    home.caisson(&all).ok();
}

fn around(home: &Home) -> Value {
    home.call("example", "look_around", &json!({}))["structuredContent"].clone()
}

fn defaults_hold_inside(home: &Home) {
    example(home, &[]);
    let around = around(home);
    assert_eq!(around["uid"], 65532, "{around}");
    assert_eq!(around["gid"], 65532, "{around}");
    assert_eq!(around["interfaces"], json!(["lo"]), "{around}");
    assert_eq!(around["effective_capabilities"], 0, "{around}");
    assert_eq!(around["bounding_capabilities"], 0, "{around}");
    assert_eq!(around["no_new_privileges"], true, "{around}");
    assert_eq!(around["seccomp"], "filter", "{around}");
    assert_eq!(around["root_writable"], false, "{around}");
}

fn defaults_stand_in_the_engine(home: &Home) {
    example(home, &["--folder", &format!("{}:/workspace/data", granted(home))]);
    home.caisson(&["start", "example"]).ok();
    let [container] = &home.containers()[..] else { panic!("not one container") };
    let inspected: Value = serde_json::from_str(&home.engine_cli(&["inspect", container])).unwrap();
    let host = &inspected[0]["HostConfig"];
    assert_eq!(host["NetworkMode"], "none", "{host}");
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["AutoRemove"], true);
    assert_eq!(host["Memory"], 512 << 20);
    assert_eq!(host["MemorySwap"], 512 << 20);
    assert_eq!(host["NanoCpus"], 1_000_000_000);
    assert_eq!(host["PidsLimit"], 256);
    assert_eq!(host["Privileged"], false);
    assert!(host["PortBindings"].as_object().is_none_or(serde_json::Map::is_empty), "{host}");
    assert!(host["Devices"].as_array().is_none_or(Vec::is_empty), "{host}");
    let security = host["SecurityOpt"].to_string();
    assert!(security.contains("no-new-privileges") && security.contains("seccomp"), "{security}");
    assert_eq!(inspected[0]["Config"]["Labels"]["dev.caisson.server"], "example");
}

fn granted(home: &Home) -> String {
    let folder = home.path().join("granted");
    std::fs::create_dir(&folder).unwrap();
    folder.display().to_string()
}

fn nothing_gets_out(home: &Home) {
    example(home, &[]);
    let tried = home.call("example", "try_to_escape", &json!({}));
    let attempts = tried["structuredContent"]["attempts"].as_array().unwrap_or_else(|| panic!("{tried}"));
    assert!(attempts.len() >= 6, "{}", text_of(&tried));
    for attempt in attempts {
        assert_eq!(attempt["got_out"], false, "{attempt}");
    }
}

fn limits_bite(home: &Home) {
    example(home, &["--memory", "64MiB", "--processes", "32"]);
    let eaten = home.caisson(&["call", "example", "eat_memory", r#"{"mib":256}"#]);
    assert!(!eaten.status.success(), "256 MiB fit into 64: {}", eaten.out);
    let forked = home.call("example", "start_threads", &json!({"count": 200}));
    let started = forked["structuredContent"]["started"].as_u64().unwrap_or_else(|| panic!("{forked}"));
    assert!(started < 32, "{started} threads beside a limit of 32 processes");
}

fn under_gvisor(home: &Home) {
    example(home, &["--runtime", "runsc"]);
    let around = around(home);
    assert_eq!(around["interfaces"], json!(["lo"]), "{around}");
    assert_eq!(around["uid"], 65532, "{around}");
    let kernel = around["kernel"].as_str().unwrap();
    assert!(kernel.contains("gVisor") || kernel.starts_with("4.4.0"), "not gVisor: {kernel}");
    let plan = home.caisson(&["plan", "example"]).ok();
    assert!(plan.contains("runsc"), "{plan}");
}
