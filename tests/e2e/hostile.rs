//! Servers that misbehave, each run for real: a clear error, nothing left, the others undisturbed.

use std::{fs, path::Path, time::Duration};

use caisson_tests::{Home, home::eventually};
use serde_json::json;

on_engines!([podman docker] exits_at_once, prints_garbage, floods, never_answers, forks, grabs_the_pipe);

/// A server in shell, for an image that holds busybox alone. It answers one line of JSON-RPC for each it reads.
pub const POLITE: &str = r#"
id() { echo "$1" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p'; }
while read -r line; do
    case $line in
    *'"initialize"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$(id "$line"),\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"shell\",\"version\":\"1\"}}}" ;;
    *'"tools/list"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$(id "$line"),\"result\":{\"tools\":[{\"name\":\"hello\",\"inputSchema\":{\"type\":\"object\"}}]}}" ;;
    *'"tools/call"'*) number=$(id "$line"); on_call; echo "{\"jsonrpc\":\"2.0\",\"id\":$number,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$answer\"}]}}" ;;
    esac
done
"#;

/// Writes a folder with a `Dockerfile` whose server is `script`, run by Debian's static busybox.
pub fn write_server(folder: &Path, script: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::copy("/bin/busybox", folder.join("busybox")).expect("busybox-static is installed");
    let preamble = "answer=hello\non_call() { :; }\n";
    fs::write(folder.join("server.sh"), format!("{preamble}{script}")).unwrap();
    let dockerfile = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY server.sh /server.sh\n\
        RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/bin\nENTRYPOINT [\"/bin/sh\", \"/server.sh\"]\n";
    fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
}

fn install(home: &Home, name: &str, script: &str) {
    let folder = home.path().join(name);
    write_server(&folder, script);
    home.caisson(&["install", &folder.to_string_lossy(), "--name", name, "--yes"]).ok();
}

/// Gives a server three seconds to answer, by an edit of its file.
fn impatient(home: &Home, name: &str) {
    let file = home.path().join("config/servers").join(format!("{name}.toml"));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("start_timeout = 60", "start_timeout = 3")).unwrap();
    eventually(Duration::from_secs(15), "the edit applies", || {
        home.caisson(&["show", name, "--json"]).json()["definition"]["life"]["start_timeout"] == 3
    });
}

/// A neighbour that must not notice.
fn neighbour_is_well(home: &Home) {
    assert!(home.call_text("example", "greet", &json!({"name": "neighbour"})).contains("neighbour"));
}

fn exits_at_once(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    install(home, "exits", "echo the reason is a missing key >&2; exit 7");
    let said = home.caisson(&["tools", "exits"]);
    assert!(!said.status.success());
    assert!(said.err.contains('7') && said.err.contains("missing key"), "{}", said.err);
    neighbour_is_well(home);
}

fn prints_garbage(home: &Home) {
    let script =
        format!("echo 'Starting server v1...'; printf '\\033]0;owned\\007\\377\\376 {{broken\\n'\n{POLITE}");
    install(home, "garbage", &script);
    assert!(home.caisson(&["tools", "garbage"]).ok().contains("hello"));
    let logs = home.caisson(&["logs", "garbage"]).ok();
    assert!(logs.contains("Starting server") && !logs.contains('\u{1b}'), "{logs:?}");
}

fn floods(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let nonsense = format!("yes a line of nonsense >&2 &\n{POLITE}");
    let endless = format!("while :; do printf {}; done", "x".repeat(72));
    // Each keeps its install waiting for a minute, so they are installed side by side.
    std::thread::scope(|scope| {
        for (name, script) in [
            ("stdout", r#"yes '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'"#),
            ("stderr", &nonsense),
            ("endless", &endless),
            // It asks, and does not read what it is answered.
            ("asks", r#"yes '{"jsonrpc":"2.0","id":1,"method":"ping"}'"#),
        ] {
            scope.spawn(move || install(home, name, script));
        }
    });
    impatient(home, "stdout");
    impatient(home, "asks");
    impatient(home, "endless");
    assert!(!home.caisson(&["tools", "stdout"]).status.success());
    assert!(home.caisson(&["tools", "stderr"]).ok().contains("hello"));
    assert!(!home.caisson(&["tools", "asks"]).status.success());
    assert!(!home.caisson(&["tools", "endless"]).status.success());
    neighbour_is_well(home);
    let resident = resident_mib(home.daemon_pid());
    assert!(resident < 200, "the daemon grew to {resident} MiB");
}

fn resident_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn never_answers(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    install(home, "mute", "trap '' TERM; while :; do sleep 1; done");
    impatient(home, "mute");
    let said = home.caisson(&["tools", "mute"]);
    assert!(!said.status.success());
    assert!(said.err.contains("answer"), "{}", said.err);
    home.caisson(&["stop", "mute"]).ok();
    // Docker lists a container until it has removed it.
    eventually(Duration::from_secs(5), "a server that ignores SIGTERM is gone", || {
        home.containers().is_empty()
    });
    neighbour_is_well(home);
}

fn forks(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let script =
        format!("i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done 2>/dev/null\n{POLITE}");
    install(home, "forks", &script);
    let said = home.caisson(&["tools", "forks"]);
    assert!(said.status.success() || !said.err.is_empty());
    neighbour_is_well(home);
    home.caisson(&["stop", "forks"]).ok();
    eventually(Duration::from_secs(10), "its children are gone", || home.containers().len() <= 1);
}

/// The pipe belongs to PID 1: a process beside it can neither read nor write it, nor see what PID 1 was told.
fn grabs_the_pipe(home: &Home) {
    let script = r#"
on_call() {
    answer=
    for file in fd/0 fd/1 fd/2 environ mem; do
        if (: < /proc/1/$file) 2>/dev/null; then answer="$answer read:$file"; fi
        if (: > /proc/1/$file) 2>/dev/null; then answer="$answer write:$file"; fi
    done
    for process in /proc/[0-9]*; do
        [ -e $process/fd/0 ] && readlink $process/fd/* | grep -q anon_inode && answer="$answer $process"
    done
    [ -n "$answer" ] || answer="nothing to grab"
}
"#;
    install(home, "grabs", &format!("{script}{POLITE}"));
    let said = home.call_text("grabs", "hello", &json!({}));
    assert!(!said.contains("read:") && !said.contains("write:"), "{said}");
}
