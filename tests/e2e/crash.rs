//! Whatever dies, nothing is left behind and what can go on goes on.

use std::{fs, process::Command, time::Duration};

use caisson_tests::{Home, home::eventually};
use serde_json::json;

on_engines!([podman docker] killed_daemon_leaves_no_container, killed_container_comes_back, state_survives);
on_engines!([podman] unwritable_home, port_taken);

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").arg(signal).arg(pid.to_string()).status().unwrap().success());
}

fn killed_daemon_leaves_no_container(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["start", "example"]).ok();
    let id = home.id();
    assert_eq!(home.containers_of(&id).len(), 1);
    kill("-KILL", home.daemon_pid());
    eventually(Duration::from_secs(10), "no container is left", || home.containers_of(&id).is_empty());

    // The next command starts a daemon that finds everything as it was.
    assert!(home.call_text("example", "greet", &json!({"name": "again"})).contains("again"));
}

fn killed_container_comes_back(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["start", "example"]).ok();
    let [container] = &home.containers()[..] else { panic!("not one container") };
    home.engine_cli(&["kill", container]);
    // A call on the way while the container dies may fail, clearly; one soon after finds a new container.
    eventually(Duration::from_secs(10), "it is called again", || {
        let said = home.caisson(&["call", "example", "greet", r#"{"name":"back"}"#]);
        assert!(said.status.success() || said.err.contains("ended"), "{}", said.err);
        said.out.contains("back")
    });
    assert_eq!(home.containers().len(), 1);
}

/// A daemon that ends in good order, and one that does not, leave the same things installed.
fn state_survives(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let access = caisson_tests::clients::Access::to(home, "example");
    home.caisson(&["daemon", "--stop"]).ok();
    let list = home.caisson(&["list", "--json"]).json();
    assert_eq!(list["servers"][0]["name"], "example");
    let again = caisson_tests::clients::Access::to(home, "example");
    assert_eq!(access.url, again.url, "the port changed with a restart");
    let listed = caisson_tests::clients::inspector(&access, &["--method", "tools/list"]).ok();
    assert!(listed.contains("look_around"), "a token did not outlive a restart: {listed}");
}

/// A full disk, played by a file system of a few kilobytes: a clear error, and nothing half-written.
fn unwritable_home(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["daemon", "--stop"]).ok();
    let servers = home.path().join("config/servers");
    let file = fs::read(servers.join("example.toml")).unwrap();
    let mount =
        |args: &[&str]| assert!(Command::new("mount").args(args).arg(&servers).status().unwrap().success());
    mount(&["-t", "tmpfs", "-o", "size=8k", "tmpfs"]);
    fs::write(servers.join("example.toml"), &file).unwrap();
    fs::write(servers.join("ballast"), vec![0; 64 << 10]).unwrap_err();
    let said = home.caisson(&["install", "example", "--name", "second", "--yes"]);
    let left: Vec<_> = fs::read_dir(&servers).unwrap().flatten().map(|entry| entry.file_name()).collect();
    let still = fs::read(servers.join("example.toml")).unwrap();
    home.caisson(&["daemon", "--stop"]).ok();
    assert!(Command::new("umount").arg(&servers).status().unwrap().success());
    assert!(!said.status.success());
    assert!(said.err.contains("space"), "{}", said.err);
    assert_eq!(still, file);
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("second")), "{left:?}");
}

fn port_taken(home: &Home) {
    let settings = fs::read_to_string(home.path().join("config/settings.toml")).unwrap();
    let port = settings.lines().find_map(|line| line.strip_prefix("port = ")).unwrap().parse().unwrap();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    home.caisson(&["install", "example", "--yes"]).ok();
    let said = home.caisson(&["doctor"]);
    let all = format!("{}{}", said.out, said.err);
    assert!(all.contains(&port.to_string()) && all.contains("settings.toml"), "{all}");
    // The shim and the command line need no port.
    assert!(home.call_text("example", "greet", &json!({"name": "portless"})).contains("portless"));
}
