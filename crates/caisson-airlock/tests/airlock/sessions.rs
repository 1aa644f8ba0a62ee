use std::time::Duration;

use caisson_wire::{AirlockEvent, Command, Exit, Header, ProcessId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use crate::harness::*;

#[test]
fn each_session_has_a_process_of_its_own() {
    within(20, async {
        let mut host = Host::launch(stdio(shell("echo $$; exec cat"), true)).await;
        let (mut one, mut two) = (host.session(1).await, host.session(2).await);
        let pids = [read_line(&mut one).await, read_line(&mut two).await];
        assert_ne!(pids[0], pids[1]);
        assert_eq!(ask(&mut one, "hello").await, "hello");
        assert_eq!(ask(&mut two, "world").await, "world");
        one.shutdown().await.unwrap();
        assert_eq!(text(&mut one).await, "");
        assert_eq!(host.exit_of(1).await, Exit::Code(0));
        assert_eq!(ask(&mut two, "still here").await, "still here");
    });
}

#[test]
fn the_spare_is_warm_untouched_and_replaced() {
    within(20, async {
        let home = tempfile::tempdir().unwrap();
        let started = home.path().join("started");
        // What a spare writes before it is taken belongs to the session that takes it.
        let script = format!("echo $$ >> {}; echo to-stderr >&2; echo $$; exec cat", started.display());
        let starts = || std::fs::read_to_string(&started).unwrap_or_default().lines().count();
        let reaches = async |n| {
            while starts() < n {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let mut host = Host::launch(stdio(shell(&script), true)).await;
        reaches(1).await;
        for session in 1..4 {
            let warm = std::fs::read_to_string(&started).unwrap().lines().last().unwrap().to_owned();
            let mut stream = host.session(session).await;
            assert_eq!(read_line(&mut stream).await, warm, "the session was given a cold process");
            assert_eq!(host.pid_of(session).await.to_string(), warm);
            let (header, mut errors) = host.next_stream().await;
            assert_eq!(header, Header::Stderr { process: ProcessId(session) });
            assert_eq!(read_line(&mut errors).await, "to-stderr");
            assert_eq!(ask(&mut stream, "hello").await, "hello");
            reaches(usize::try_from(session).unwrap() + 1).await;
        }
        sleep(Duration::from_millis(700)).await;
        assert_eq!(starts(), 4, "one spare, and one for each session");
    });
}

#[test]
fn a_spare_that_ends_at_once_is_told_of_and_not_started_over_and_over() {
    within(20, async {
        let home = tempfile::tempdir().unwrap();
        let started = home.path().join("started");
        let script = format!("echo x >> {}; echo no config >&2; exit 3", started.display());
        let mut host = Host::launch(stdio(shell(&script), true)).await;
        assert_eq!(host.exit_of(0).await, Exit::Code(3));
        let (header, mut errors) = host.next_stream().await;
        assert_eq!(header, Header::Stderr { process: ProcessId(0) });
        assert_eq!(text(&mut errors).await, "no config\n");
        sleep(Duration::from_millis(1200)).await;
        assert_eq!(std::fs::read_to_string(&started).unwrap().lines().count(), 1);
        // The next session has a process all the same, and its own end.
        let mut session = host.session(1).await;
        assert_eq!(text(&mut session).await, "");
        assert_eq!(host.exit_of(1).await, Exit::Code(3));
    });
}

#[test]
fn exits_are_told_as_they_are() {
    within(20, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        for (process, script, exit) in [
            (1, "exit 0", Exit::Code(0)),
            (2, "exit 42", Exit::Code(42)),
            (3, "kill -TERM $$", Exit::Signal(15)),
            (4, "kill -KILL $$", Exit::Signal(9)),
        ] {
            assert_eq!(host.run(process, script).await, "");
            assert_eq!(host.exit_of(process).await, exit, "{script}");
        }
        let bad = Command { argv: vec!["no-such-program".into()], ..shell("") };
        let mut stream = host.exec(5, bad).await;
        assert!(stream.read_u8().await.is_err());
        let event = host.expect(|event| matches!(event, AirlockEvent::StartFailed { .. })).await;
        assert!(format!("{event:?}").contains("no-such-program"), "{event:?}");
    });
}

#[test]
fn a_name_can_be_used_again_but_not_twice_at_once() {
    within(20, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        let mut first = host.session(1).await;
        assert_eq!(ask(&mut first, "a").await, "a");
        let mut second = host.session(1).await;
        host.expect(|event| matches!(event, AirlockEvent::StartFailed { process: ProcessId(1), .. })).await;
        assert!(second.read_u8().await.is_err());
        assert_eq!(ask(&mut first, "b").await, "b");
        first.shutdown().await.unwrap();
        host.exit_of(1).await;
        assert_eq!(ask(&mut host.session(1).await, "c").await, "c");
    });
}

#[test]
fn processes_are_bounded() {
    within(60, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        let mut held = Vec::new();
        for process in 1..=120 {
            held.push(host.session(process).await);
        }
        let event = host.expect(|event| matches!(event, AirlockEvent::StartFailed { .. })).await;
        assert!(format!("{event:?}").contains("the most there may be"), "{event:?}");
        assert_eq!(ask(&mut held[0], "alive").await, "alive");
    });
}

