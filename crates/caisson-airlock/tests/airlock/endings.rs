use std::time::{Duration, Instant};

use caisson_wire::{Exit, Order, ProcessId};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};

use crate::harness::*;

/// Ignores its input's end and SIGTERM, and so does what it starts.
const STUBBORN: &str =
    "trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo $!; while :; do sleep 0.05; done";

#[test]
fn everything_ends_within_a_second_of_the_pipe() {
    within(20, async {
        let mut host = Host::launch(stdio(shell(STUBBORN), true)).await;
        let mut session = host.session(1).await;
        let grandchild: i32 = read_line(&mut session).await.parse().unwrap();
        let child = host.pid_of(1).await;
        assert!(lives(child) && lives(grandchild));
        let cut = Instant::now();
        host.driver.abort();
        host.airlock.wait().await.unwrap();
        gone(child).await;
        gone(grandchild).await;
        assert!(cut.elapsed() < Duration::from_secs(1), "{:?}", cut.elapsed());
    });
}

#[test]
fn the_end_of_control_ends_everything() {
    within(20, async {
        let mut host = Host::launch(stdio(shell(STUBBORN), false)).await;
        let mut session = host.session(1).await;
        let grandchild: i32 = read_line(&mut session).await.parse().unwrap();
        host.orders.shutdown().await.unwrap();
        assert!(host.airlock.wait().await.unwrap().success());
        gone(grandchild).await;
    });
}

#[test]
fn sigterm_ends_in_good_order() {
    within(20, async {
        let script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
        let mut host = Host::launch(stdio(shell(script), false)).await;
        let mut session = host.session(1).await;
        assert_eq!(read_line(&mut session).await, "ready");
        let pid = host.airlock.id().unwrap().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(timeout(Duration::from_secs(3), host.airlock.wait()).await.unwrap().unwrap().success());
    });
}

#[test]
fn a_process_has_its_grace_then_is_asked_then_is_killed() {
    within(20, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        for (process, script, exit) in [
            (1, "cat; exit 6", Exit::Code(6)),
            (2, "trap 'exit 7' TERM; while :; do sleep 0.05; done", Exit::Code(7)),
            (3, "trap '' TERM; while :; do sleep 0.05; done", Exit::Signal(9)),
        ] {
            let started = Instant::now();
            // Let go of, without a half-close.
            drop(host.exec(process, shell(script)).await);
            assert_eq!(host.exit_of(process).await, exit, "{script}");
            assert!(started.elapsed() < Duration::from_secs(2));
        }
    });
}

#[test]
fn a_session_ends_with_its_input_and_a_command_does_not() {
    within(20, async {
        let mut host = Host::launch(stdio(shell("sleep 1; echo over"), false)).await;
        let mut session = host.session(1).await;
        session.shutdown().await.unwrap();
        assert_eq!(text(&mut session).await, "");
        assert_eq!(host.exit_of(1).await, Exit::Signal(15));
        assert_eq!(host.run(2, "sleep 1; echo over").await, "over\n");
        assert_eq!(host.exit_of(2).await, Exit::Code(0));
    });
}

#[test]
fn what_a_process_leaves_running_is_killed_and_holds_nothing_up() {
    within(20, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        // The leftover holds standard output open.
        let mut stream = host.exec(1, shell("sleep 1000 & echo $!; exit 0")).await;
        let left: i32 = read_line(&mut stream).await.parse().unwrap();
        assert_eq!(text(&mut stream).await, "");
        assert_eq!(host.exit_of(1).await, Exit::Code(0));
        gone(left).await;
        // One that left the group outlives its parent, but holds nothing up.
        let mut stream = host.exec(2, shell("setsid sleep 3 & echo $!; exit 0")).await;
        read_line(&mut stream).await;
        assert_eq!(text(&mut stream).await, "");
        assert_eq!(host.exit_of(2).await, Exit::Code(0));
    });
}

#[test]
fn an_order_to_signal_reaches_all_descendants() {
    within(20, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        let mut stream = host.exec(1, shell("setsid sleep 1000 & echo $!; wait; wait")).await;
        let apart: i32 = read_line(&mut stream).await.parse().unwrap();
        let leader = host.pid_of(1).await;
        sleep(Duration::from_millis(100)).await;
        // A signal that is not one of the two does nothing.
        host.order(Order::Signal { process: ProcessId(1), signal: 19 }).await;
        host.order(Order::Signal { process: ProcessId(77), signal: 9 }).await;
        assert!(lives(leader) && lives(apart));
        host.order(Order::Signal { process: ProcessId(1), signal: 9 }).await;
        assert_eq!(host.exit_of(1).await, Exit::Signal(9));
        gone(apart).await;
    });
}

#[test]
fn orphans_are_reaped_a_thousand_of_them() {
    within(60, async {
        let host = Host::launch(stdio(command(&["cat"]), false)).await;
        let fork = "i=0; while [ $i -lt 1000 ]; do (sleep 0 &) ; i=$((i+1)); done; echo done";
        assert_eq!(host.run(1, fork).await, "done\n");
        let airlock = host.airlock.id().unwrap();
        let zombies = || {
            let children =
                std::fs::read_to_string(format!("/proc/{airlock}/task/{airlock}/children")).unwrap();
            children.split_whitespace().count()
        };
        while zombies() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(host.run(2, "echo still here").await, "still here\n");
    });
}

#[test]
fn a_host_that_reads_no_events_and_no_output_can_still_end_it() {
    within(60, async {
        let mut host = Host::launch(stdio(command(&["cat"]), false)).await;
        let mut held = Vec::new();
        for process in 0..40 {
            held.push(host.exec(process, shell("yes; yes >&2")).await);
        }
        sleep(Duration::from_millis(300)).await;
        host.orders.shutdown().await.unwrap();
        assert!(timeout(Duration::from_secs(2), host.airlock.wait()).await.is_ok());
    });
}
