use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

use crate::HostPattern;

/// The first frame of every stream: what the stream is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stream", rename_all = "snake_case")]
pub enum Header {
    /// Host to airlock, the first stream and the only one of its kind: frames of [`Order`] one way and of
    /// [`AirlockEvent`] the other, for as long as the pipe lives. Its end ends the airlock.
    Control,
    /// Host to airlock: standard input and output of a process of its own, running the launched command.
    /// The host's half-close closes standard input, and so does its reset; after that the process has its
    /// grace to end. The airlock's half-close means output has ended, its reset that nothing was started.
    Session {
        /// The host's name for the process.
        process: ProcessId,
    },
    /// Host to airlock: standard input and output of another command, such as a step of an install. Like
    /// a session, but the host's half-close only closes standard input: the command has all the time it
    /// needs. The host's reset ends it, and so does [`Order::Signal`].
    Exec {
        /// The host's name for the process.
        process: ProcessId,
        /// What to run.
        command: Command,
    },
    /// Host to airlock: a TCP connection to a port on the container's loopback. Answered by one frame of
    /// [`Connection`]; then bytes.
    Connect {
        /// The port on 127.0.0.1.
        port: u16,
    },
    /// Airlock to host: what a process writes to standard error, and the HTTP server to standard output
    /// too. Bytes, not lines. Opened with the first of them: a silent process has none.
    Stderr {
        /// The process that writes.
        process: ProcessId,
    },
    /// Airlock to host: a connection the server opened to a name. Answered by one frame of
    /// [`Connection`]; then bytes.
    Egress {
        /// The name it asked for, lower case, without a final dot.
        host: String,
        /// The TCP port.
        port: u16,
    },
}

/// The host's name for a process, unique while the pipe lives. Process 0 is the HTTP server or the spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub u64);

/// How a connection attempt went: the first frame back on [`Header::Connect`] and [`Header::Egress`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "connection", rename_all = "snake_case")]
pub enum Connection {
    /// Connected; bytes follow both ways.
    Open,
    /// Connected, on [`Header::Egress`] alone: bytes take a socket that was sent under this number, beside the pipe
    /// ([`Beside`](crate::Beside)). Answered by one frame of [`Handed`].
    Beside {
        /// The host's name for the socket.
        number: u64,
    },
    /// Not connected; the stream ends.
    Refused {
        /// Why.
        why: Refusal,
        /// For people.
        detail: String,
    },
}

/// What became of the socket of [`Connection::Beside`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "handed", rename_all = "snake_case")]
pub enum Handed {
    /// It is here. The stream carries no byte any more: each half of it ends in good order, or not, as the socket's does.
    Taken,
    /// It did not come. Bytes follow on the stream, as after [`Connection::Open`].
    Missing,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The user has not allowed it.
    Forbidden,
    /// The name has no address, or none that may be reached.
    Unresolved,
    /// Nothing answered, or the answer was no.
    Unreachable,
}

/// What the host tells the airlock on [`Header::Control`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a launch is the first order, and there is but one")]
pub enum Order {
    /// The first order, once: what to run and what it may reach. Answered by [`AirlockEvent::Ready`].
    Launch(Launch),
    /// Replaces what the server may reach.
    Egress(Egress),
    /// Sends a signal to a process and all it started. For a process that has ended, nothing happens.
    Signal {
        /// The process.
        process: ProcessId,
        /// The signal's number on Linux; 15 or 9.
        signal: i32,
    },
    /// Asks whether the airlock lives. Answered by [`AirlockEvent::Pong`].
    Ping,
}

/// What runs in the container, and what it is given. Sent over the pipe, so that no secret stands in the
/// container's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// How the server speaks.
    pub mode: Mode,
    /// The server's command.
    pub command: Command,
    /// Files to write before anything starts.
    pub files: Vec<LaunchFile>,
    /// What the server may reach.
    pub egress: Egress,
    /// Limits of each process. Engines set them too, but rootless Podman's API leaves them out.
    #[serde(default)]
    pub limits: ProcessLimits,
    /// Where each session's process has folders of its own; none means that it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionFolders>,
    /// How long a process may take to end after its input closed, before SIGTERM, and again before SIGKILL.
    pub grace_ms: u64,
}

