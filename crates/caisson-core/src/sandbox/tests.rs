//! A server's life and its sessions, with an engine and an airlock that do what each test says.

mod fake;
#[cfg(unix)]
mod real;

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;

use self::fake::{Fake, Script};
use super::*;
use crate::{
    gate,
    model::{LifeSettings, Limits, Permissions, SecretGrant, SecretPlace, Source, Transport},
};

/// A first message of neither era: the session is the server's own.
const RAW: &[u8] = b"{}";

fn name() -> ServerName {
    "echo".parse().unwrap()
}

fn server() -> Server {
    Server {
        source: Source::Example,
        image: crate::model::Digest::of(b"image"),
        command: vec!["/server".into()],
        env: BTreeMap::new(),
        workdir: None,
        transport: Transport::Stdio,
        permissions: Permissions::default(),
        limits: Limits::default(),
        life: LifeSettings { idle_stop: 60, start_timeout: 5, restarts: 2, ..LifeSettings::default() },
    }
}

fn open() -> Permit {
    gate::permit_for_test(name(), Permitted::Session)
}

fn message() -> Permit {
    gate::permit_for_test(name(), Permitted::Message)
}

/// A session's error; a test that gets a session fails.
async fn refused(sandbox: &Sandbox) -> String {
    sandbox.open_session(open(), RAW).await.unwrap_err().to_string()
}

async fn next(receiver: &mut SessionReceiver) -> Option<Result<String, String>> {
    let message = timeout(Duration::from_secs(10), receiver.next()).await.expect("a message in time")?;
    Some(message.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).map_err(|error| error.to_string()))
}

