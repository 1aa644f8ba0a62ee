//! Secrets, in a real keychain: they reach the server, and nothing else.
//!
//! `scripts/test` runs all tests in a D-Bus session of their own with an unlocked gnome-keyring.

use std::{fs, path::Path};

use caisson_tests::Home;
use serde_json::{Value, json};

on_engines!([podman docker] reach_the_server_alone, missing_or_removed);
on_engines!([podman] without_a_keychain);

const SECRET: &str = "csn-test-7f3a9d2e5b1c4860";

fn install(home: &Home) {
    let grants = ["--secret", "API_KEY", "--secret", "AS_FILE=file"];
    home.caisson(&[&["install", "example", "--yes"], &grants[..]].concat()).ok();
}

fn reach_the_server_alone(home: &Home) {
    install(home);
    home.caisson_with(&["secret", "set", "example", "API_KEY"], SECRET.as_bytes()).ok();
    home.caisson_with(&["secret", "set", "example", "AS_FILE"], SECRET.as_bytes()).ok();
    let around = home.call("example", "look_around", &json!({}))["structuredContent"].clone();
    assert!(around["variables"].to_string().contains("API_KEY"), "{around}");
    assert!(around["secrets"].to_string().contains("AS_FILE"), "{around}");

    let [container] = &home.containers()[..] else { panic!("not one container") };
    let inspected = home.engine_cli(&["inspect", container]);
    assert!(!inspected.contains(SECRET), "a secret stands in the container's configuration");
    assert!(!home.engine_cli(&["top", container]).contains(SECRET));
    for command in ["list", "show", "plan", "secret", "logs"] {
        let args = match command {
            "list" => vec!["list", "--json"],
            "secret" => vec!["secret", "list", "example", "--json"],
            other => vec![other, "example", "--json"],
        };
        let said = home.caisson(&args);
        assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET), "{command} shows a secret");
    }
    no_file_holds(home.path(), SECRET);
    no_process_shows(SECRET);
}

/// No command line and, but for the server's own, no environment on this machine holds it.
fn no_process_shows(secret: &str) {
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let command_line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&command_line).contains(secret), "{:?}", process.path());
    }
}

/// Nothing below Caisson's home holds it: configuration, database, write-ahead log, logs, backups.
fn no_file_holds(folder: &Path, secret: &str) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            no_file_holds(&entry.path(), secret);
        } else if kind.is_file() {
            let content = fs::read(entry.path()).unwrap_or_default();
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", entry.path().display());
        }
    }
}

fn missing_or_removed(home: &Home) {
    install(home);
    let error = home.caisson(&["start", "example"]);
    assert!(!error.status.success());
    assert!(error.err.contains("API_KEY") && error.err.contains("caisson secret set"), "{}", error.err);

    home.caisson_with(&["secret", "set", "example", "API_KEY"], SECRET.as_bytes()).ok();
    let names: Value = home.caisson(&["secret", "list", "example", "--json"]).json();
    assert_eq!(names["stored"], json!(["API_KEY"]));
    assert_eq!(names["missing"], json!(["AS_FILE"]));
    home.caisson(&["secret", "remove", "example", "API_KEY"]).ok();
    let names: Value = home.caisson(&["secret", "list", "example", "--json"]).json();
    assert_eq!(names["stored"], json!([]));

    // An argument would stand in the shell's history and in every list of processes.
    let refused = home.caisson(&["secret", "set", "example", "API_KEY", SECRET]);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.err);
    assert!(!refused.err.contains(SECRET) && !refused.out.contains(SECRET), "{}", refused.err);
}

fn without_a_keychain(home: &Home) {
    let mut command = home.command(&["secret", "set", "example", "API_KEY"]);
    install(home);
    home.caisson(&["daemon", "--stop"]).ok();
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus");
    let said = caisson_tests::home::said(command, SECRET.as_bytes());
    assert!(!said.status.success());
    assert!(said.err.to_lowercase().contains("keychain"), "{}", said.err);
    assert!(!said.err.contains(SECRET));
}
