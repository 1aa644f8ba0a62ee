//! A Caisson of a test's own: its own home, its own daemon, and the engine under test.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{TestEngine, programs};

/// A home for Caisson that ends with the test: its daemon is stopped, its containers and images are removed.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    engine: TestEngine,
    socket: PathBuf,
    environment: Vec<(String, String)>,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    /// Its output, when it succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "failed with {}\n{}\n{}", self.status, self.out, self.err);
        self.out
    }

    /// Its output as JSON, when it succeeded.
    ///
    /// # Panics
    /// When it failed or printed something else.
    #[track_caller]
    pub fn json(self) -> Value {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("not JSON ({error}): {out}"))
    }

    /// What it printed to standard error, when it failed with `code`.
    ///
    /// # Panics
    /// When it succeeded, or failed otherwise.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.out, self.err);
        self.err
    }
}

impl Home {
    /// A fresh home on `engine`; none, loudly, where that engine does not run.
    pub fn new(engine: TestEngine) -> Option<Self> {
        let socket = engine.socket()?;
        // Short: a socket's path may have 108 bytes.
        let folder = tempfile::Builder::new().prefix("csn").tempdir_in("/tmp").expect("room for a home");
        let home = Self { folder, engine, socket, environment: Vec::new() };
        let config = home.path().join("config");
        fs::create_dir_all(&config).expect("a folder for settings");
        let settings = format!("engine = \"unix://{}\"\nport = {}\n", home.socket.display(), free_port());
        fs::write(config.join("settings.toml"), settings).expect("settings");
        let home = home.with_policy("preset = \"never-ask\"\n[loop]\nthen = \"allow\"\n");
        if let Some(user) = engine.user() {
            let owner = format!("{user}:{user}");
            let status = Command::new("chown").arg("-R").arg(owner).arg(home.path()).status();
            assert!(status.expect("chown runs").success());
        }
        Some(home)
    }

    /// With this policy. Without, nobody is asked: there is nobody to answer.
    pub fn with_policy(self, policy: &str) -> Self {
        fs::write(self.path().join("config/policy.toml"), policy).expect("a policy");
        self
    }

    /// With another environment variable for every command.
    pub fn with_env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The folder of the engine's socket.
    pub fn socket_folder(&self) -> String {
        self.socket.parent().expect("a socket lies in a folder").display().to_string()
    }

    /// Runs any command as this home's user.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn as_user(&self, args: &[&str]) -> String {
        said(self.command_of(Path::new(args[0]), &args[1..]), b"").ok()
    }

    /// `CAISSON_HOME`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The engine under test.
    pub fn engine(&self) -> TestEngine {
        self.engine
    }

    /// A `caisson` command that is ready to run in this home.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_of(&programs::caisson(), args)
    }

    /// Any program, as the user and with the environment of this home.
    pub fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = match self.engine.user() {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
        };
        command
            .args(args)
            .env("CAISSON_HOME", self.path())
            .env("NO_COLOR", "1")
            .env("HOME", self.path().join("user"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs `caisson` with `args`.
    #[track_caller]
    pub fn caisson(&self, args: &[&str]) -> Said {
        said(self.command(args), b"")
    }

    /// Runs `caisson` with `args` and `input` on its standard input.
    #[track_caller]
    pub fn caisson_with(&self, args: &[&str], input: &[u8]) -> Said {
        said(self.command(args), input)
    }

    /// Calls a tool by the command line and gives the result, whole.
    #[track_caller]
    pub fn call(&self, server: &str, tool: &str, arguments: &Value) -> Value {
        self.caisson(&["call", server, tool, &arguments.to_string(), "--json"]).json()
    }

    /// The text of a tool's result.
    #[track_caller]
    pub fn call_text(&self, server: &str, tool: &str, arguments: &Value) -> String {
        text_of(&self.call(server, tool, arguments))
    }

    /// The daemon's process id.
    #[track_caller]
    pub fn daemon_pid(&self) -> u32 {
        let status = self.caisson(&["daemon", "--status", "--json"]).json();
        u32::try_from(status["pid"].as_u64().expect("a status has a pid")).expect("a pid is small")
    }

    /// The engine's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The output of the engine's own command line: to look at what Caisson made.
    #[track_caller]
    pub fn engine_cli(&self, args: &[&str]) -> String {
        said(self.engine_command(args), b"").ok()
    }

    /// The engine's own command line, as its administrator, ready to run.
    pub fn engine_command(&self, args: &[&str]) -> Command {
        let at = format!("unix://{}", self.socket.display());
        let mut command = match self.engine {
            TestEngine::Docker => {
                let mut command = Command::new("docker");
                command.arg("-H").arg(at);
                command
            }
            TestEngine::Podman | TestEngine::Rootless => {
                let mut command = Command::new("podman");
                command.args(["--remote", "--url"]).arg(at);
                command
            }
        };
        command.args(args);
        command
    }

    /// What Caisson calls this home, in labels.
    #[track_caller]
    pub fn id(&self) -> String {
        let status = self.caisson(&["daemon", "--status", "--json"]).json();
        status["home_id"].as_str().expect("a status has the home's id").to_owned()
    }

    /// The names of this home's containers, running or not.
    #[track_caller]
    pub fn containers(&self) -> Vec<String> {
        self.containers_of(&self.id())
    }

    /// The names of the containers labelled with a home's id.
    #[track_caller]
    pub fn containers_of(&self, id: &str) -> Vec<String> {
        let filter = format!("label=dev.caisson.home={id}");
        let names = self.engine_cli(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
        names.lines().map(str::to_owned).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path().join("data/daemon.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the daemon's last words:");
            for line in tail.iter().rev() {
                eprintln!("  {line}");
            }
        }
        drop(self.command(&["daemon", "--stop"]).output());
    }
}

/// The text blocks of a tool's result, joined.
pub fn text_of(result: &Value) -> String {
    let blocks = result["content"].as_array().into_iter().flatten();
    blocks.filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// Runs a command to its end with `input` on standard input.
#[track_caller]
pub fn said(mut command: Command, input: &[u8]) -> Said {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe was asked for");
    // A program that ends without reading its input is no fault of this one.
    drop(stdin.write_all(input));
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { status: output.status, out: text(output.stdout), err: text(output.stderr) }
}

/// Waits until `what` holds.
///
/// # Panics
/// When it does not within `limit`.
#[track_caller]
pub fn eventually(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A TCP port of loopback that is free at the moment.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("a listener has an address").port()
}