#[test]
fn nothing_is_inherited_but_what_was_sent() {
    within(20, async {
        let host = Host::launch(stdio(command(&["cat"]), false)).await;
        assert_eq!(text(&mut host.exec(1, command(&["env"])).await).await, "PATH=/usr/bin:/bin\n");
        // What whoever runs the tests left open for children, and no descriptor of the airlock's.
        let list = "ls /proc/self/fd | tr '\\n' ' '";
        let inherited = std::process::Command::new("sh").args(["-c", list]).output().unwrap().stdout;
        assert_eq!(host.run(2, list).await, String::from_utf8(inherited).unwrap());
        let command = Command { cwd: Some("/usr".into()), ..command(&["sh", "-c", "pwd"]) };
        assert_eq!(text(&mut host.exec(3, command).await).await, "/usr\n");
        // SIGPIPE as it should be: `yes` ends when nobody reads.
        let ended = timeout(Duration::from_secs(5), host.run(4, "yes | head -1; trap")).await.unwrap();
        assert_eq!(ended, "y\n");
    });
}

#[test]
fn a_flood_waits_for_a_slow_reader_and_nothing_is_lost() {
    within(60, async {
        let host = Host::launch(stdio(command(&["cat"]), false)).await;
        let total: u64 = 64 << 20;
        let mut stream = host.exec(1, shell(&format!("head -c {total} /dev/zero"))).await;
        sleep(Duration::from_secs(1)).await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", host.airlock.id().unwrap())).unwrap();
        let resident = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kib: u64 = resident.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kib < 24 << 10, "{resident}");
        let mut read = 0;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                n => read += n as u64,
            }
        }
        assert_eq!(read, total);
    });
}

#[test]
fn a_large_message_goes_there_and_back() {
    within(30, async {
        let host = Host::launch(stdio(command(&["cat"]), false)).await;
        let (mut from, mut to) = tokio::io::split(host.session(1).await);
        let sent: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        });
        let mut back = Vec::new();
        from.read_to_end(&mut back).await.unwrap();
        writing.await.unwrap();
        assert!(back == expected);
    });
}

#[test]
fn a_process_that_closed_its_input_leaves_nobody_waiting() {
    within(20, async {
        let host = Host::launch(stdio(command(&["cat"]), false)).await;
        let mut stream = host.exec(1, shell("exec 0<&-; echo closed; sleep 3; echo done")).await;
        assert_eq!(read_line(&mut stream).await, "closed");
        let flood = timeout(Duration::from_secs(2), stream.write_all(&vec![0; 4 << 20])).await;
        assert!(flood.is_ok(), "the host was left waiting");
        assert_eq!(text(&mut stream).await, "done\n");
    });
}

#[test]
fn output_is_read_to_the_end_before_the_exit_is_told() {
    within(30, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        let mut stream = host.exec(1, shell("head -c 3000000 /dev/zero; echo last >&2; exit 9")).await;
        stream.shutdown().await.unwrap();
        sleep(Duration::from_millis(600)).await;
        assert_eq!(text(&mut stream).await.len(), 3_000_000);
        let (_, mut errors) = host.next_stream().await;
        assert_eq!(text(&mut errors).await, "last\n");
        assert_eq!(host.exit_of(1).await, Exit::Code(9));
    });
}
