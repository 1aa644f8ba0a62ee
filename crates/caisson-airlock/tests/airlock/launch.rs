use std::os::unix::fs::PermissionsExt;

use caisson_wire::{AirlockEvent, FileMode, Mode, Order, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::*;

#[test]
fn it_says_its_version() {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_caisson-airlock")).arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        concat!("caisson-airlock ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_caisson-airlock")).arg("--odd").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}

#[test]
fn files_are_there_before_the_server_starts() {
    within(20, async {
        let home = tempfile::tempdir().unwrap();
        let secret = home.path().join("secrets/TOKEN");
        let launch = caisson_wire::Launch {
            files: vec![
                file(&secret, "hunter2", FileMode::Secret),
                file(&home.path().join("ca.pem"), "PEM", FileMode::Public),
            ],
            ..stdio(command(&["cat", secret.to_str().unwrap()]), true)
        };
        let host = Host::launch(launch).await;
        assert_eq!(text(&mut host.session(1).await).await, "hunter2");
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&secret), 0o400);
        assert_eq!(mode(&home.path().join("secrets")), 0o700);
        assert_eq!(mode(&home.path().join("ca.pem")), 0o444);
    });
}

#[test]
fn limits_hold_for_what_is_started_and_only_go_down() {
    within(20, async {
        let limits = caisson_wire::ProcessLimits { files: Some(100), processes: None, core: Some(u64::MAX) };
        let script = "ulimit -c 0; ulimit -Hn; ulimit -n 200 2>/dev/null && echo raised";
        let launch = caisson_wire::Launch { limits, ..stdio(command(&["sh", "-c", script]), false) };
        let host = Host::launch(launch).await;
        assert_eq!(text(&mut host.session(1).await).await, "100\n");
    });
}

#[test]
fn a_launch_that_cannot_work_says_why_and_ends() {
    let missing_file = caisson_wire::Launch {
        files: vec![file(std::path::Path::new("/proc/nowhere/TOKEN"), "hunter2", FileMode::Secret)],
        ..stdio(command(&["cat"]), false)
    };
    let http = caisson_wire::Launch { mode: Mode::Http, ..stdio(command(&["no-such-program"]), false) };
    for (launch, why) in [
        (stdio(command(&["no-such-program"]), true), "no program \"no-such-program\" in PATH"),
        (stdio(command(&[]), false), "empty"),
        (stdio(command(&["/etc/passwd"]), false), "/etc/passwd"),
        (http, "no-such-program"),
        (missing_file, "/proc/nowhere/TOKEN"),
    ] {
        within(20, async {
            let mut host = Host::start().await;
            host.order(Order::Launch(launch)).await;
            let reason = loop {
                let event = host.event().await.unwrap();
                if let AirlockEvent::LaunchFailed { reason } = event {
                    break reason;
                }
                assert!(matches!(event, AirlockEvent::Warning { .. }), "{event:?}");
            };
            assert!(reason.contains(why) && !reason.contains("hunter2"), "{reason}");
            host.driver.abort();
            assert_eq!(host.airlock.wait().await.unwrap().code(), Some(1));
        });
    }
}

#[test]
fn a_host_that_makes_no_sense_ends_it() {
    for order in [Some(Order::Ping), None] {
        within(20, async {
            let mut host = Host::start().await;
            match order {
                Some(order) => host.order(order).await,
                None => host.orders.write_all(&[0xff; 64]).await.unwrap(),
            }
            assert_eq!(host.airlock.wait().await.unwrap().code(), Some(1));
        });
    }
}

#[test]
fn a_pipe_of_garbage_ends_it() {
    let mut airlock = std::process::Command::new(env!("CARGO_BIN_EXE_caisson-airlock"));
    let garbage = std::fs::File::open("/dev/urandom").unwrap();
    let (read, mut write) = std::io::pipe().unwrap();
    let feeding =
        std::thread::spawn(move || std::io::copy(&mut std::io::Read::take(garbage, 1 << 20), &mut write));
    let output = airlock.stdin(read).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    // It holds the reading end.
    drop(airlock);
    drop(feeding.join());
}

#[test]
fn a_ping_is_answered() {
    within(20, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        host.order(Order::Ping).await;
        host.expect(|event| event == &AirlockEvent::Pong).await;
    });
}

#[test]
fn an_http_server_is_reached_on_its_port_and_logs_both_ways() {
    within(20, async {
        let server = "import socketserver, sys\n\
            class Echo(socketserver.StreamRequestHandler):\n\
            \x20 def handle(self): self.wfile.write(self.rfile.readline().upper())\n\
            s = socketserver.TCPServer(('127.0.0.1', 0), Echo)\n\
            print(s.server_address[1], flush=True)\n\
            print('to stderr', file=sys.stderr, flush=True)\n\
            s.serve_forever()";
        let launch =
            caisson_wire::Launch { mode: Mode::Http, ..stdio(command(&["python3", "-c", server]), false) };
        let mut host = Host::launch(launch).await;
        host.pid_of(0).await;
        let (header, mut log) = host.next_stream().await;
        assert_eq!(header, caisson_wire::Header::Stderr { process: caisson_wire::ProcessId(0) });
        let port = read_line(&mut log).await.parse().unwrap();
        assert_eq!(read_line(&mut log).await, "to stderr");
        let mut stream = host.connect(port).await.unwrap();
        assert_eq!(ask(&mut stream, "hello").await, "HELLO");
        match host.connect(1).await.unwrap_err() {
            caisson_wire::Connection::Refused { why, .. } => assert_eq!(why, Refusal::Unreachable),
            caisson_wire::Connection::Open | caisson_wire::Connection::Beside { .. } => unreachable!(),
        }
        let mut session = host.session(7).await;
        host.expect(|event| matches!(event, AirlockEvent::StartFailed { .. })).await;
        assert!(session.read_u8().await.is_err());
        host.order(Order::Signal { process: caisson_wire::ProcessId(0), signal: 15 }).await;
        assert_eq!(host.exit_of(0).await, caisson_wire::Exit::Signal(15));
    });
}
