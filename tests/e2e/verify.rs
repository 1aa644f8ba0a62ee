//! `caisson verify`: on each engine a server's container holds, one that was loosened does not, and nothing is left of
//! a verification but what it found.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixListener},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use caisson_tests::{Home, TestEngine, home::eventually, programs};
use serde_json::{Value, json};

on_engines!([podman docker rootless] nothing_gets_through, all_that_is_granted);
on_engines!([docker] under_gvisor);
on_engines!([podman docker] a_loose_container_is_found_out, kept_until_it_is_stale, given_up);

/// What an engine here cannot hold, by the plan's own words.
fn excused(home: &Home, server: &str) -> Vec<&'static str> {
    let plan = home.caisson(&["plan", server, "--json"]).json();
    let warnings = plan["warnings"].to_string();
    let limits = [
        ("cannot limit memory", "memory-bomb"),
        ("cannot limit the number of processes", "fork-bomb"),
        ("cannot limit processor time", "processor-bomb"),
    ];
    limits.into_iter().filter(|(warning, _)| warnings.contains(warning)).map(|(_, probe)| probe).collect()
}

/// Verifies, and gives what came of each probe: outcome and what happened.
#[track_caller]
fn verify(home: &Home, server: &str) -> BTreeMap<String, (String, String)> {
    let said = home.caisson(&["verify", server, "--json"]);
    let report: Value =
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
    let broken = report["verified"]["broken"].as_u64().unwrap();
    assert_eq!(said.status.code(), Some(i32::from(broken > 0)), "{report}");
    let probes = report["probes"].as_array().unwrap();
    let text = |probe: &Value, of: &str| probe[of].as_str().unwrap().to_owned();
    let results: BTreeMap<_, _> = probes
        .iter()
        .map(|probe| (text(probe, "name"), (text(probe, "outcome"), text(probe, "happened"))))
        .collect();
    assert!(results.len() >= 50 && results.len() == probes.len(), "{}", probes.len());
    let sum = ["held", "broken", "not_applicable"].map(|of| report["verified"][of].as_u64().unwrap());
    assert_eq!(sum.iter().sum::<u64>(), probes.len() as u64);
    let plan = home.caisson(&["plan", server, "--json"]).json();
    for probe in probes {
        let line = &probe["stopped_by"];
        let is_of_the_plan = plan["rows"].as_array().unwrap().iter().any(|row| row["what"] == *line);
        assert!(is_of_the_plan || probe["outcome"] == "not_applicable", "{probe}");
        assert!(!text(probe, "happened").is_empty() && !text(probe, "tried").is_empty());
    }
    assert_eq!(report["plan"], plan["hash"]);
    results
}

#[track_caller]
fn only_excused(results: &BTreeMap<String, (String, String)>, excused: &[&str]) {
    let broken: Vec<_> = results.iter().filter(|(_, (outcome, _))| outcome == "broken").collect();
    let loose: Vec<_> = broken.iter().filter(|(name, _)| !excused.contains(&name.as_str())).collect();
    assert!(loose.is_empty(), "{loose:?}");
    // What is said not to hold does not: the excuse is no more than that.
    for name in excused {
        let (outcome, happened) = &results[*name];
        let is_unseen = happened.contains("too busy to tell") || happened.contains("cannot enforce");
        assert!(outcome == "broken" || (outcome == "not_applicable" && is_unseen), "{name}: {happened}");
    }
}

fn is(results: &BTreeMap<String, (String, String)>, outcome: &str, names: &[&str]) {
    for name in names {
        assert_eq!(results[*name].0, outcome, "{name}: {}", results[*name].1);
    }
}