/// What each process may use at most (`setrlimit`), beyond what the container as a whole may. The airlock only
/// ever lowers its limits, and cannot raise them again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLimits {
    /// Open files.
    pub files: Option<u64>,
    /// Processes and threads of the container's user, as the kernel counts them.
    pub processes: Option<u64>,
    /// The size of a core dump, in bytes.
    pub core: Option<u64>,
}

/// Folders for each process of a session: `root/sessions/NAME`, with links to `root/input`, `root/output/NAME` and
/// `root/tmp/NAME`. The process finds the first in `variable`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFolders {
    /// The workspace, in which `output`, `tmp` and `sessions` can be written.
    pub root: String,
    /// What the names begin with: no other launch's on the same volume do.
    pub prefix: String,
    /// The environment variable that tells a process where its own folders are.
    pub variable: String,
}

/// How the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Mode {
    /// A process for each [`Header::Session`], on standard input and output.
    Stdio {
        /// Whether one process is started ahead, for the next session.
        spare: bool,
    },
    /// One process, [`ProcessId`] 0, that listens on a TCP port of 127.0.0.1.
    Http,
    /// Nothing but [`Header::Exec`]: an install.
    Exec,
}

/// A program to run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments. The program is looked up in `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub env: BTreeMap<String, SecretBytes>,
    /// The working folder; none means the container's own.
    pub cwd: Option<String>,
}

/// Shows the names of variables and never their values.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("argv", &self.argv)
            .field("env", &self.env.keys())
            .field("cwd", &self.cwd)
            .finish()
    }
}

/// A file the airlock writes before anything starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchFile {
    /// Where, absolute. Missing folders are made, for the user alone.
    pub path: String,
    /// What is in it.
    pub content: SecretBytes,
    /// Who may read it.
    pub mode: FileMode,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileMode {
    /// 0400: the server's user.
    Secret,
    /// 0444: everyone inside.
    Public,
}

/// What the server may reach. The host decides on each connection again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// All that may be reached from here on.
    pub rules: Vec<EgressRule>,
    /// Whether a trial runs that is to find out what the server wants: whatever it connects to is put to the host.
    #[serde(default)]
    pub learning: bool,
}

/// Hosts and a TCP port of theirs that the server may reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EgressRule {
    /// The hosts.
    pub host: HostPattern,
    /// The TCP port.
    pub port: u16,
}

/// One host and a TCP port of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EgressName {
    /// The DNS name, lower case, without a final dot, or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What the airlock tells the host on [`Header::Control`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AirlockEvent {
    /// The launch was carried out.
    Ready,
    /// The launch could not be carried out; the airlock exits.
    LaunchFailed {
        /// Why, for people.
        reason: String,
    },
    /// A process runs. A spare is told of when a session takes it.
    Started {
        /// Which.
        process: ProcessId,
        /// Its number inside the container.
        pid: i32,
    },
    /// A process could not be started. Its stream is reset.
    StartFailed {
        /// Which.
        process: ProcessId,
        /// Why, for people.
        reason: String,
    },
    /// A process has ended and was reaped, what it left running in its process group was killed, and its
    /// output has been read to the end. For [`ProcessId`] 0 in [`Mode::Stdio`], without [`Self::Started`]:
    /// the spare ended before a session took it. The next session starts afresh.
    Exited {
        /// Which.
        process: ProcessId,
        /// How.
        exit: Exit,
    },
    /// The server asked for a name or port it may not reach.
    Refused {
        /// The name, or the address when it named none. Hostile: show escaped.
        host: String,
        /// The TCP port; 0 for a DNS question.
        port: u16,
    },
    /// Something went wrong that nobody asked for: shown to people, never acted on.
    Warning {
        /// What, for people.
        text: String,
    },
    /// The answer to [`Order::Ping`].
    Pong,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Bytes that may be secret: overwritten when dropped, base64 on the wire, never in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Vec<u8>>> From<T> for SecretBytes {
    fn from(bytes: T) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        STANDARD.decode(text.as_bytes()).map(Self::from).map_err(D::Error::custom)
    }
}
