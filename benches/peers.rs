//! The other bridges: programs that serve a command's standard input and output as Streamable HTTP. Their command
//! is the engine's own `run -i --rm` of the very same image.

use std::{
    fs::{self, File},
    net::TcpStream,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use caisson_tests::{clients::Access, home::free_port, programs};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    Fallible,
    stage::{Installed, Stage},
};

/// So long one may take to listen, and to end.
const START: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(10);
/// So long its containers may take to be gone after it.
const FAREWELL: Duration = Duration::from_secs(5);

/// Who they are. `scripts/setup bench` installs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerKind {
    Supergateway,
    NpmMcpProxy,
    PypiMcpProxy,
}

/// One that listens. When it is dropped it is killed, with all it started.
pub(crate) struct Peer {
    pub(crate) kind: PeerKind,
    pub(crate) access: Access,
    child: Child,
    group: Pid,
    log: PathBuf,
}

impl PeerKind {
    pub(crate) const ALL: [Self; 3] = [Self::Supergateway, Self::NpmMcpProxy, Self::PypiMcpProxy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Supergateway => "npm supergateway",
            Self::NpmMcpProxy => "npm mcp-proxy",
            Self::PypiMcpProxy => "PyPI mcp-proxy",
        }
    }

    /// Whether it runs nothing before its first session.
    pub(crate) fn starts_on_demand(self) -> bool {
        match self {
            Self::Supergateway | Self::NpmMcpProxy => true,
            Self::PypiMcpProxy => false,
        }
    }

    /// Its name and version.
    pub(crate) fn version(self) -> Fallible<String> {
        let output =
            std::process::Command::new(self.program()).arg("--version").env("PATH", path()).output()?;
        let said = String::from_utf8(output.stdout)?;
        let version = said.split_whitespace().last().ok_or("no version")?;
        Ok(format!("{} {version}", self.name()))
    }

    fn program(self) -> PathBuf {
        programs::installed(match self {
            Self::Supergateway => "peers/node/node_modules/.bin/supergateway",
            Self::NpmMcpProxy => "peers/node/node_modules/.bin/mcp-proxy",
            Self::PypiMcpProxy => "peers/python/bin/mcp-proxy",
        })
    }

    fn command(self, stage: &Stage, server: &Installed, port: u16) -> Command {
        let run = stage.run(self.name(), server);
        let words = std::iter::once(run.get_program()).chain(run.get_args());
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        let port = port.to_string();
        let mut command = Command::new(self.program());
        match self {
            Self::Supergateway => {
                command.args(["--stdio", &words.join(" "), "--outputTransport", "streamableHttp"]);
                command.args(["--stateful", "--logLevel", "none", "--port", &port]);
            }
            Self::NpmMcpProxy => {
                command
                    .args(["--server", "stream", "--host", "127.0.0.1", "--port", &port, "--"])
                    .args(words);
            }
            Self::PypiMcpProxy => {
                command
                    .args(["--host", "127.0.0.1", "--port", &port, "--log-level", "ERROR", "--"])
                    .args(words);
            }
        }
        command
    }
}

impl Peer {
    /// Starts one before a server and waits until it listens.
    pub(crate) async fn start(kind: PeerKind, stage: &Stage, server: &Installed) -> Fallible<Self> {
        let port = free_port();
        let log = stage.home.path().join(format!("{port}.log"));
        let said = File::create(&log)?;
        let child = kind
            .command(stage, server, port)
            .env("PATH", path())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let url = format!("http://127.0.0.1:{port}/mcp");
        let access = Access { url, sse_url: None, token: String::new() };
        let mut peer = Self { kind, access, child, group: id.ok_or("it has ended already")?, log };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > START || peer.child.try_wait()?.is_some() {
                return Err(format!("{} does not listen: {}", kind.name(), peer.last_words()).into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(peer)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// The last of what it logged.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
    }

    /// Ends it as a user would, and says how many containers it left behind. Those are removed.
    pub(crate) async fn end(mut self, stage: &Stage) -> Fallible<usize> {
        kill_process(self.group, Signal::TERM)?;
        drop(timeout(END, self.child.wait()).await);
        let gone = Instant::now();
        while !stage.containers(self.kind.name())?.is_empty() && gone.elapsed() < FAREWELL {
            sleep(Duration::from_millis(200)).await;
        }
        stage.sweep(self.kind.name())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone; what it started may not.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

/// Finds the Node that `scripts/setup` brought where the machine's own is too old.
fn path() -> String {
    let node = programs::repository().join(".setup/node/node_modules/.bin");
    format!("{}:{}", node.display(), std::env::var("PATH").unwrap_or_default())
}