/// A server that was granted nothing, beside one of it that runs.
fn nothing_gets_through(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["start", "example"]).ok();
    let before = home.containers();
    let results = verify(home, "example");
    only_excused(&results, &excused(home, "example"));
    is(
        &results,
        "held",
        &["public-address", "host-loopback", "abstract-socket", "write-root", "mount", "terminate-airlock"],
    );
    is(&results, "not_applicable", &["folder-write", "folder-race", "secret-mode", "dns-below-allowed"]);
    // Docker takes a moment to remove one that has ended.
    eventually(Duration::from_secs(5), "only the server's own container is left", || {
        home.containers() == before
    });
    assert!(home.call_text("example", "greet", &json!({"name": "still here"})).contains("still here"));
    let refused = home.caisson(&["logs", "example"]).ok();
    assert!(!refused.contains("refused"), "the server is blamed for what the probes tried: {refused}");
    nothing_is_left(home);
}

/// With folders, secrets that nobody set, a host, and state between runs.
fn all_that_is_granted(home: &Home) {
    let (read, write) = grant(home, &[]);
    let before = [snapshot(&read), snapshot(&write)];
    let results = verify(home, "granted");
    only_excused(&results, &excused(home, "granted"));
    is(
        &results,
        "held",
        &[
            "folder-write",
            "folder-parent",
            "folder-symlink",
            "folder-symlink-relative",
            "folder-hard-link",
            "folder-race",
            "secret-mode",
            "secret-others",
            "secret-variables",
            "config-secrets",
            "dns-below-allowed",
            "proxy-other-port",
        ],
    );
    assert_eq!([snapshot(&read), snapshot(&write)], before, "a granted folder was changed");
    nothing_is_left(home);
}

/// gVisor keeps the host's kernel away, and knows less of limits and of PID 1 than that does (SECURITY.md).
fn under_gvisor(home: &Home) {
    let (read, write) = grant(home, &["--runtime", "runsc"]);
    let before = [snapshot(&read), snapshot(&write)];
    let results = verify(home, "granted");
    // The last three: here gVisor runs without cgroups.
    only_excused(
        &results,
        &[
            "pid1-environment",
            "pid1-descriptors",
            "signal-kill",
            "signal-stop",
            "signal-others",
            "fork-bomb",
            "memory-bomb",
            "processor-bomb",
        ],
    );
    is(
        &results,
        "held",
        &["public-address", "host-loopback", "folder-write", "folder-race", "write-root", "secret-others"],
    );
    is(&results, "not_applicable", &["seccomp-filter", "io-uring"]);
    assert_eq!([snapshot(&read), snapshot(&write)], before, "a granted folder was changed");
    nothing_is_left(home);
}

/// Installs a server with a folder to read, one to write, and something of everything else.
fn grant(home: &Home, more: &[&str]) -> (PathBuf, PathBuf) {
    let folders = ["read", "write"].map(|name| home.path().join("granted").join(name));
    for folder in &folders {
        fs::create_dir_all(folder.join("inner")).unwrap();
        fs::write(folder.join("file"), "as it was").unwrap();
    }
    if let Some(user) = home.engine().user() {
        let owner = format!("{user}:{user}");
        let granted = home.path().join("granted");
        assert!(
            std::process::Command::new("chown").arg("-R").arg(owner).arg(granted).status().unwrap().success()
        );
    }
    let [read, write] = &folders;
    let args = [
        "install",
        "example",
        "--name",
        "granted",
        "--yes",
        "--folder",
        &format!("{}:/workspace/read", read.display()),
        "--folder",
        &format!("{}:/workspace/write:rw", write.display()),
        "--secret",
        "KEY",
        "--secret",
        "FILE=file",
        "--host",
        "api.example.com",
        "--state",
        "/data",
    ];
    home.caisson(&[&args[..], more].concat()).ok();
    folders.into()
}

