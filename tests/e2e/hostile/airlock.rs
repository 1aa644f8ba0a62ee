//! A hostile airlock in place of Caisson's own, in real containers: what a server could say that had taken over its
//! airlock, as may happen under gVisor.

use std::{
    fs,
    io::Read as _,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    time::Duration,
};

use caisson_tests::{Home, home::eventually, programs};
use serde_json::json;

use super::{Gone, daemon_is_small, has_recorded, install_neighbour, neighbour_is_well, recorded};

on_engines!([podman docker] turns_against_its_host, hands_over_what_is_no_byte, connects_past_its_list);

/// What it may do, as `tests/hostile/src/bin/hostile-airlock` says, and what its user then reads; of two, whichever comes first.
const MODES: [(&str, &str); 16] = [
    ("closes", "ended with exit code 0"),
    ("silent", "not ready within"),
    ("garbage", "the pipe failed"),
    ("yamux", "not ready within"),
    ("huge", "too large"),
    ("short", "could not be started"),
    ("nonsense", "cannot be understood"),
    ("nested", "too large"),
    ("streams", "did not answer"),
    ("kinds", "did not answer"),
    ("twice", "ended"),
    ("flood", "did not answer"),
    ("deaf", "did not answer"),
    ("resets", "ended"),
    ("halves", "ended"),
    ("endless", "did not answer|larger than 16 MiB"),
];

/// What it may hand over, or say of what it was handed, and what its user then reads. Where the pipe is a socket.
const HANDS: [(&str, &str); 16] = [
    ("pipe-file", "descriptors where none belong"),
    ("pipe-many", "descriptors where none belong"),
    ("pipe-lingers", "descriptors where none belong"),
    ("beside-file", "descriptors where none belong"),
    ("beside-listener", "descriptors where none belong"),
    ("beside-socket", "descriptors where none belong"),
    ("beside-abstract", "descriptors where none belong"),
    ("beside-many", "descriptors where none belong"),
    ("beside-lingers", "descriptors where none belong"),
    ("beside-answers", "cannot be understood"),
    ("beside-bytes", "bytes where none belong"),
    ("beside-stuffs", "did not answer"),
    ("beside-mute", "did not answer"),
    ("beside-undecided", "did not answer"),
    ("beside-unfetched", "did not answer|ended"),
    ("beside-nonsense", "ended"),
];

/// Installs a server under the honest airlock, then puts the hostile one in its place: it behaves where no mode is
/// given.
fn prepare(home: &Home) {
    install_neighbour(home);
    home.caisson(&["install", "example", "--name", "deviant", "--yes"]).ok();
    home.caisson(&["daemon", "--stop"]).ok();
    let artifacts = home.path().join("artifacts");
    fs::create_dir(&artifacts).unwrap();
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let honest = fs::read(programs::airlock()).unwrap();
    let hostile = fs::read(programs::hostile_airlock()).unwrap();
    let both = [&hostile[..], &honest, &honest.len().to_be_bytes()].concat();
    fs::write(artifacts.join(format!("airlock-linux-{arch}")), both).unwrap();
    fs::copy(programs::example(), artifacts.join(format!("example-linux-{arch}"))).unwrap();
    // What runs the daemon decides where its airlock is.
    let mut daemon = home.command(&["list"]);
    daemon.env("CAISSON_ARTIFACTS", &artifacts);
    assert!(daemon.status().unwrap().success());
}

/// The server's file, with the folder that tells its airlock what to do.
fn tell(home: &Home, mode: &str, port: u16) {
    let folder = home.path().join(format!("mode-{mode}"));
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("mode"), mode).unwrap();
    fs::write(folder.join("port"), port.to_string()).unwrap();
    let servers = home.path().join("config/servers");
    let text = fs::read_to_string(servers.join("deviant.toml")).unwrap();
    let granted = format!("folders = [{{ host = \"{}\", inside = \"/mode\" }}]", folder.display());
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line {
            line if line.starts_with("folders = ") => granted.clone(),
            line if line.starts_with("start_timeout = ") => "start_timeout = 6".to_owned(),
            line => line.to_owned(),
        })
        .collect();
    let text = lines.join("\n");
    let text = if text.contains("/mode\"") {
        text
    } else {
        text.replace("[permissions]", &format!("[permissions]\n{granted}"))
    };
    write(&servers.join(format!("{mode}.toml")), &text);
    eventually(Duration::from_secs(15), "it is known", || {
        home.caisson(&["show", mode, "--json"]).status.success()
    });
}

