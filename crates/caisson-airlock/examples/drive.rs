//! Drives an airlock by hand, as Caisson does: one session, between standard input and output.
//!
//! ```sh
//! cargo run -p caisson-airlock --example drive -- [HOST:PORT]... -- COMMAND THAT RUNS AN AIRLOCK -- SERVER
//! ```
//!
//! Events, and what the server writes to standard error, go to standard error. Connections to the named hosts
//! are asked for and refused: this is not the way out.

use std::{error::Error, process::Stdio};

use caisson_wire::{
    AirlockEvent, Command, Connection, Egress, EgressRule, Header, Incoming, Launch, Mode, Mux, Order,
    ProcessId, ProcessLimits, Refusal, Stream, frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split, stderr, stdin, stdout};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [hosts, airlock, server] = arguments.split(|argument| argument == "--").collect::<Vec<_>>()[..]
    else {
        return Err("usage: drive [HOST:PORT]... -- COMMAND THAT RUNS AN AIRLOCK -- SERVER".into());
    };
    let (program, rest) = airlock.split_first().ok_or("which command runs an airlock?")?;
    let mut airlock = tokio::process::Command::new(program);
    let mut airlock = airlock.args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (from, to) = (airlock.stdout.take().ok_or("no pipe")?, airlock.stdin.take().ok_or("no pipe")?);
    let Mux { opener, incoming, driver: _ } = Mux::host(tokio::io::join(from, to));
    tokio::spawn(take_streams(incoming));

    let mut control = opener.open().await?;
    frame::write(&mut control, &Header::Control).await?;
    let (mut events, mut orders) = split(control);
    frame::write(&mut orders, &Order::Launch(launch(hosts, server)?)).await?;
    let mut session = opener.open().await?;
    frame::write(&mut session, &Header::Session { process: ProcessId(1) }).await?;
    let (mut output, mut input) = split(session);
    tokio::spawn(async move {
        drop(copy(&mut stdin(), &mut input).await);
        input.shutdown().await
    });
    let printing = tokio::spawn(async move {
        let mut stdout = stdout();
        drop(copy(&mut output, &mut stdout).await);
        stdout.flush().await
    });
    while let Some(event) = frame::read::<AirlockEvent, _>(&mut events).await? {
        say(&format!("{event:?}")).await;
        if matches!(event, AirlockEvent::Exited { process: ProcessId(1), .. }) {
            break;
        }
    }
    printing.await??;
    drop(orders);
    Ok(())
}

fn launch(hosts: &[String], server: &[String]) -> Result<Launch, Box<dyn Error>> {
    let name = |rule: &String| {
        let (host, port) = rule.rsplit_once(':').ok_or("a host is HOST:PORT")?;
        Ok::<_, Box<dyn Error>>(EgressRule { host: host.parse()?, port: port.parse()? })
    };
    Ok(Launch {
        mode: Mode::Stdio { spare: true },
        command: Command {
            argv: server.to_vec(),
            env: [("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin:/".into())].into(),
            cwd: None,
        },
        files: Vec::new(),
        egress: Egress { rules: hosts.iter().map(name).collect::<Result<_, _>>()?, learning: false },
        limits: ProcessLimits::default(),
        sessions: None,
        grace_ms: 1000,
    })
}

async fn take_streams(mut incoming: Incoming) {
    while let Some(stream) = incoming.next().await {
        tokio::spawn(take(stream));
    }
}

async fn take(mut stream: Stream) {
    match frame::read(&mut stream).await {
        Ok(Some(Header::Stderr { process: _ })) => drop(copy(&mut stream, &mut stderr()).await),
        Ok(Some(header @ Header::Egress { .. })) => {
            say(&format!("{header:?}")).await;
            let detail = "nothing is connected here".to_owned();
            let refused = Connection::Refused { why: Refusal::Unreachable, detail };
            drop(frame::write(&mut stream, &refused).await);
            drop(stream.shutdown().await);
        }
        other => say(&format!("{other:?}")).await,
    }
    drop(stream.read_u8().await);
}

async fn say(text: &str) {
    // Where nobody listens, nothing is missed.
    drop(stderr().write_all(format!("drive: {text}\n").as_bytes()).await);
}