/// All that is beneath a folder: names, kinds and rights, times, contents.
fn snapshot(folder: &Path) -> Vec<(PathBuf, u32, i64, i64, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(path) = folders.pop() {
        let facts = fs::symlink_metadata(&path).unwrap();
        let content = if facts.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if facts.is_dir() {
            folders.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.push((path, facts.mode(), facts.mtime(), facts.mtime_nsec(), content));
    }
    all.sort();
    all
}

#[track_caller]
fn nothing_is_left(home: &Home) {
    let scratch = home.path().join("data/scratch/verify");
    let left: Vec<_> =
        fs::read_dir(scratch).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The same program, in containers that somebody has loosened by hand: each way in which they are loose is found.
fn a_loose_container_is_found_out(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let image = home.caisson(&["show", "example", "--json"]).json()["definition"]["image"].clone();
    let image = image.as_str().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("caisson-test-{}", std::process::id());
    let _socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let decoys = tempfile::tempdir().unwrap();
    let (decoy, granted) = (decoys.path().join("decoy"), decoys.path().join("granted"));
    fs::write(&decoy, "").unwrap();
    fs::create_dir(&granted).unwrap();
    let namespaces = ["ipc", "mnt", "net", "pid", "uts"]
        .map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap());
    let ground = json!({
        "memory": 8 << 20, "machine_memory": 0, "processes": 8, "nano_cpus": 100_000_000, "machine_cpus": 2, "files": 8,
        "uid": 0, "hostname": "caisson", "memory_folders": [["/tmp", 1 << 20]], "read_only": ["/granted"],
        "writable": ["/granted"], "volumes": [], "image_volumes": [], "hosts": [], "secret_files": ["FILE"],
        "secret_variables": ["KEY"], "absent": [decoy], "decoy_file": decoy,
        "decoy_port": listener.local_addr().unwrap().port(), "decoy_socket": name, "host_namespaces": namespaces,
        "own_kernel": false,
    })
    .to_string();
    let probe = programs::probe();
    let mounts = [
        format!("{}:/probe:ro", probe.display()),
        format!("{}:/granted", granted.display()),
        format!("{0}:{0}", decoys.path().display()),
    ];
    let run = |loose: &[&str], name: &str| -> Value {
        let network = if loose.contains(&"--network") { vec![] } else { vec!["--network", "none"] };
        let mut args = vec!["run", "--rm", "--entrypoint", "/probe", "--env", "KEY=x"];
        mounts.iter().for_each(|mount| args.extend(["--volume", mount]));
        args.extend(network.iter().chain(loose));
        args.extend([image, name, &ground]);
        serde_json::from_str(&home.engine_cli(&args)).unwrap()
    };
    let broken = |loose: &[&str], names: &[&str]| {
        let findings = names.iter().map(|name| (*name, run(loose, name)));
        let unnoticed: Vec<_> = findings
            .filter(|(_, finding)| finding["outcome"] != "broken" && !is_absent(finding))
            .map(|(name, finding)| format!("{name}: {finding}"))
            .collect();
        assert!(unnoticed.is_empty(), "with {loose:?}: {unnoticed:#?}");
    };
    // As engines run containers by themselves: the root folder can be written, limits are wide, programs run anywhere.
    broken(
        &[],
        &[
            "write-root",
            "no-new-privileges",
            "cap-effective",
            "cap-bounding",
            "become-other-user",
            "fork-bomb",
            "memory-bomb",
            "processor-bomb",
            "open-files",
            "fill-tmp",
            "folder-write",
            "folder-symlink",
            "folder-race",
            "unexpected-mounts",
            "caisson-files",
            "secret-mode",
            "secret-variables",
            "pid1-environment",
            "pid1-memory",
            "pid1-root",
            "host-name",
            "signal-kill",
            "terminate-airlock",
            "memory-folder-flags",
        ],
    );
    // Nearly all that Docker calls privileged: what this machine's own root has not, no engine can give.
    let capabilities = [
        "SYS_ADMIN",
        "NET_ADMIN",
        "NET_RAW",
        "SYS_MODULE",
        "SYS_BOOT",
        "SYS_TIME",
        "SYS_NICE",
        "SYS_PTRACE",
        "MKNOD",
        "SYSLOG",
        "DAC_READ_SEARCH",
        "SYS_CHROOT",
    ];
    let unmasked = match home.engine() {
        TestEngine::Docker => "systempaths=unconfined",
        TestEngine::Podman | TestEngine::Rootless => "unmask=ALL",
    };
    let mut loose = vec![
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        unmasked,
        "--device",
        "/dev/null:/dev/another",
    ];
    capabilities.iter().for_each(|capability| loose.extend(["--cap-add", capability]));
    broken(
        &loose,
        &[
            "raw-socket",
            "packet-socket",
            "seccomp-filter",
            "mount",
            "mount-proc",
            "fsopen",
            "open-tree",
            "move-mount",
            "chroot",
            "unshare-net",
            "unshare-mount",
            "unshare-pid",
            "unshare-user",
            "clone-user",
            "clone3",
            "setns",
            "keyctl",
            "bpf",
            "perf-events",
            "kexec",
            "kernel-module",
            "reboot",
            "set-time",
            "set-host-name",
            "swap",
            "file-handles",
            "raise-priority",
            "device-list",
            "make-device",
            "kernel-helpers",
            "writable-sysctl",
            "remount-root",
            "pid1-read-memory",
            "kcmp",
        ],
    );
    // Nothing here is sent anywhere but to loopback.
    broken(
        &["--network", "host"],
        &["host-loopback", "abstract-socket", "own-namespaces", "interfaces", "routes"],
    );
    broken(&["--pid", "host"], &["host-processes", "own-namespaces"]);
    broken(&["--ipc", "host"], &["own-namespaces"]);
    broken(&["--uts", "host"], &["own-namespaces"]);
    broken(&["--volume", "/var/run:/var/run"], &["unexpected-mounts"]);
}

/// Not every kernel can do everything.
fn is_absent(finding: &Value) -> bool {
    let happened = finding["happened"].as_str().unwrap_or_default();
    finding["outcome"] == "not_applicable" && happened.contains("this kernel does not know such a call")
}

/// It is shown beside the server until its plan is another.
fn kept_until_it_is_stale(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let never = home.caisson(&["verify", "example", "--last"]).failed(3);
    assert!(never.contains("never verified"), "{never}");
    home.caisson(&["verify", "nobody"]).failed(3);
    let listed = || home.caisson(&["list", "--json"]).json()["servers"][0]["verified"].clone();
    assert_eq!(listed(), Value::Null);

    let said = home.caisson(&["verify", "example"]);
    let report = said.ok();
    assert!(
        report.contains("raw-socket") && report.contains("Network") && report.contains("0 broken"),
        "{report}"
    );
    let verified = listed();
    assert_eq!((&verified["stale"], &verified["broken"]), (&json!(false), &json!(0)), "{verified}");
    assert!(verified["held"].as_u64().unwrap() > 50, "{verified}");
    assert!(home.caisson(&["show", "example"]).ok().contains("0 broken"));
    let last = home.caisson(&["verify", "example", "--last", "--json"]).json();
    assert_eq!(last["verified"], verified);

    // It outlives the daemon.
    home.caisson(&["daemon", "--stop"]).ok();
    assert_eq!(listed(), verified);

    let file = home.path().join("config/servers/example.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("512MiB", "300MiB")).unwrap();
    eventually(Duration::from_secs(5), "it is stale", || listed()["stale"] == true);
    let last = home.caisson(&["verify", "example", "--last"]);
    assert!(last.err.contains("verify again") && last.out.contains("stale"), "{}{}", last.out, last.err);

    home.caisson(&["remove", "example", "--yes"]).ok();
    home.caisson(&["install", "example", "--yes"]).ok();
    assert_eq!(listed(), Value::Null, "another server of that name is not verified");
}

/// Ctrl-C, and a daemon that is killed, leave no container behind.
fn given_up(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let id = home.id();
    for daemon_too in [false, true] {
        let mut child = home.command(&["verify", "example"]).spawn().unwrap();
        eventually(Duration::from_secs(20), "it has begun", || !home.containers_of(&id).is_empty());
        // Not at the very beginning: some probes are to run.
        std::thread::sleep(Duration::from_millis(700));
        let pid = if daemon_too { home.daemon_pid().to_string() } else { child.id().to_string() };
        let signal = if daemon_too { "-KILL" } else { "-INT" };
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(if daemon_too { 10 } else { 130 }));
        eventually(Duration::from_secs(15), "no container is left", || home.containers_of(&id).is_empty());
    }
    assert!(home.caisson(&["list", "--json"]).json()["servers"][0]["verified"].is_null());
    nothing_is_left(home);
}