fn write(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

/// All of them at once: each of their callers reads what happened, and nobody else notices.
fn turns_against_its_host(home: &Home) {
    prepare(home);
    all_turn(home, &MODES, 9);
}

/// Descriptors where bytes belong, some of which take an hour to close: the daemon neither keeps them nor waits.
fn hands_over_what_is_no_byte(home: &Home) {
    prepare(home);
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = outside.local_addr().unwrap().port();
    // Nothing is answered; what is cut may come anew.
    std::thread::spawn(move || outside.incoming().flatten().collect::<Vec<_>>());
    let pid = home.daemon_pid();
    let descriptors = || fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let before = descriptors();
    all_turn(home, &HANDS, port);
    eventually(Duration::from_secs(15), "nothing of theirs is kept", || descriptors() <= before + 8);
}

/// Lets an airlock turn in each of these ways, and sees that each is told of, and ended.
fn all_turn(home: &Home, modes: &[(&'static str, &str)], port: u16) {
    neighbour_is_well(home);
    let pid = home.daemon_pid();
    for (mode, _) in modes {
        tell(home, mode, port);
        if mode.starts_with("beside-") {
            home.caisson(&["network", "allow", mode, &format!("127.0.0.1:{port}")]).ok();
        }
    }
    let mut calls: Vec<_> = modes
        .iter()
        .map(|(mode, words)| {
            let mut call = home.command(&["call", mode, "greet", r#"{"name":"x"}"#]);
            (*mode, *words, Gone(call.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()))
        })
        .collect();
    eventually(Duration::from_secs(30), "every call has ended", || {
        neighbour_is_well(home);
        daemon_is_small(home, pid);
        calls.iter_mut().all(|(_, _, call)| call.0.try_wait().unwrap().is_some())
    });
    let mut odd = Vec::new();
    for (mode, words, call) in &mut calls {
        let mut said = String::new();
        call.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!call.0.wait().unwrap().success(), "{mode}: the call was answered");
        if !said.contains(*mode)
            || !words.split('|').any(|words| said.contains(words))
            || said.contains('\u{1b}')
        {
            odd.push(said);
        }
    }
    assert!(odd.is_empty(), "their users do not read what happened: {odd:#?}");
    std::thread::scope(|scope| {
        for (mode, _) in modes {
            scope.spawn(move || home.caisson(&["stop", mode]).ok());
        }
    });
    eventually(Duration::from_secs(15), "their containers are gone", || {
        home.containers().iter().all(|container| container.contains("-example"))
    });
    for (mode, _) in modes {
        let noted = ["not_started", "started"].iter().any(|what| has_recorded(home, mode, what));
        assert!(noted, "{mode}: {:?}", recorded(home, mode));
    }
    neighbour_is_well(home);
    daemon_is_small(home, pid);
    let log = fs::read_to_string(home.path().join("data/daemon.log")).unwrap_or_default();
    assert!(!log.contains("panicked"), "{log}");
}

/// The host checks each connection by itself: an airlock that asks for what it was not told of gets nothing.
fn connects_past_its_list(home: &Home) {
    prepare(home);
    let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("0.0.0.0", port)).unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    tell(home, "forbidden", port);
    drop(home.caisson(&["call", "forbidden", "greet", &json!({"name": "x"}).to_string()]));
    let mut logs = String::new();
    eventually(Duration::from_secs(30), "it has tried", || {
        logs = home.caisson(&["logs", "forbidden"]).ok();
        logs.contains("every forbidden host was tried")
    });
    assert!(!logs.contains("LET THROUGH"), "{logs}");
    assert!(logs.contains("refused a connection to 169.254.169.254"), "{logs}");
    let record = recorded(home, "forbidden");
    let refused = record.iter().filter(|entry| entry["what"] == "refused").count();
    assert!(refused > 10 && !has_recorded(home, "forbidden", "connected"), "{record:#?}");
    assert!(tcp.accept().is_err(), "a connection came");
    assert!(udp.recv(&mut [0; 1]).is_err(), "a packet came");
    neighbour_is_well(home);
}
