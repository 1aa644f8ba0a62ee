//! The record: what stands in it, how it is read, and whether a change of it shows.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use caisson_tests::{
    Home,
    desktop::Running,
    home::{eventually, free_port, said},
    programs,
};
use serde_json::{Value, json};

on_engines!([podman docker] what_is_answered_outlasts_a_kill);
on_engines!([podman] it_is_searched_followed_exported_and_checked, a_collector_gets_it);

fn python(script: &str, args: &[&str]) -> Command {
    let mut command = Command::new(programs::installed("python/bin/python"));
    command.arg("-c").arg(script).args(args);
    command
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn settings(home: &Home, more: &str) {
    let mut file = fs::File::options().append(true).open(home.path().join("config/settings.toml")).unwrap();
    file.write_all(more.as_bytes()).unwrap();
}

fn what_is_answered_outlasts_a_kill(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let mut answered = 0;
    for _ in 0..3 {
        home.call_text("example", "greet", &json!({"name": "remember"}));
        answered += 1;
        let pid = home.daemon_pid().to_string();
        home.call_text("example", "greet", &json!({"name": "remember"}));
        answered += 1;
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        let called = home.caisson(&["audit", "--kind", "called", "--json"]).ok();
        assert_eq!(lines(&called).len(), answered);
    }
    home.caisson(&["audit", "verify"]).ok();
}

fn it_is_searched_followed_exported_and_checked(home: &Home) {
    settings(home, "[audit]\narguments = \"shown\"\n");
    home.caisson(&["install", "example", "--state", "/state", "--secret", "EXAMPLE_KEY", "--yes"]).ok();
    home.caisson_with(&["secret", "set", "example", "EXAMPLE_KEY"], b"correct-horse-battery").ok();
    home.caisson(&["token", "issue", "--server", "example", "--ttl", "1h", "--subject", "job-42"]).ok();
    let note = |text: &str| home.call_text("example", "notes_add", &json!({"note": text}));
    note("milk, and correct-horse-battery");

    let of = |args: &[&str]| lines(&home.caisson(&[&["audit", "--json"], args].concat()).ok());
    let called = of(&["--kind", "called,denied", "--text", "MILK"]);
    let shown = called[0]["shown"].as_str().expect("arguments are kept");
    assert!(called.len() == 1 && shown.contains("milk") && !shown.contains("correct-horse"), "{called:?}");
    assert_eq!(of(&["--kind", "started"])[0]["secrets"], json!(["EXAMPLE_KEY"]));
    let parts: Vec<Value> =
        of(&["--kind", "configured"]).into_iter().map(|entry| entry["part"].clone()).collect();
    assert!(["server", "secret", "token"].iter().all(|part| parts.contains(&json!(part))), "{parts:?}");
    assert!(of(&["--since", "2001-01-01", "--until", "2002-01-01"]).is_empty());
    assert!(!of(&["example", "--tool", "notes_add", "--since", "1h", "-n", "1"]).is_empty());
    assert!(!home.caisson(&["audit", "export"]).ok().contains("correct-horse"));

    let mut follow = home.command(&["audit", "-f", "-n", "0", "--kind", "called", "--json"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut followed = BufReader::new(follow.stdout.take().unwrap()).lines();
    // It follows from when it has asked, which nobody is told: one of these comes after.
    let seen = std::thread::scope(|scope| {
        let first = scope.spawn(|| followed.next().expect("a line").expect("text"));
        while !first.is_finished() {
            note("bread");
        }
        first.join().unwrap()
    });
    assert!(seen.contains("bread"), "{seen}");
    drop((follow.kill(), follow.wait()));

    let file = home.path().join("audit.jsonl");
    home.caisson(&["audit", "export", "-o", file.to_str().unwrap()]).ok();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // As docs/audit.md has it.
    let checked = "import hashlib, json, sys
before = bytes(32)
for line in open(sys.argv[1]):
    text = line[line.index('\"entry\":') + 8 : line.rindex(',\"hash\":')]
    before = hashlib.sha256(before + text.encode()).digest()
    assert json.loads(line)['hash'] == 'sha256:' + before.hex(), line";
    said(python(checked, &[file.to_str().unwrap()]), b"").ok();

    let anchor = home.caisson(&["audit", "anchor"]).ok();
    home.caisson(&["audit", "verify", "--anchor", anchor.trim()]).ok();
    home.caisson(&["daemon", "--stop"]).ok();
    let cut = "import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('DELETE FROM entries WHERE seq > (SELECT max(seq) FROM entries) - 4')
db.commit()";
    said(python(cut, &[home.path().join("data/audit.sqlite").to_str().unwrap()]), b"").ok();
    let verified = home.caisson(&["audit", "verify", "--json"]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    let report: Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!(report["kept_in"], json!(["state file", "keychain"]), "{report}");
    assert!(verified.err.contains("not what it was"), "{verified:?}");
    assert_eq!(of(&["--kind", "tampered"]).len(), 1);
    home.caisson(&["audit", "anchor", "--renew"]).ok();
    assert_eq!(home.caisson(&["audit", "verify", "--json"]).json()["fault"], json!(null));
    let said = home.caisson(&["audit", "verify", "--anchor", anchor.trim()]).failed(1);
    assert!(said.contains("entry"), "what was kept elsewhere still tells: {said}");
}

/// The collector is a script that reads what it gets with OpenTelemetry's own messages.
fn a_collector_gets_it(home: &Home) {
    let port = free_port().to_string();
    settings(home, &format!("[otlp]\ncollector = \"http://127.0.0.1:{port}\"\n"));
    // It is not there when Caisson starts.
    home.caisson(&["install", "example", "--yes"]).ok();
    let mut collector = Command::new(programs::installed("python/bin/python"));
    collector.arg(programs::repository().join("tests/clients/otlp_collector.py")).arg(&port);
    let out = home.path().join("collected");
    collector.stdout(fs::File::create(&out).unwrap());
    let _collector = Running::start(collector);
    home.call_text("example", "greet", &json!({"name": "collector"}));
    let called = || {
        let records = fs::read_to_string(&out).unwrap();
        let whole = records.rsplit_once('\n').map_or("", |(whole, _)| whole);
        lines(whole).into_iter().find(|record| record["event"] == "caisson.called")
    };
    eventually(Duration::from_secs(60), "the collector has the call", || called().is_some());
    let record = called().unwrap();
    assert_eq!(record["attributes"]["caisson.tool"], "greet");
    let entry: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
    assert_eq!((&entry["what"], &entry["server"]), (&json!("called"), &json!("example")));
}
