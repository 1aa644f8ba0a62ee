use std::{
    fmt,
    fs::{self, File},
    io,
    path::PathBuf,
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// How long the network is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was tried, and how each try ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Attempts {
    /// How many tries got through.
    allowed: usize,
    /// Each try.
    attempts: Vec<Attempt>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Attempt {
    /// What was tried.
    what: &'static str,
    /// Whether it got through.
    allowed: bool,
    /// How it ended.
    how: String,
}

impl Attempts {
    /// Tries a few ways out. None harms anything, should it get through.
    pub(crate) async fn make() -> Self {
        let attempts = vec![
            attempt("look up example.com", within(lookup_host("example.com:443")).await),
            // An address for documentation (RFC 5737): nobody is there, wherever this runs.
            attempt("connect to 192.0.2.1:443", within(TcpStream::connect("192.0.2.1:443")).await),
            attempt("write to /etc", write("/etc/caisson-example")),
            attempt("write beside the program", write("/caisson/caisson-example")),
            attempt("read the variables of PID 1", fs::read("/proc/1/environ")),
            attempt("open the pipe of PID 1", open_pipe()),
            attempt("read the kernel's memory map", fs::read("/proc/kcore").map(drop)),
            attempt("find an engine's socket", fs::metadata("/var/run/docker.sock")),
        ];
        Self { allowed: attempts.iter().filter(|attempt| attempt.allowed).count(), attempts }
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Attempt { what, allowed, how } in &self.attempts {
            let outcome = if *allowed { "ALLOWED" } else { "refused" };
            writeln!(f, "{outcome}  {what}: {how}")?;
        }
        write!(f, "{} of {} tries got through.", self.allowed, self.attempts.len())
    }
}

fn attempt<T>(what: &'static str, tried: io::Result<T>) -> Attempt {
    let how = tried.as_ref().err().map_or("it worked".to_owned(), ToString::to_string);
    Attempt { what, allowed: tried.is_ok(), how }
}

async fn within<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn write(path: &str) -> io::Result<()> {
    File::options().write(true).create_new(true).open(path)?;
    fs::remove_file(path)
}

/// Opened it is, and not written to: that could only end this very server.
fn open_pipe() -> io::Result<()> {
    let leads_somewhere = |file: &PathBuf| {
        fs::read_link(file)
            .is_ok_and(|to| !to.starts_with("/dev") && !to.to_string_lossy().starts_with("anon"))
    };
    let mut outcome = Err(io::ErrorKind::NotFound.into());
    for file in fs::read_dir("/proc/1/fd")?.flatten().map(|entry| entry.path()).filter(leads_somewhere) {
        outcome = File::options().write(true).open(file).map(drop);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}