async fn settled(sandbox: &Sandbox, wanted: impl Fn(&ServerState) -> bool) -> ServerState {
    let mut state = sandbox.handle(&name(), |handle| handle.state.clone()).unwrap();
    let reached = timeout(Duration::from_secs(120), state.wait_for(wanted)).await;
    reached.expect("the state in time").unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn the_first_session_starts_the_server_and_messages_cross_both_ways() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    assert_eq!(sandbox.state(&name()), Some(ServerState::Stopped));
    let (sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    settled(&sandbox, |state| *state == ServerState::Running { sessions: 1 }).await;
    sender.send(message(), b"{\"id\":1,\n\"x\":\"\xc3\xa9\"}").await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{\"id\":1, \"x\":\"é\"}".into())));
    drop(sender);
    assert_eq!(next(&mut receiver).await, None);
    drop(receiver);
    settled(&sandbox, |state| *state == ServerState::Running { sessions: 0 }).await;
    // Nobody uses it: time passes by itself, and it is stopped.
    settled(&sandbox, |state| *state == ServerState::Stopped).await;
    assert_eq!((fake.started(), fake.running()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn sessions_have_processes_of_their_own_in_one_container() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    let opened = join_all((0..8).map(|_| sandbox.open_session(open(), RAW))).await;
    let sessions: Vec<_> = opened.into_iter().map(|session| session.unwrap().split()).collect();
    for (number, (sender, _)) in sessions.iter().enumerate() {
        sender.send(message(), format!("{{\"n\":{number}}}").as_bytes()).await.unwrap();
    }
    for (number, (_, mut receiver)) in sessions.into_iter().enumerate() {
        assert_eq!(next(&mut receiver).await, Some(Ok(format!("{{\"n\":{number}}}"))));
    }
    assert_eq!(fake.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_for_one_thing_with_one_server() {
    let sandbox = Fake::new(Script::Echo).sandbox(server());
    assert!(matches!(sandbox.open_session(message(), RAW).await, Err(SandboxError::WrongPermit)));
    let other = gate::permit_for_test("other".parse().unwrap(), Permitted::Session);
    assert!(matches!(sandbox.open_session(other, RAW).await, Err(SandboxError::NoSuchServer(_))));
    let (sender, _receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    let other = gate::permit_for_test("other".parse().unwrap(), Permitted::Message);
    assert!(matches!(sender.send(other, b"{}").await, Err(SessionError::WrongPermit)));
    assert!(matches!(sender.send(open(), b"{}").await, Err(SessionError::WrongPermit)));
    let large = vec![b' '; MOST_MESSAGE + 1];
    assert!(matches!(sender.send(message(), &large).await, Err(SessionError::TooLarge(_))));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_exits_at_once_says_why_and_is_given_up_after_some_tries() {
    let fake = Fake::new(Script::ExitAtOnce);
    let sandbox = fake.sandbox(server());
    for _ in 0..3 {
        let (_sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
        let error = next(&mut receiver).await.unwrap().unwrap_err();
        assert_eq!(error, "the server has ended: its process ended with exit code 3; it said: no API key");
        assert_eq!(next(&mut receiver).await, None);
        tokio::task::yield_now().await;
    }
    let state = settled(&sandbox, |state| matches!(state, ServerState::Failed { .. })).await;
    assert!(matches!(state, ServerState::Failed { reason } if reason.contains("no API key")));
    let error = refused(&sandbox).await;
    assert!(error.contains("failed too often") && error.contains("no API key"), "{error}");
    assert_eq!(fake.running(), 0);
    // A new definition, or the user's word, is a new chance.
    fake.play(Script::Echo);
    sandbox.start(&name()).await.unwrap();
    sandbox.open_session(open(), RAW).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_has_so_many_sessions_and_no_more() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    let mut sessions = Vec::new();
    let full = loop {
        match sandbox.open_session(open(), RAW).await {
            Ok(session) => sessions.push(session.split()),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SandboxError::Full { sessions: 100, .. }), "{full}");
    assert_eq!(sessions.len(), 100);
    let (sender, mut receiver) = sessions.pop().unwrap();
    sender.send(message(), b"{}").await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{}".into())));
    drop((sender, receiver));
    sandbox.open_session(open(), RAW).await.unwrap();
    assert_eq!(fake.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_room_for_a_process_is_no_failure_of_the_server() {
    let fake = Fake::new(Script::NoRoom);
    let sandbox = fake.sandbox(server());
    for _ in 0..5 {
        let (_sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
        let error = next(&mut receiver).await.unwrap().unwrap_err();
        assert!(error.contains("64 processes run already"), "{error}");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sandbox.state(&name()), Some(ServerState::Running { sessions: 0 }));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_takes_its_sessions_along_and_comes_back() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    let (sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    sender.send(message(), b"{}").await.unwrap();
    next(&mut receiver).await.unwrap().unwrap();
    let mut events = fake.events();
    fake.end_container("it needed more than its 512 MiB of memory");
    let error = next(&mut receiver).await.unwrap().unwrap_err();
    assert!(error.contains("512 MiB of memory"), "{error}");
    let backoff = async {
        loop {
            if let Event::State { state: ServerState::Backoff { failures, reason }, .. } =
                events.recv().await.unwrap()
            {
                return (failures, reason);
            }
        }
    };
    let (failures, reason) = backoff.await;
    assert!(failures == 1 && reason.contains("memory"), "{reason}");
    // A session that comes while it waits is served by the next start.
    let (sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    sender.send(message(), b"{}").await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{}".into())));
    assert_eq!((fake.started(), fake.running()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_launched_is_said_and_tried_again_on_the_next_use() {
    let fake = Fake::new(Script::LaunchFails);
    let sandbox = fake.sandbox(server());
    let error = refused(&sandbox).await;
    assert!(error.contains("no such folder"), "{error}");
    assert!(matches!(sandbox.state(&name()), Some(ServerState::Failed { .. })));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!((fake.started(), fake.running()), (1, 0));
    fake.play(Script::Echo);
    sandbox.open_session(open(), RAW).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_airlock_that_never_answers_is_not_waited_for() {
    let fake = Fake::new(Script::Silent);
    let sandbox = fake.sandbox(server());
    let error = refused(&sandbox).await;
    assert!(error.contains("within 5 seconds"), "{error}");
    sandbox.stop(&name()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(fake.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_not_set_stops_the_start_and_says_what_to_do() {
    let fake = Fake::new(Script::Echo);
    let mut server = server();
    server.permissions.secrets.push(SecretGrant { name: "TOKEN".parse().unwrap(), place: SecretPlace::Env });
    let sandbox = fake.sandbox(server);
    let error = refused(&sandbox).await;
    assert!(error.contains("caisson secret set echo TOKEN"), "{error}");
    assert!(matches!(sandbox.state(&name()), Some(ServerState::Failed { .. })));
    assert_eq!(fake.started(), 0);
    fake.set_secret("TOKEN", "s3cr3t");
    sandbox.open_session(open(), RAW).await.unwrap();
    let launch = fake.launch();
    assert_eq!(launch.command.env["TOKEN"].expose(), b"s3cr3t");
    assert!(!format!("{launch:?}").contains("s3cr3t"));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_the_server_prints_stands_in_no_log_and_no_error() {
    let fake = Fake::new(Script::ExitAtOnce);
    let mut server = server();
    server.permissions.secrets.push(SecretGrant { name: "TOKEN".parse().unwrap(), place: SecretPlace::Env });
    fake.set_secret("TOKEN", "API key");
    let sandbox = fake.sandbox(server);
    let (_sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    let error = next(&mut receiver).await.unwrap().unwrap_err();
    assert!(error.ends_with("it said: no [secret TOKEN]"), "{error}");
    let lines = sandbox.logs(&name()).unwrap().lines;
    assert!(lines.iter().all(|line| !line.text.contains("API key")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn garbage_is_skipped_counted_and_logged() {
    let sandbox = Fake::new(Script::Garbage).sandbox(server());
    let (sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    sender.send(message(), b"{\"id\":1}").await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{\"id\":1}".into())));
    let lines = sandbox.logs(&name()).unwrap().lines;
    let shown = |text: &str| lines.iter().any(|line| line.text.contains(text));
    assert!(shown("not a message, skipped: Server ready \\u{1b}[2J"), "{lines:?}");
    assert!(shown("1024 lines on standard output were no messages"), "{lines:?}");
    assert!(lines.len() < 100, "{}", lines.len());
}

#[tokio::test(start_paused = true)]
async fn a_line_without_end_ends_the_session() {
    let sandbox = Fake::new(Script::EndlessLine).sandbox(server());
    let (_sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    let error = next(&mut receiver).await.unwrap().unwrap_err();
    assert!(error.contains("larger than 16 MiB"), "{error}");
    assert_eq!(next(&mut receiver).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_flood_waits_in_the_pipe_until_it_is_read() {
    let fake = Fake::new(Script::Flood);
    let sandbox = fake.sandbox(server());
    let (_sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let held = fake.flooded();
    assert!(held < 4 << 20, "{held} bytes were taken though nobody reads");
    for _ in 0..1000 {
        assert!(next(&mut receiver).await.unwrap().unwrap().starts_with("{\"flood\":"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_gives_up_in_the_middle_loses_nothing() {
    let sandbox = Fake::new(Script::Drip).sandbox(server());
    let (_sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    let mut read = Vec::new();
    while read.len() < 20 {
        if let Ok(message) = timeout(Duration::from_millis(7), receiver.next()).await {
            read.push(String::from_utf8(message.unwrap().unwrap().to_vec()).unwrap());
        }
    }
    let meant: Vec<String> = (0..20).map(|number| format!("{{\"drip\":{number}}}")).collect();
    assert_eq!(read, meant);
}

#[tokio::test(start_paused = true)]
async fn pause_stops_all_and_starts_none() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    let (_sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    sandbox.pause(true).await;
    assert_eq!((sandbox.state(&name()), fake.running()), (Some(ServerState::Stopped), 0));
    assert!(next(&mut receiver).await.unwrap().is_err());
    assert!(matches!(sandbox.open_session(open(), RAW).await, Err(SandboxError::Paused)));
    assert!(matches!(sandbox.start(&name()).await, Err(SandboxError::Paused)));
    sandbox.pause(false).await;
    sandbox.open_session(open(), RAW).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn pause_holds_for_a_session_that_began_before() {
    let fake = Fake::new(Script::Mcp);
    let sandbox = fake.sandbox(server());
    sandbox.learn(&name()).await.unwrap();
    sandbox.stop(&name()).await.unwrap();
    let started = fake.started();
    let hello = br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
    let (sender, mut receiver) = sandbox.open_session(open(), hello).await.unwrap().split();
    sender.send(message(), hello).await.unwrap();
    assert!(next(&mut receiver).await.unwrap().unwrap().contains("protocolVersion"));
    sandbox.pause(true).await;
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;
    sender.send(message(), call).await.unwrap();
    let refused = next(&mut receiver).await.unwrap().unwrap();
    assert!(refused.contains("-32000") && refused.contains("paused"), "{refused}");
    assert_eq!((fake.started(), fake.running()), (started, 0));
    sandbox.pause(false).await;
    sender.send(message(), call).await.unwrap();
    assert!(next(&mut receiver).await.unwrap().unwrap().contains("result"));
}

#[tokio::test(start_paused = true)]
async fn what_is_always_on_runs_again_after_a_change_a_pause_and_a_failure() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    let runs = |state: &ServerState| matches!(state, ServerState::Running { .. });
    let mut always = server();
    always.life.always_on = true;
    sandbox.define(&name(), always.clone());
    settled(&sandbox, runs).await;
    sandbox.pause(true).await;
    sandbox.define(&name(), server());
    sandbox.define(&name(), always.clone());
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!((sandbox.state(&name()), fake.running()), (Some(ServerState::Stopped), 0));
    sandbox.pause(false).await;
    settled(&sandbox, runs).await;

    always.permissions.secrets.push(SecretGrant { name: "TOKEN".parse().unwrap(), place: SecretPlace::Env });
    sandbox.define(&name(), always);
    sandbox.restart(&name()).await.unwrap_err();
    settled(&sandbox, |state| matches!(state, ServerState::Failed { .. })).await;
    fake.set_secret("TOKEN", "s3cr3t");
    settled(&sandbox, runs).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_predecessor_left_is_swept_away_and_nothing_else() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    fake.set_names(&["stuck", "left"]);
    sandbox.start(&name()).await.unwrap();
    let names = fake.names();
    assert_eq!((names.len(), names[0].as_str()), (2, "stuck"), "{names:?}");
    // It is tried again, and what runs by then is not an earlier run's.
    fake.set_names(&[&names[1], "left"]);
    sandbox.sweep().await;
    assert_eq!(fake.names(), [names[1].as_str()]);
}

#[tokio::test(start_paused = true)]
async fn restart_and_shutdown_leave_one_container_and_none() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    sandbox.start(&name()).await.unwrap();
    sandbox.restart(&name()).await.unwrap();
    assert_eq!((fake.started(), fake.running()), (2, 1));
    sandbox.shutdown().await;
    assert_eq!(fake.running(), 0);
    assert!(matches!(sandbox.start(&name()).await, Err(SandboxError::ShutDown)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_wish_to_stop_is_killed() {
    let fake = Fake::new(Script::Stubborn);
    let sandbox = fake.sandbox(server());
    sandbox.start(&name()).await.unwrap();
    sandbox.stop(&name()).await.unwrap();
    assert_eq!((sandbox.state(&name()), fake.running()), (Some(ServerState::Stopped), 0));
}

#[tokio::test(start_paused = true)]
async fn when_the_sandbox_is_dropped_the_pipe_closes() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    sandbox.start(&name()).await.unwrap();
    drop(sandbox);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(fake.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn changed_hosts_are_in_force_at_once() {
    let fake = Fake::new(Script::Egress);
    let sandbox = fake.sandbox(server());
    let (sender, mut receiver) = sandbox.open_session(open(), RAW).await.unwrap().split();
    let mut events = fake.events();
    let target = fake.target().await;
    let ask = |host: &str| format!("{{\"host\":\"{host}\",\"port\":{}}}", target);
    sender.send(message(), ask("a.example").as_bytes()).await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{\"egress\":\"forbidden\"}".into())));
    let refused = async {
        loop {
            if let Event::EgressRefused { host, .. } = events.recv().await.unwrap() {
                return host;
            }
        }
    };
    assert_eq!(refused.await, "a.example");

    let mut granted = server();
    granted.permissions.hosts =
        ["a.example", "127.0.0.1"].map(|host| format!("{host}:{target}").parse().unwrap()).into();
    sandbox.define(&name(), granted);
    let told = fake.told(1).await;
    assert_eq!(
        told.rules.iter().map(|rule| rule.host.to_string()).collect::<Vec<_>>(),
        ["a.example", "127.0.0.1"]
    );
    sender.send(message(), ask("a.example").as_bytes()).await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{\"egress\":\"hello\"}".into())));
    sender.send(message(), ask("b.example").as_bytes()).await.unwrap();
    assert_eq!(next(&mut receiver).await, Some(Ok("{\"egress\":\"forbidden\"}".into())));
    assert_eq!(fake.started(), 1, "the container went on");
}

#[tokio::test(start_paused = true)]
async fn an_install_runs_commands_and_is_gone_when_dropped() {
    let fake = Fake::new(Script::Echo);
    let sandbox = fake.sandbox(server());
    let needs = InstallNeeds {
        image: crate::model::Digest::of(b"base"),
        root: false,
        limits: InstallNeeds::limits(),
    };
    let plan = Plan::for_install(&name(), &needs, &fake::facts(), "home1234").unwrap();
    let install = sandbox.run_install(plan, Vec::new(), Vec::new()).await.unwrap();
    let mut seen = Vec::new();
    let command = caisson_wire::Command { argv: vec!["hello".into()], env: BTreeMap::new(), cwd: None };
    let output = install.exec(command, |bytes| seen.extend_from_slice(bytes)).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(output.exit, caisson_wire::Exit::Code(0));
    assert_eq!(seen.len(), 8);
    drop(install);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((fake.running(), fake.removed()), (0, 1));

    let plan = sandbox.plan(&name()).await.unwrap();
    assert!(
        sandbox.run_install(plan, Vec::new(), Vec::new()).await.is_err(),
        "a server's plan is no install's"
    );
}
