//! An airlock that has turned against its host. In place of Caisson's own, it runs in a real container and says on the
//! pipe what no airlock would. Where the container has no `/mode/mode`, it becomes the honest one, which is
//! appended to its own program: so that a neighbour can be asked how it is.

mod hands;

use std::{
    error::Error,
    fs,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt as _, net::UnixStream as StdStream, process::CommandExt as _},
    },
    process::Command,
    time::Duration,
};

use caisson_wire::{AirlockEvent, Connection, Exit, Header, Mux, Opener, Order, ProcessId, Stream, frame};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, join},
    net::UnixStream,
    time::{sleep, timeout},
};

type Outcome = Result<(), Box<dyn Error>>;

trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let Ok(mode) = fs::read_to_string("/mode/mode") else { return become_honest() };
    let Met { pipe, hatch, socket } = pipe()?;
    match mode.trim() {
        "closes" => Ok(()),
        "silent" => hang().await,
        "garbage" => raw(pipe, &b"HTTP/1.1 200 OK\r\n\r\n".repeat(4096)).await,
        "yamux" => raw(pipe, &odd_yamux()).await,
        mode => match (mode.strip_prefix("pipe-"), socket) {
            (Some(how), Some(socket)) => hands::on_the_pipe(&socket, how).await,
            (Some(_), None) => Err("the pipe is no socket".into()),
            (None, _) => speak(pipe, hatch, mode).await,
        },
    }
}

/// What an airlock begins with.
struct Met {
    pipe: Box<dyn Pipe>,
    hatch: Option<OwnedFd>,
    /// The pipe's own socket.
    socket: Option<StdStream>,
}

/// The honest airlock: the end of this program, its length in the last eight bytes.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody else sees this file, in a container that is thrown away"
)]
fn become_honest() -> Outcome {
    let whole = fs::read("/proc/self/exe")?;
    let (rest, length) = whole.split_last_chunk::<8>().ok_or("nothing is appended")?;
    let start = rest.len().checked_sub(usize::from_be_bytes(*length)).ok_or("a wrong length is appended")?;
    fs::write("/tmp/airlock", rest.get(start..).unwrap_or_default())?;
    fs::set_permissions("/tmp/airlock", fs::Permissions::from_mode(0o700))?;
    Err(Command::new("/tmp/airlock").args(std::env::args_os().skip(1)).exec().into())
}

fn pipe() -> Result<Met, Box<dyn Error>> {
    Ok(match std::env::args().skip_while(|argument| argument != "--socket").nth(1) {
        Some(path) => {
            let socket = StdStream::connect(path)?;
            let hatch = hands::first_word(&socket)?;
            let pipe = socket.try_clone()?;
            pipe.set_nonblocking(true)?;
            Met { pipe: Box::new(UnixStream::from_std(pipe)?), hatch, socket: Some(socket) }
        }
        None => {
            Met { pipe: Box::new(join(tokio::io::stdin(), tokio::io::stdout())), hatch: None, socket: None }
        }
    })
}

async fn hang() -> Outcome {
    loop {
        sleep(Duration::from_secs(3600)).await;
    }
}

/// Writes bytes and stays.
async fn raw(mut pipe: Box<dyn Pipe>, bytes: &[u8]) -> Outcome {
    pipe.write_all(bytes).await?;
    pipe.flush().await?;
    hang().await
}

/// Frames of yamux (its specification, "Framing") that do not belong: of streams nobody opened, with lengths that are
/// not true, windows that overflow, a flood of pings.
fn odd_yamux() -> Vec<u8> {
    let head = |kind: u8, flags: u16, stream: u32, length: u32| {
        let mut head = vec![0, kind];
        head.extend_from_slice(&flags.to_be_bytes());
        head.extend_from_slice(&stream.to_be_bytes());
        head.extend_from_slice(&length.to_be_bytes());
        head
    };
    let mut bytes = Vec::new();
    for stream in [2u32, 77, u32::MAX] {
        bytes.extend(head(1, 0, stream, u32::MAX));
        bytes.extend(head(1, 1, stream, u32::MAX));
    }
    for number in 0..20_000 {
        bytes.extend(head(2, 1, 0, number));
    }
    bytes.extend(head(0, 1, 4, u32::MAX));
    bytes.extend(vec![0x41; 1 << 20]);
    bytes
}

