//! What is counted and measured: by the command line, as events, and for Prometheus.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use caisson_tests::Home;
use serde_json::{Value, json};

on_engines!([podman docker] calls_and_uses_are_told);

fn calls_and_uses_are_told(home: &Home) {
    let settings = home.path().join("config/settings.toml");
    let mut settings = OpenOptions::new().append(true).open(settings).unwrap();
    settings.write_all(b"[metrics]\nprometheus = true\n").unwrap();
    let policy = "preset = 'never-ask'\n[[rule]]\nthen = 'deny'\ntool = '*_clear'\n";
    fs::write(home.path().join("config/policy.toml"), policy).unwrap();
    home.caisson(&["install", "example", "--yes"]).ok();

    let events = counted(home);
    for name in ["a", "b", "c"] {
        home.call_text("example", "greet", &json!({"name": name}));
    }
    assert!(
        !home.caisson(&["call", "example", "greet", r#"{"name":{"secret":"of mine"}}"#]).status.success()
    );
    assert_eq!(home.caisson(&["call", "example", "notes_clear"]).status.code(), Some(4));
    assert!(!home.caisson(&["call", "example", "no_such_tool"]).status.success());

    let stats = home.caisson(&["stats", "example", "--json"]).json();
    let server = &stats["servers"][0];
    let count = |of: &Value| ["calls", "failed", "denied", "today"].map(|what| of[what].as_u64().unwrap());
    assert_eq!(count(&server["calls"]), [5, 2, 1, 5], "{server:#}");
    let tool = |name: Value| server["tools"].as_array().unwrap().iter().find(|tool| tool["tool"] == name);
    assert_eq!(tool(json!("greet")).map(count), Some([4, 1, 0, 4]), "{server:#}");
    assert_eq!(tool(json!("notes_clear")).map(count), Some([0, 0, 1, 0]), "{server:#}");
    assert_eq!(
        tool(Value::Null).map(count),
        Some([1, 1, 0, 1]),
        "what it does not have has no name: {server:#}"
    );
    let latency = &server["calls"]["latency"];
    assert!(latency["p50"].as_u64() > Some(0) && latency["p99"].as_u64() >= latency["p50"].as_u64());
    // The containers of this test's engines are limited and counted.
    let now = stats["at"].as_u64().unwrap() / 1000;
    let since = server["running_since"].as_u64().unwrap();
    assert!(since <= now && now - since < 600, "{server:#}");
    let limit = server["memory_limit"].as_u64().unwrap();
    let memory = server["uses"]["memory"].as_u64().unwrap();
    assert!(memory > 100 << 10 && memory < limit, "{server:#}");
    assert!(server["cpu"].as_f64().is_some_and(|cpu| (0.0..800.0).contains(&cpu)), "{server:#}");
    assert!(stats["own"]["memory"].as_u64() > Some(1 << 20), "{stats:#}");
    assert!(stats["machine"]["memory_used"].as_u64() > Some(0), "{stats:#}");
    let page = home.caisson(&["stats", "--tools"]).ok();
    for part in ["MiB", "example", "greet", "(other)"] {
        assert!(page.contains(part), "{page}");
    }

    let heard = events.recv_timeout(Duration::from_secs(20)).expect("somebody watches, and hears of calls");
    assert!(heard["server"] == "example" && heard["calls"].as_u64() > Some(0), "{heard}");

    scraped(home);
}

/// The first event that tells of counts.
fn counted(home: &Home) -> mpsc::Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    let mut watching =
        home.command(&["events", "--json"]).stdout(Stdio::piped()).spawn().expect("it watches");
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        let events = lines.map_while(Result::ok).map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let counted = events.filter(|event| event["event"] == "counted").find(|event| event["calls"] != 0);
        drop(counted.map(|event| sender.send(event)));
        drop(watching.kill());
        drop(watching.wait());
    });
    receiver
}

fn scraped(home: &Home) {
    let status = home.caisson(&["daemon", "--status", "--json"]).json();
    let bridge = status["bridge"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let token = |args: &[&str]| {
        let issued = home.caisson(&[&["token", "issue", "--ttl", "1h", "--json"], args].concat()).json();
        issued["token"].as_str().unwrap().to_owned()
    };
    let get = |authorization: &str| {
        let mut stream = TcpStream::connect(&bridge).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {bridge}\r\nConnection: close\r\n{authorization}\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("").starts_with("HTTP/1.1 401"), "it is told to nobody without a token");
    let all = token(&["--all"]);
    assert!(get(&format!("Authorization: Bearer {all}\r\n")).starts_with("HTTP/1.1 403"));
    let metrics = token(&["--metrics"]);
    let told = get(&format!("Authorization: Bearer {metrics}\r\n"));
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    for sample in [
        r#"caisson_calls_total{server="example",tool="greet"} 4"#,
        r#"caisson_calls_denied_total{server="example",tool="notes_clear"} 1"#,
        r#"caisson_calls_failed_total{server="example",tool=""} 1"#,
        r#"caisson_server_up{server="example"} 1"#,
        r#"caisson_server_memory_bytes{server="example"} "#,
        r#"caisson_call_duration_seconds_count{server="example",tool="greet"} 4"#,
    ] {
        assert!(told.contains(sample), "{sample} is not in {told}");
    }
    assert!(!told.contains("secret") && !told.contains("of mine"), "{told}");
}
