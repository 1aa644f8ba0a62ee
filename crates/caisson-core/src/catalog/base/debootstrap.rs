//! Runs `mmdebstrap`, which puts Debian packages together into a root folder, here or in a user namespace.

use std::{io, process::Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};

use super::recipe::Debian;
use crate::{catalog::error::shown, model::ProgressSink};

/// What it does, for people.
pub(super) const STEP: &str = "Building the Debian base image";
const MOST_ERRORS: usize = 16 << 10;
const LONGEST_ERROR: usize = 200;

/// Why no Debian base could be built, as the end of a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum DebianError {
    #[error(
        "mmdebstrap, which builds one from Debian packages, is not installed: apt-get install mmdebstrap"
    )]
    Missing,
    #[error("mmdebstrap cannot be run: {0}")]
    Spawn(io::Error),
    #[error("mmdebstrap failed: {0}")]
    Failed(String),
}

/// A running `mmdebstrap`; ended in good order when dropped, so that it unmounts and removes what it made.
pub(super) struct Debootstrap {
    child: Child,
    errors: JoinHandle<String>,
}

impl Debootstrap {
    /// Starts it. What it makes is a tar archive on the reader that is returned too.
    pub(super) fn start(
        recipe: &Debian,
        arch: &str,
        progress: &ProgressSink,
    ) -> Result<(Self, ChildStdout), DebianError> {
        let mut child = Command::new("mmdebstrap")
            .args(arguments(recipe, arch))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that what it runs ends with it.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                if error.kind() == io::ErrorKind::NotFound {
                    DebianError::Missing
                } else {
                    DebianError::Spawn(error)
                }
            })?;
        let missing = || DebianError::Spawn(io::Error::other("its output is not there"));
        let archive = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let errors = tokio::spawn(follow(BufReader::new(stderr), progress.clone()));
        Ok((Self { child, errors }, archive))
    }

    /// Waits for its end, once its archive was read.
    pub(super) async fn finish(mut self) -> Result<(), DebianError> {
        let status = self.child.wait().await.map_err(DebianError::Spawn)?;
        if status.success() {
            return Ok(());
        }
        let said = (&mut self.errors).await.unwrap_or_default();
        Err(DebianError::Failed(if said.is_empty() { status.to_string() } else { shown(&said) }))
    }
}

impl Drop for Debootstrap {
    fn drop(&mut self) {
        self.errors.abort();
        // Not SIGKILL: it has mounts and a folder to take away. It is reaped by the runtime.
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _gone_already = kill_process_group(pid, Signal::TERM);
        }
    }
}

fn arguments(recipe: &Debian, arch: &str) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--mode=auto", "--variant=essential", "--format=tar"].map(str::to_owned).into();
    arguments.push(format!("--architectures={arch}"));
    arguments.push(format!("--include={}", recipe.packages.join(",")));
    arguments.extend(recipe.leave_out.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    arguments.extend(recipe.keep.iter().map(|path| format!("--dpkgopt=path-include={path}")));
    arguments.extend(recipe.hooks.iter().map(|hook| format!("--customize-hook={hook}")));
    // No mirror: Debian's own, with its security updates. '-' is standard output.
    arguments.extend([recipe.suite.clone(), "-".to_owned()]);
    arguments
}

/// Tells its steps; keeps its errors.
async fn follow(stderr: impl tokio::io::AsyncBufRead + Unpin, progress: ProgressSink) -> String {
    let mut errors = String::new();
    let mut lines = stderr.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match line.strip_prefix("I: ") {
            Some(step) => progress.detail(STEP, shown(step)),
            // Between its errors stands what dpkg and apt say; a command that failed is told with all its arguments.
            None if line.starts_with("E: ") && errors.len() < MOST_ERRORS => {
                errors.extend(line.chars().take(LONGEST_ERROR).chain(['\n']));
            }
            None => {}
        }
    }
    errors
}
