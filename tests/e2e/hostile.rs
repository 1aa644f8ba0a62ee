//! Servers that misbehave, from `tests/hostile`, each installed and run for real: nothing gets out, a clear error,
//! nothing left, the others undisturbed.

mod airlock;
mod exfiltrates;
pub(crate) mod turns;

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use caisson_tests::{Home, clients::Access, home::eventually, images, programs, raw::RawClient};
use serde_json::{Value, json};

on_engines!([podman docker] exits_at_once, prints_garbage, floods, never_answers, forks, grabs_the_pipe);
on_engines!([podman docker] pretends, never_reads, orphans, grows);

/// A server in shell, for an image that holds busybox alone. It answers one line of JSON-RPC for each it reads.
pub const POLITE: &str = include_str!("../hostile/servers/polite.sh");

/// Writes a folder with a `Dockerfile` whose server is `script`, run by Debian's static busybox.
pub fn write_server(folder: &Path, script: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::copy("/bin/busybox", folder.join("busybox")).expect("busybox-static is installed");
    fs::write(folder.join("polite.sh"), POLITE).unwrap();
    fs::write(folder.join("server.sh"), script).unwrap();
    let steps = "COPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY polite.sh server.sh /\n\
        RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/bin\nENTRYPOINT [\"/bin/sh\", \"/server.sh\"]\n";
    images::write_dockerfile(folder, steps);
}

/// Installs `tests/hostile/servers/SCRIPT.sh` as `name`.
fn install(home: &Home, name: &str, script: &str, more: &[&str]) {
    let path = programs::repository().join("tests/hostile/servers").join(format!("{script}.sh"));
    let folder = home.path().join(name);
    write_server(&folder, &fs::read_to_string(path).unwrap());
    let folder = folder.to_string_lossy();
    home.caisson(&[&["install", &folder, "--name", name, "--yes"], more].concat()).ok();
}

/// How a server is installed that will not answer: a minute is long for a test.
const IMPATIENT: &[&str] = &["--start-timeout", "5s"];

fn install_neighbour(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
}

/// A neighbour that must not notice.
fn neighbour_is_well(home: &Home) {
    assert!(home.call_text("example", "greet", &json!({"name": "neighbour"})).contains("neighbour"));
}

/// The daemon holds little, whatever it was sent.
#[track_caller]
fn daemon_is_small(home: &Home, pid: u32) {
    assert_eq!(home.daemon_pid(), pid, "the daemon is not the one it was");
    let resident = resident_mib(pid);
    assert!(resident < 200, "the daemon grew to {resident} MiB");
}

fn resident_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// What the record says of a server: what happened, in order.
fn recorded(home: &Home, server: &str) -> Vec<Value> {
    let record = home.caisson(&["audit", server, "--json", "-n", "1000"]).ok();
    record.lines().map(|line| serde_json::from_str(line).expect("an entry is JSON")).collect()
}

fn has_recorded(home: &Home, server: &str, what: &str) -> bool {
    recorded(home, server).iter().any(|entry| entry["what"] == what)
}

/// Stops a server that will not listen, quickly, and sees its container go.
#[track_caller]
fn stops(home: &Home, name: &str) {
    let began = Instant::now();
    home.caisson(&["stop", name]).ok();
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?} to stop {name}", began.elapsed());
    // Docker lists a container until it has removed it.
    eventually(Duration::from_secs(10), "its container is gone", || {
        !home.containers().iter().any(|container| container.contains(&format!("-{name}")))
    });
    assert!(has_recorded(home, name, "started"), "{:?}", recorded(home, name));
    assert!(has_recorded(home, name, "stopped"), "{:?}", recorded(home, name));
}

fn exits_at_once(home: &Home) {
    install_neighbour(home);
    install(home, "exits", "exits", &[]);
    let said = home.caisson(&["tools", "exits"]);
    assert!(!said.status.success());
    assert!(said.err.contains('7') && said.err.contains("missing key"), "{}", said.err);
    neighbour_is_well(home);
}

fn prints_garbage(home: &Home) {
    install(home, "garbage", "garbage", &[]);
    assert!(home.caisson(&["tools", "garbage"]).ok().contains("hello"));
    let logs = home.caisson(&["logs", "garbage"]).ok();
    assert!(logs.contains("Starting server") && !logs.contains('\u{1b}'), "{logs:?}");
}

fn floods(home: &Home) {
    install_neighbour(home);
    // Each keeps its install waiting for as long as it may, so they are installed side by side.
    std::thread::scope(|scope| {
        for (name, script, more) in [
            ("stdout", "floods-stdout", IMPATIENT),
            ("stderr", "floods-stderr", &[]),
            ("endless", "endless-line", IMPATIENT),
            ("asks", "floods-requests", IMPATIENT),
        ] {
            scope.spawn(move || install(home, name, script, more));
        }
    });
    assert!(!home.caisson(&["tools", "stdout"]).status.success());
    assert!(home.caisson(&["tools", "stderr"]).ok().contains("hello"));
    assert!(!home.caisson(&["tools", "asks"]).status.success());
    assert!(!home.caisson(&["tools", "endless"]).status.success());
    neighbour_is_well(home);
    daemon_is_small(home, home.daemon_pid());
}

