//! Every default of the plan, looked at from inside the container and through the engine's own eyes.

use caisson_tests::{Home, home::text_of};
use serde_json::{Value, json};

on_engines!([podman docker rootless] defaults_hold_inside, nothing_gets_out);
on_engines!([podman docker] defaults_stand_in_the_engine, limits_bite);
on_engines!([docker] under_gvisor, npm_under_gvisor);
on_engines!([podman docker] runtimes_by_name);

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
    assert_eq!(around["capabilities"], "0", "{around}");
    assert_eq!(around["no_new_privileges"], true, "{around}");
    assert_eq!(around["seccomp"], true, "{around}");
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
        assert_eq!(attempt["allowed"], false, "{attempt}");
    }
}

/// A memory bomb ends itself, a fork bomb stays small, what fills a disk fills its own few megabytes.
fn limits_bite(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let bombs = r#"
on_call() {
    case $line in
    *memory*) answer=$(head -c 256m /dev/zero | tail -c 256m | wc -c) ;;
    *forks*) i=0; while [ $i -lt 200 ] && (sleep 20 &) 2>/dev/null; do i=$((i+1)); done; answer=$i ;;
    *disk*) answer=$(dd if=/dev/zero of=/tmp/x bs=1M count=200 2>/dev/null; ls -l /tmp/x | awk '{print $5}') ;;
    *status*) answer=$(grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr '\n\t' '  ') ;;
    esac
}
"#;
    let folder = home.path().join("bombs");
    crate::hostile::write_server(&folder, &format!("{bombs}{}", crate::hostile::POLITE));
    let limits = ["--memory", "128MiB", "--processes", "32", "--name", "bombs", "--yes"];
    home.caisson(&[&["install", &folder.to_string_lossy()], &limits[..]].concat()).ok();

    let status = home.call_text("bombs", "hello", &json!({"do": "status"}));
    for none in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{none}: 0000000000000000")), "{status}");
    }
    let size = home.call_text("bombs", "hello", &json!({"do": "disk"}));
    assert!(
        size.trim().parse::<u64>().is_ok_and(|size| size <= 64 << 20),
        "a temporary folder took {size} bytes"
    );
    let eaten = home.caisson(&["call", "bombs", "hello", r#"{"do":"memory"}"#]);
    assert!(!eaten.out.contains("268435456"), "256 MiB fit into 128: {}", eaten.out);
    let forked = home.caisson(&["call", "bombs", "hello", r#"{"do":"forks"}"#]);
    if let Ok(started) = forked.out.trim().parse::<u32>() {
        assert!(started < 32, "{started} processes beside a limit of 32");
    }
    assert!(home.call_text("example", "greet", &json!({"name": "unharmed"})).contains("unharmed"));
}

fn under_gvisor(home: &Home) {
    example(home, &["--runtime", "runsc"]);
    let around = around(home);
    assert_eq!(around["interfaces"], json!(["lo"]), "{around}");
    assert_eq!(around["uid"], 65532, "{around}");
    let kernel = around["kernel"].as_str().unwrap();
    assert!(kernel.contains("4.4.0"), "not gVisor: {kernel}");
    let plan = home.caisson(&["plan", "example"]).ok();
    assert!(plan.contains("runsc"), "{plan}");
}

/// A server that others wrote, with a folder and a host, under gVisor by the name people have for it.
fn npm_under_gvisor(home: &Home) {
    let folder = home.path().join("granted");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("note"), "seen through gVisor").unwrap();
    let grant = format!("{}:/workspace/data:rw", folder.display());
    let npm = "npm:@modelcontextprotocol/server-filesystem";
    let args = ["install", npm, "--name", "files", "--yes", "--runtime", "gvisor", "--folder", &grant];
    home.caisson(&[&args[..], &["--", "/workspace/data"]].concat()).ok();
    let plan = home.caisson(&["plan", "files", "--json"]).json();
    assert_eq!(plan["plan"]["runtime"], "runsc", "{plan}");
    let read = home.call_text("files", "read_text_file", &json!({"path": "/workspace/data/note"}));
    assert!(read.contains("seen through gVisor"), "{read}");
    home.call_text("files", "write_file", &json!({"path": "/workspace/data/back", "content": "written"}));
    assert_eq!(std::fs::read_to_string(folder.join("back")).unwrap(), "written");
    let beyond = json!({"path": "/workspace/data/../../etc/passwd"}).to_string();
    let beyond = home.caisson(&["call", "files", "read_text_file", &beyond]);
    assert!(!beyond.status.success() && beyond.out.contains("denied"), "{} {}", beyond.out, beyond.err);

    // A host that was granted is reached by the same way out; another is not.
    let site = caisson_tests::site::Site::open();
    site.put("/x", "from outside");
    let script = "port=$1\non_call() { answer=$(printf 'GET /x HTTP/1.0\\r\\n\\r\\n' | nc -w 3 127.0.0.1 $port | tail -n 1); }\n. /polite.sh\n";
    let web = home.path().join("web");
    crate::hostile::write_server(&web, script);
    let (port, allowed) = (site.port().to_string(), format!("127.0.0.1:{}", site.port()));
    let args = [
        "install",
        &web.to_string_lossy(),
        "--name",
        "web",
        "--yes",
        "--runtime",
        "gvisor",
        "--host",
        &allowed,
    ];
    home.caisson(&[&args[..], &["--", &port]].concat()).ok();
    assert_eq!(home.call_text("web", "hello", &json!({})), "from outside");
    let audit = home.caisson(&["audit", "web", "--json"]).ok();
    assert!(audit.contains("\"connected\""), "{audit}");
}

/// A runtime that the engine lacks is named with those it has; and who seems to run code is told of the better ones.
fn runtimes_by_name(home: &Home) {
    let error = home.caisson(&["install", "example", "--yes", "--runtime", "kata"]);
    assert!(!error.status.success());
    assert!(error.err.contains("kata-runtime") && error.err.contains("runc"), "{}", error.err);
    home.caisson(&["install", "example", "--name", "python-interpreter", "--yes"]).ok();
    home.caisson(&["install", "example", "--yes"]).ok();
    let advice = |name: &str| home.caisson(&["plan", name, "--json"]).json()["rows"].to_string();
    assert!(advice("python-interpreter").contains("seems to run code"), "{}", advice("python-interpreter"));
    assert!(!advice("example").contains("seems to run code"), "{}", advice("example"));
    let doctor = home.caisson(&["doctor"]).out;
    assert!(doctor.contains("Runtimes") && doctor.contains("(the default)"), "{doctor}");
}
