//! A frame is read back as written, and whatever else arrives is an error, soon.

#![cfg(test)]

use std::time::Duration;

use caisson_wire::{
    AirlockEvent, Command, Egress, EgressRule, FileMode, Header, HostPattern, Launch, LaunchFile, Mode,
    Order, ProcessId, ProcessLimits, SessionFolders,
    frame::{self, FrameError},
};
use proptest::{collection::vec, prelude::*};

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), future).await }).unwrap()
}

fn command() -> impl Strategy<Value = Command> {
    let env = proptest::collection::btree_map(".*", vec(any::<u8>(), 0..64), 0..4);
    (vec(".*", 0..4), env, proptest::option::of(".*")).prop_map(|(argv, env, cwd)| Command {
        argv,
        env: env.into_iter().map(|(name, value)| (name, value.into())).collect(),
        cwd,
    })
}

fn launch() -> impl Strategy<Value = Launch> {
    let file = (".*", vec(any::<u8>(), 0..64)).prop_map(|(path, content)| LaunchFile {
        path,
        content: content.into(),
        mode: FileMode::Secret,
    });
    let host = prop_oneof![
        "[a-z]{1,9}(\\.[a-z]{1,9}){0,3}",
        "\\*\\.[a-z]{1,9}\\.[a-z]{1,9}",
        any::<std::net::IpAddr>().prop_map(|address| address.to_string())
    ];
    let host = host.prop_map(|host| host.parse::<HostPattern>().unwrap());
    let name = (host, any::<u16>()).prop_map(|(host, port)| EgressRule { host, port });
    let limits = any::<[Option<u64>; 3]>().prop_map(|[files, processes, core]| ProcessLimits {
        files,
        processes,
        core,
    });
    let sessions = proptest::option::of((".*", ".*", ".*"))
        .prop_map(|of| of.map(|(root, prefix, variable)| SessionFolders { root, prefix, variable }));
    (command(), vec(file, 0..3), vec(name, 0..3), any::<bool>(), limits, sessions, any::<u64>()).prop_map(
        |(command, files, egress, spare, limits, sessions, grace_ms)| Launch {
            mode: Mode::Stdio { spare },
            command,
            files,
            egress: Egress { rules: egress, learning: spare },
            limits,
            sessions,
            grace_ms,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(launch in launch(), command in command(), process in any::<u64>()) {
        run(async {
            let mut bytes = Vec::new();
            let order = Order::Launch(launch);
            let header = Header::Exec { process: ProcessId(process), command };
            frame::write(&mut bytes, &order).await.unwrap();
            frame::write(&mut bytes, &header).await.unwrap();
            let mut from = bytes.as_slice();
            assert_eq!(frame::read::<Order, _>(&mut from).await.unwrap(), Some(order));
            assert_eq!(frame::read::<Header, _>(&mut from).await.unwrap(), Some(header));
            assert_eq!(frame::read::<Header, _>(&mut from).await.unwrap(), None);
        });
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..512)) {
        run(async {
            let mut from = bytes.as_slice();
            while let Ok(Some(_)) = frame::read::<AirlockEvent, _>(&mut from).await {}
        });
    }

    #[test]
    fn a_frame_cut_short_is_an_error(header in command(), cut in any::<prop::sample::Index>()) {
        run(async {
            let mut bytes = Vec::new();
            frame::write(&mut bytes, &header).await.unwrap();
            let cut = 1 + cut.index(bytes.len() - 1);
            let read = frame::read::<Command, _>(&mut &bytes[..cut]).await;
            prop_assert!(matches!(read, Err(FrameError::Io(_))), "{:?}", read);
            Ok(())
        })?;
    }

    #[test]
    fn a_frame_too_large_is_refused_by_its_length(over in 1u32..) {
        let length = u32::try_from(frame::LARGEST).unwrap().saturating_add(over);
        let read = run(async { frame::read::<Order, _>(&mut length.to_be_bytes().as_slice()).await });
        prop_assert!(matches!(read, Err(FrameError::TooLarge(_))), "{:?}", read);
    }
}

#[test]
fn a_message_too_large_is_not_written() {
    let mut bytes = Vec::new();
    let event = AirlockEvent::Warning { text: "x".repeat(frame::LARGEST) };
    assert!(matches!(run(frame::write(&mut bytes, &event)), Err(FrameError::TooLarge(_))));
    assert!(bytes.is_empty());
}

#[test]
fn values_never_show_in_debug_output() {
    let command = Command {
        argv: vec!["server".into()],
        env: [("TOKEN".to_owned(), "hunter2".into())].into(),
        cwd: None,
    };
    let file =
        LaunchFile { path: "/run/secrets/A".into(), content: "hunter2".into(), mode: FileMode::Secret };
    let shown = format!("{command:?} {file:?}");
    assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains(&format!("{:?}", b"hunter2")), "{shown}");
}
