//! Runs `mmdebstrap`, which puts Debian packages together into a root folder, here or in a user namespace.

use std::{
    fs,
    io::{self, Seek as _},
    path::Path,
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
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
    #[error("its archive cannot be written: {0}")]
    Write(io::Error),
    #[error("mmdebstrap cannot be run: {0}")]
    Spawn(io::Error),
    #[error("mmdebstrap failed: {0}")]
    Failed(String),
}

/// Puts a root folder together and returns its archive: a nameless file in `scratch`, gone when dropped.
/// Dropped before its end, it ends `mmdebstrap` in good order.
pub(super) async fn build(
    recipe: &Debian,
    arch: &str,
    scratch: &Path,
    progress: &ProgressSink,
) -> Result<File, DebianError> {
    // Not straight into the engine: an archive cut short by an error would become half an image there.
    let mut archive = fs::create_dir_all(scratch)
        .and_then(|()| tempfile::tempfile_in(scratch))
        .map_err(DebianError::Write)?;
    let output = archive.try_clone().map_err(DebianError::Write)?;
    let child = Command::new("mmdebstrap")
        .args(arguments(recipe, arch))
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(output)
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
    let mut running = Running(child);
    let said = match running.0.stderr.take() {
        Some(stderr) => follow(BufReader::new(stderr), progress).await,
        None => String::new(),
    };
    let status = running.0.wait().await.map_err(DebianError::Spawn)?;
    if !status.success() {
        return Err(DebianError::Failed(if said.is_empty() { status.to_string() } else { shown(&said) }));
    }
    archive.rewind().map_err(DebianError::Write)?;
    Ok(File::from_std(archive))
}

/// A process that is ended when dropped before its end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Not SIGKILL: it has mounts and a folder to take away. It is reaped by the runtime.
        if let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
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
async fn follow(stderr: impl tokio::io::AsyncBufRead + Unpin, progress: &ProgressSink) -> String {
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
