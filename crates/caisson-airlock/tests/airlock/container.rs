//! What only shows where the airlock is PID 1. `CAISSON_AIRLOCK_CONTAINER` says how to run one, as a command
//! line without quoting, in an image that has a POSIX shell and the usual tools, such as busybox:
//!
//! ```sh
//! CAISSON_AIRLOCK_CONTAINER="docker run -i --rm --network none --user 65532:65532 --cap-drop ALL
//!   --security-opt no-new-privileges --read-only --tmpfs /run:mode=1777 -v /path/to/folder:/caisson:ro
//!   busybox /caisson/caisson-airlock" cargo nextest run -p caisson-airlock container
//! ```

use caisson_wire::{AirlockEvent, FileMode, Launch, Mode, Order};
use tokio::time::{Duration, sleep};

use crate::harness::*;

async fn container() -> Option<Host> {
    let Some(run) = std::env::var_os("CAISSON_AIRLOCK_CONTAINER") else {
        println!("skipped: CAISSON_AIRLOCK_CONTAINER does not say how to run a container");
        return None;
    };
    let run = run.into_string().unwrap();
    let mut given = command(&["sh"]);
    given.env.insert("GIVEN".into(), "hunter2".into());
    let launch = Launch {
        mode: Mode::Exec,
        egress: rules(&[("api.example.com", 443)]),
        files: vec![file(std::path::Path::new("/run/secrets/TOKEN"), "hunter2", FileMode::Secret)],
        ..stdio(given, false)
    };
    let argv: Vec<_> = run.split_whitespace().collect();
    Some(Host::start_exactly(&argv).await.launched(launch).await)
}

/// gVisor knows no processes that are not dumpable in `/proc`, and lets PID 1 be killed from inside. There a
/// server that reaches for the pipe can break it, and so end itself, or speak on it as its airlock does: the
/// host takes the airlock for hostile anyway, and checks again whatever goes out.
fn gvisor() -> bool {
    std::env::var_os("CAISSON_AIRLOCK_CONTAINER").is_some_and(|run| run.to_string_lossy().contains("runsc"))
}

#[test]
fn the_airlock_is_out_of_reach() {
    within(60, async {
        let Some(host) = container().await else { return };
        let files =
            if gvisor() { "mem stack" } else { "fd/$(seq -s ' fd/' 0 20) environ mem maps stack cwd exe" };
        let tries = format!(
            "id -u; for f in {files}; do \
                timeout 1 cat /proc/1/$f >/dev/null 2>&1 && echo read $f; \
                (echo x > /proc/1/$f) 2>/dev/null && echo wrote $f; done; \
            ls /proc/self/fd >/dev/null && cat /proc/self/environ >/dev/null && echo own; \
            env | sort"
        );
        assert_eq!(host.run(1, &tries).await, "65532\nown\nPATH=/usr/bin:/bin\nPWD=/\nSHLVL=1\n");
    });
}

#[test]
fn pid_1_outlives_what_its_children_do_to_it() {
    within(60, async {
        let Some(mut host) = container().await else { return };
        if !gvisor() {
            let signals = "for s in KILL STOP INT HUP QUIT USR1 USR2 ABRT SEGV PIPE ALRM TSTP CHLD; do \
                kill -$s 1; done; echo sent";
            assert_eq!(host.run(1, signals).await, "sent\n");
            host.order(Order::Ping).await;
            host.expect(|event| event == &AirlockEvent::Pong).await;
        }
        let forks = "i=0; while [ $i -lt 1000 ]; do (true &) ; i=$((i+1)); done; echo done";
        assert_eq!(host.run(2, forks).await, "done\n");
        sleep(Duration::from_millis(500)).await;
        let zombies = "for s in /proc/[0-9]*/stat; do cat $s; done 2>/dev/null | grep -c ') Z'";
        assert_eq!(host.run(3, zombies).await, "0\n");
    });
}

#[test]
fn names_are_answered_without_privileges() {
    within(60, async {
        let Some(mut host) = container().await else { return };
        let lookup = "nslookup api.example.com 127.0.0.1 2>&1 | grep -o '127.77.*' | head -1; \
            nslookup evil.example.com 127.0.0.1 >/dev/null 2>&1 || echo none; \
            printf 'CONNECT evil.example.com:443 HTTP/1.1\\r\\n\\r\\n' | nc 127.0.0.1 3128 | head -1";
        let found = host.run(1, lookup).await;
        assert_eq!(found, "127.77.0.1\nnone\nHTTP/1.1 403 Forbidden\r\n");
        let told = host.expect(|event| matches!(event, AirlockEvent::Refused { .. })).await;
        assert_eq!(told, AirlockEvent::Refused { host: "evil.example.com".into(), port: 0 });
    });
}

#[test]
fn secrets_are_files_for_the_server_alone() {
    within(60, async {
        let Some(host) = container().await else { return };
        let look = "cat /run/secrets/TOKEN; echo; stat -c %a /run/secrets /run/secrets/TOKEN";
        assert_eq!(host.run(1, look).await, "hunter2\n700\n400\n");
    });
}