/// Begins as an airlock does, then misbehaves as `mode` says.
async fn speak(pipe: Box<dyn Pipe>, hatch: Option<OwnedFd>, mode: &str) -> Outcome {
    let Mux { opener, mut incoming, driver: _ } = Mux::airlock(pipe);
    let mut control = incoming.next().await.ok_or("no control stream")?;
    let Some(Header::Control) = frame::read(&mut control).await? else { return Err("no header".into()) };
    let Some(Order::Launch(_)) = frame::read(&mut control).await? else { return Err("no launch".into()) };
    match mode {
        "huge" => control.write_all(&u32::MAX.to_be_bytes()).await?,
        "short" => {
            control.write_all(&1000u32.to_be_bytes()).await?;
            control.write_all(b"{\"event\":").await?;
            control.shutdown().await?;
        }
        "nonsense" => control.write_all(b"\0\0\0\x04oops").await?,
        "nested" => {
            let json = "[".repeat(3 << 20);
            control.write_all(&u32::try_from(json.len())?.to_be_bytes()).await?;
            control.write_all(json.as_bytes()).await?;
        }
        _ => frame::write(&mut control, &AirlockEvent::Ready).await?,
    }
    control.flush().await?;
    match mode {
        "streams" => return open_endlessly(&opener).await,
        "kinds" => odd_streams(&opener).await?,
        "forbidden" => forbidden(&opener, &mut control).await?,
        "twice" => contradict(&opener, &mut control).await?,
        "flood" => loop {
            let host = "x".repeat(60 << 10);
            frame::write(&mut control, &AirlockEvent::Refused { host, port: 1 }).await?;
            let text = "\u{1b}[2Jfloods ".repeat(2 << 10);
            frame::write(&mut control, &AirlockEvent::Warning { text }).await?;
        },
        "deaf" => return hang().await,
        mode if mode.starts_with("beside-") => {
            return hands::beside(&opener, hatch, mode.trim_start_matches("beside-")).await;
        }
        _ => {}
    }
    let mut kept = Vec::new();
    while let Some(mut stream) = incoming.next().await {
        match mode {
            // Dropped: reset.
            "resets" => {}
            "halves" => {
                stream.shutdown().await?;
                kept.push(stream);
            }
            "endless" => {
                // A line without an end, as the answer to whatever was asked.
                while stream.write_all(&[b'x'; 64 << 10]).await.is_ok() {}
            }
            _ => kept.push(stream),
        }
    }
    Ok(())
}

/// Streams that announce four megabytes, send nearly all of them, and never say what they are.
async fn open_endlessly(opener: &Opener) -> Outcome {
    let mut kept = Vec::new();
    let almost = vec![b' '; (4 << 20) - 1];
    loop {
        match opener.open().await {
            Ok(mut stream) => {
                stream.write_all(&(4u32 << 20).to_be_bytes()).await?;
                drop(timeout(Duration::from_millis(100), stream.write_all(&almost)).await);
                kept.push(stream);
            }
            Err(_) => {
                // Let go of, they make room for the next.
                sleep(Duration::from_millis(100)).await;
                kept.drain(..kept.len() / 2);
            }
        }
    }
}

/// Streams that are not the airlock's to open, or nobody's.
async fn odd_streams(opener: &Opener) -> Outcome {
    let process = ProcessId(u64::MAX);
    for header in [Header::Control, Header::Session { process }, Header::Connect { port: 22 }] {
        let mut stream = opener.open().await?;
        frame::write(&mut stream, &header).await?;
        drop(timeout(Duration::from_secs(1), stream.read_u8()).await);
    }
    for text in ["{\"stream\":\"host\"}", "{}", "null", "[[[["] {
        let mut stream = opener.open().await?;
        stream.write_all(&u32::try_from(text.len())?.to_be_bytes()).await?;
        stream.write_all(text.as_bytes()).await?;
        drop(timeout(Duration::from_secs(1), stream.read_u8()).await);
    }
    for _ in 0..200 {
        let mut stream = opener.open().await?;
        frame::write(&mut stream, &Header::Stderr { process }).await?;
        stream.write_all(b"from a process that nobody started\n").await?;
        stream.shutdown().await?;
    }
    Ok(())
}

/// Connections past the airlock's own list of names: the host must not rely on it. What it let through is told.
async fn forbidden(opener: &Opener, control: &mut Stream) -> Outcome {
    let port = fs::read_to_string("/mode/port").ok().and_then(|port| port.trim().parse().ok()).unwrap_or(80);
    for host in [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "169.254.169.254",
        "metadata.google.internal",
        "host.docker.internal",
        "host.containers.internal",
        "10.0.2.2",
        "",
        ".",
        "*",
        "granted.example\0.evil.example",
        "granted.example.",
        "GRANTED.EXAMPLE@127.0.0.1",
        "a b",
        "../../var/run/docker.sock",
        "unix:/var/run/docker.sock",
    ] {
        let mut stream = opener.open().await?;
        frame::write(&mut stream, &Header::Egress { host: host.to_owned(), port }).await?;
        match timeout(Duration::from_secs(10), frame::read::<Connection, _>(&mut stream)).await {
            Ok(Ok(Some(Connection::Open | Connection::Beside { .. }))) => {
                let text = format!("LET THROUGH to {host}");
                frame::write(control, &AirlockEvent::Warning { text }).await?;
            }
            Ok(Ok(Some(Connection::Refused { .. }) | None) | Err(_)) | Err(_) => {}
        }
    }
    let text = "every forbidden host was tried".to_owned();
    Ok(frame::write(control, &AirlockEvent::Warning { text }).await?)
}

/// Events that contradict each other, and some about processes there are not.
async fn contradict(opener: &Opener, control: &mut Stream) -> Outcome {
    frame::write(control, &AirlockEvent::Ready).await?;
    frame::write(control, &AirlockEvent::LaunchFailed { reason: "\u{1b}[31mit was not".into() }).await?;
    frame::write(control, &AirlockEvent::Pong).await?;
    for process in [0, 1, 2, 77, u64::MAX].map(ProcessId) {
        frame::write(control, &AirlockEvent::Started { process, pid: -1 }).await?;
        frame::write(control, &AirlockEvent::Exited { process, exit: Exit::Code(0) }).await?;
        frame::write(control, &AirlockEvent::StartFailed { process, reason: "never".into() }).await?;
    }
    drop(opener.open().await?);
    Ok(())
}