fn never_answers(home: &Home) {
    install_neighbour(home);
    install(home, "mute", "mute", IMPATIENT);
    let said = home.caisson(&["tools", "mute"]);
    assert!(!said.status.success());
    assert!(said.err.contains("answer"), "{}", said.err);
    stops(home, "mute");
    neighbour_is_well(home);
}

fn forks(home: &Home) {
    install_neighbour(home);
    install(home, "forks", "forks", &[]);
    let said = home.caisson(&["tools", "forks"]);
    assert!(said.status.success() || !said.err.is_empty());
    neighbour_is_well(home);
    stops(home, "forks");
}

/// The pipe belongs to PID 1: a process beside it can neither read nor write it, nor see what PID 1 was told.
fn grabs_the_pipe(home: &Home) {
    install(home, "grabs", "grabs", &[]);
    let said = home.call_text("grabs", "hello", &json!({}));
    assert!(!said.contains("read:") && !said.contains("write:"), "{said}");
}

/// What a server calls itself, and what it says unasked, is its own affair: neither takes the other's place, alone or
/// in a group with it.
fn pretends(home: &Home) {
    install_neighbour(home);
    let tools = home.caisson(&["tools", "example"]).ok();
    install(home, "pretends", "pretends", &[]);
    home.caisson(&["group", "set", "both", "pretends", "example"]).ok();
    home.call("pretends", "greet", &json!({"name": "itself"}));
    assert_eq!(home.caisson(&["tools", "example"]).ok(), tools);
    neighbour_is_well(home);

    let access = Access::to(home, "group/both");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut client = RawClient::open(&access, false).await;
        for _ in 0..3 {
            client.call(7, "pretends__greet", json!({"name": "x"}), json!(7)).await;
            let heard = client.call(7, "example__greet", json!({"name": "group"}), json!(7)).await;
            let answer = heard.last().expect("there is an answer");
            assert!(answer["result"].to_string().contains("group"), "{answer}");
            let forged = heard.iter().any(|message| message.to_string().contains("forged"));
            assert!(!forged, "{heard:?}");
        }
    });
    let servers = home.caisson(&["list", "--json"]).json()["servers"].clone();
    let names: Vec<&Value> = servers.as_array().unwrap().iter().map(|server| &server["name"]).collect();
    assert_eq!(names, ["example", "pretends"]);
}

/// A client that goes on talking to a server that does not listen is held up, and the daemon holds little of it.
fn never_reads(home: &Home) {
    install_neighbour(home);
    install(home, "deaf", "never-reads", &[]);
    let pid = home.daemon_pid();
    let mut shim = home.command(&["stdio", "deaf"]);
    shim.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut shim = Gone(shim.spawn().unwrap());
    let mut input = shim.0.stdin.take().unwrap();
    let talking = std::thread::spawn(move || {
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
        let mut sent = input.write_all(format!("{hello}\n").as_bytes());
        let much = "x".repeat(1 << 20);
        for id in 1..300 {
            let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
                "params": {"name": "hello", "arguments": {"much": much}}});
            sent = sent.and_then(|()| input.write_all(format!("{call}\n").as_bytes()));
        }
    });
    for _ in 0..5 {
        std::thread::sleep(Duration::from_secs(1));
        neighbour_is_well(home);
        daemon_is_small(home, pid);
    }
    drop(shim);
    talking.join().unwrap();
    stops(home, "deaf");
}

/// Processes that hide from their own parent end with the container, and with nothing else.
fn orphans(home: &Home) {
    let mark = format!("{}", 7_000_000 + u64::from(std::process::id()));
    install(home, "orphans", "orphans", &["--", &mark]);
    let left = || {
        let sleeping = format!("sleep\0{mark}\0");
        let commands = fs::read_dir("/proc").unwrap().flatten();
        commands
            .filter(|process| {
                fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line == sleeping)
            })
            .count()
    };
    home.call_text("orphans", "hello", &json!({}));
    eventually(Duration::from_secs(5), "it has made orphans", || left() > 0);
    stops(home, "orphans");
    eventually(Duration::from_secs(5), "no orphan is left", || left() == 0);
}

/// Answers that never end, each for four seconds: whoever waits for one waits alone.
fn grows(home: &Home) {
    install_neighbour(home);
    install(home, "grows", "grows", &["--processes", "200"]);
    neighbour_is_well(home);
    let pid = home.daemon_pid();
    for how in ["line", "nested", "many", "progress", "log", "drip"] {
        let mut call = home.command(&["call", "grows", "hello", &json!({"how": how}).to_string()]);
        let mut call = Gone(call.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            neighbour_is_well(home);
            daemon_is_small(home, pid);
            if call.0.try_wait().unwrap().is_some() {
                break;
            }
        }
    }
    assert_eq!(home.caisson(&["logs", "grows"]).ok().lines().filter(|line| line.len() > 16 << 10).count(), 0);
    stops(home, "grows");
    neighbour_is_well(home);
    daemon_is_small(home, pid);
}

/// A program that ends with this.
struct Gone(Child);

impl Drop for Gone {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A command of this machine that has to succeed.
fn must(program: &str, args: &[&str]) -> String {
    let output =
        Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
