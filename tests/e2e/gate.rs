//! The gate: a person's answers, rules in the user's file, and the record of both, at every door.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use caisson_tests::{Home, clients::Access, home::eventually, raw::RawClient};
use serde_json::{Value, json};

on_engines!([podman docker] every_door_asks, rules_are_the_users, what_is_cancelled_is_never_sent);
on_engines!([podman] a_group_asks_as_its_servers_do, a_lock_outlives_the_daemon);

const SOON: Duration = Duration::from_secs(30);

/// A home in which changes are asked about, with the example server.
fn asking(home: &Home, rules: &str) {
    policy(home, rules);
    home.caisson(&["install", "example", "--state", "/state", "--yes"]).ok();
}

fn policy(home: &Home, text: &str) {
    fs::write(home.path().join("config/policy.toml"), text).expect("a policy");
}

fn waiting(home: &Home) -> Vec<Value> {
    let list = home.caisson(&["approvals", "list", "--json"]).json();
    list["waiting"].as_array().cloned().expect("a list")
}

/// The one question, once it is asked.
fn question(home: &Home) -> Value {
    eventually(SOON, "a question is asked", || waiting(home).len() == 1);
    waiting(home).pop().expect("one")
}

/// Answers the one question, once it is asked.
fn answer(home: &Home, args: &[&str]) -> Value {
    let question = question(home);
    let id = question["id"].to_string();
    home.caisson(&[&["approvals", args[0], &id], &args[1..]].concat()).ok();
    question
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future)
}

/// What a call of `notes_add` by a client of the bridge comes to, with what was told on the way.
async fn note(access: &Access, stands_alone: bool, text: &str) -> Vec<Value> {
    let mut client = RawClient::open(access, stands_alone).await;
    client.call(1, "notes_add", json!({"note": text}), json!("p")).await
}

fn text(answer: &Value) -> String {
    caisson_tests::home::text_of(&answer["result"])
}

fn audit(home: &Home) -> Vec<Value> {
    let said = home.caisson(&["audit", "example", "--json"]).ok();
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn every_door_asks(home: &Home) {
    asking(home, "");
    // What only reads is not asked about.
    assert!(home.call_text("example", "notes_list", &json!({})).contains("none"));

    let access = Access::to(home, "example");
    for (stands_alone, client) in [(false, "a client with sessions"), (true, "one without")] {
        let (access, home) = (&access, &home);
        std::thread::scope(|scope| {
            let call = scope.spawn(move || block_on(note(access, stands_alone, client)));
            let asked = question(home);
            assert_eq!((&asked["tool"], &asked["server"]), (&json!("notes_add"), &json!("example")));
            assert!(asked["arguments"].as_str().unwrap().contains(client), "{asked}");
            assert_eq!(asked["marks"]["read_only"], false);
            // Long enough that a client which waits is told so.
            std::thread::sleep(Duration::from_secs(6));
            answer(home, &["allow"]);
            let said = call.join().unwrap();
            assert_eq!(said[0]["method"], "notifications/progress", "{said:?}");
            assert!(text(said.last().unwrap()).contains("Noted"), "{said:?}");
        });
        std::thread::scope(|scope| {
            let call = scope.spawn(move || block_on(note(access, stands_alone, "refused")));
            answer(home, &["deny"]);
            let said = call.join().unwrap();
            let last = said.last().unwrap();
            assert_eq!(last["result"]["isError"], true, "{last}");
            assert!(text(last).contains("a person was asked and refused"), "{last}");
        });
    }

    let mut shim = Shim::start(home);
    shim.call(7, "notes_add", &json!({"note": "by the shim"}));
    answer(home, &["allow", "--session"]);
    assert!(text(&shim.answer(7)).contains("Noted"));
    shim.call(8, "notes_add", &json!({"note": "not asked again"}));
    assert!(text(&shim.answer(8)).contains("Noted"));
    shim.call(9, "notes_clear", &json!({}));
    answer(home, &["deny"]);
    assert!(text(&shim.answer(9)).contains("refused"));
    drop(shim);

    let mut call = spawn(home, &["call", "example", "notes_add", r#"{"note":"by hand"}"#]);
    answer(home, &["deny"]);
    assert_eq!(call.wait().unwrap().code(), Some(4));
    home.caisson(&["call", "example", "notes_add", "--allow", r#"{"note":"by hand"}"#]).ok();

    let notes = home.call_text("example", "notes_list", &json!({}));
    for (note, is) in [
        ("a client with sessions", true),
        ("one without", true),
        ("not asked again", true),
        ("refused", false),
    ] {
        assert_eq!(notes.contains(note), is, "{note}: {notes}");
    }

    let audit = audit(home);
    let happened = |what: &str| audit.iter().filter(|entry| entry["what"] == what).count();
    assert_eq!((happened("decided"), happened("denied")), (7, 4), "{audit:#?}");
    let called: Vec<_> = audit.iter().filter(|entry| entry["what"] == "called").collect();
    assert_eq!(called.len(), happened("answered"), "each call was answered");
    assert!(!audit.iter().any(|entry| entry.to_string().contains("by hand")), "no argument stands in it");
    assert!(home.caisson(&["audit", "verify"]).ok().contains("whole"));
}

fn rules_are_the_users(home: &Home) {
    asking(home, "preset = 'never-ask'\n");
    let check = |args: &[&str], code: i32| {
        let said = home.caisson(&[&["policy", "check", "example"], args].concat());
        assert_eq!(said.status.code(), Some(code), "{args:?}: {} {}", said.out, said.err);
        said.out
    };
    assert!(check(&["notes_clear"], 0).contains("never ask"));
    policy(
        home,
        "preset = 'ask-for-changes'\n[[rule]]\nthen = 'deny'\nwhy = 'notes stay'\ntool = '*_clear'\n\
         [[rule]]\nthen = 'allow'\ntool = 'notes_add'\n[[rule.arguments]]\nat = '/note'\nlike = 'ok *'\n",
    );
    eventually(SOON, "the file is read again", || {
        home.caisson(&["policy", "show", "--json"]).json()["rules"] == 2
    });
    assert!(check(&["notes_clear"], 4).contains("line 2 of policy.toml: notes stay"));
    check(&["notes_add", r#"{"note":"ok then"}"#], 0);
    check(&["notes_add", r#"{"note":"no"}"#], 11);
    check(&["notes_list"], 0);

    let denied = home.caisson(&["call", "example", "notes_clear", "--allow"]);
    assert!(denied.failed(4).contains("notes stay"));
    assert!(home.call_text("example", "notes_add", &json!({"note": "ok then"})).contains("Noted"));

    // While the file is broken, what held before stays in force.
    policy(home, "preset = 'never'\n");
    eventually(SOON, "it is found broken", || {
        home.caisson(&["policy", "show", "--json"]).json()["broken"].is_string()
    });
    check(&["notes_clear"], 4);
    let said = home.caisson(&["policy", "preset", "never-ask"]);
    assert!(!said.status.success() && said.err.contains("line 1"), "{}", said.err);
    policy(home, "# mine\npreset = 'ask-for-everything'\n");
    home.caisson(&["policy", "preset", "never-ask"]).ok();
    check(&["notes_clear"], 0);
    let file = fs::read_to_string(home.path().join("config/policy.toml")).unwrap();
    assert!(file.starts_with("# mine\n"), "{file}");
}

fn what_is_cancelled_is_never_sent(home: &Home) {
    asking(home, "");
    let access = Access::to(home, "example");
    block_on(async {
        let mut client = RawClient::open(&access, false).await;
        let call = json!({"name": "notes_add", "arguments": {"note": "cancelled"}});
        let response = client.begin(5, "tools/call", call).await;
        let home = &home;
        tokio::task::block_in_place(|| question(home));
        let mut other = RawClient::open(&access, true).await;
        client.notify_beside("notifications/cancelled", json!({"requestId": 5})).await;
        tokio::task::block_in_place(|| {
            eventually(SOON, "the question is withdrawn", || waiting(home).is_empty());
        });
        drop(response);
        // One without a session cancels by going away.
        let call = json!({"name": "notes_add", "arguments": {"note": "gone"}});
        let response = other.begin(6, "tools/call", call).await;
        tokio::task::block_in_place(|| question(home));
        drop((response, other));
        tokio::task::block_in_place(|| {
            eventually(SOON, "the question is withdrawn", || waiting(home).is_empty());
        });
    });
    let mut shim = Shim::start(home);
    shim.call(3, "notes_add", &json!({"note": "by a shim that ends"}));
    question(home);
    drop(shim);
    eventually(SOON, "the question is withdrawn", || waiting(home).is_empty());
    assert!(home.call_text("example", "notes_list", &json!({})).contains("none"));
}

fn a_group_asks_as_its_servers_do(home: &Home) {
    asking(home, "");
    home.caisson(&["group", "set", "work", "example"]).ok();
    let access = Access::to(home, "group/work");
    let home = &home;
    std::thread::scope(|scope| {
        let call = scope.spawn(|| {
            block_on(async {
                let mut client = RawClient::open(&access, false).await;
                client.call(1, "example__notes_add", json!({"note": "grouped"}), json!("p")).await
            })
        });
        let asked = answer(home, &["allow"]);
        assert_eq!((&asked["server"], &asked["tool"]), (&json!("example"), &json!("notes_add")));
        assert!(text(call.join().unwrap().last().unwrap()).contains("Noted"));
    });
}

fn a_lock_outlives_the_daemon(home: &Home) {
    asking(home, "preset = 'never-ask'\n");
    home.caisson(&["approvals", "lock"]).ok();
    for _ in 0..2 {
        let said = home.caisson(&["call", "example", "notes_list"]);
        assert!(said.failed(4).contains("locked"));
        home.caisson(&["tools", "example"]).ok();
        home.caisson(&["daemon", "--stop"]).ok();
    }
    home.caisson(&["approvals", "unlock"]).ok();
    home.caisson(&["call", "example", "notes_list"]).ok();
}

fn spawn(home: &Home, args: &[&str]) -> Child {
    let mut command = home.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("caisson runs")
}

/// `caisson stdio example`, as a client starts it. Dropped, its client has gone.
struct Shim {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Shim {
    fn start(home: &Home) -> Self {
        let mut command: Command = home.command(&["stdio", "example"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut shim = Self { child, lines };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"}});
        shim.say(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
        shim.answer(0);
        shim.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        shim
    }

    fn call(&mut self, id: u32, tool: &str, arguments: &Value) {
        let params = json!({"name": tool, "arguments": arguments});
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}));
    }

    fn say(&mut self, message: &Value) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{message}").expect("it reads");
    }

    fn answer(&mut self, id: u32) -> Value {
        loop {
            let line = self.lines.next().expect("it answers").expect("text");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            if message["id"] == id {
                return message;
            }
        }
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
