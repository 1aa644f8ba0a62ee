//! A server's workspace from outside: what is in its output, collected for the user, kept and put back.
//!
//! No process of the host opens a file a server has written. The airlock's own program does, in a container of its
//! own, which has the output to read and, to write, one empty folder or volume. Nothing is packed or unpacked.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use caisson_wire::{Command, Exit, FilesReport, FilesTask};
use tokio::time::timeout;

use super::{
    Folders, Install, Places, Plan, Sandbox, SandboxError, StartError,
    plan::{Moved, output_volume, snapshot_of, snapshot_volume},
};
use crate::model::{FolderGrant, Server, ServerName, ServerState, SnapshotName, Workspace, utc};

/// The program that copies: the airlock's own, in every container.
const PROGRAM: &str = "/caisson/airlock";
/// How long a copy may take.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// So many collections of one second are told apart.
const MOST_AT_ONCE: usize = 100;

/// What was collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The folder that was made for it.
    pub folder: PathBuf,
    /// What is in it, and what is not.
    pub report: FilesReport,
}

/// A kept copy of a server's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: SnapshotName,
    /// When it was made, in seconds since 1970 (UTC), where the engine says it.
    pub made: Option<u64>,
}

impl Sandbox {
    /// Counts and names the files in a server's output.
    ///
    /// # Errors
    /// When the server has no workspace, or its container cannot be brought up.
    pub async fn output(&self, name: &ServerName, server: &Server) -> Result<FilesReport, SandboxError> {
        workspace(name, server)?;
        let from = output_volume(name, &self.0.common.home_id);
        if !self.has_volume(&from).await? {
            return Ok(FilesReport::default());
        }
        self.files(name, server, Moved::Seen { from }, FilesTask::Look { from: Moved::FROM.into() }).await
    }

    /// Copies what is in a server's output into a new folder within `to`, or else within the folder its workspace
    /// names. What is there already stays as it is.
    ///
    /// # Errors
    /// When there is no such folder, or it is never shown to a server; when the copy fails.
    pub async fn collect(
        &self,
        name: &ServerName,
        server: &Server,
        to: Option<PathBuf>,
    ) -> Result<Collected, SandboxError> {
        let Workspace { output, size, .. } = workspace(name, server)?;
        let to = to.or_else(|| output.clone()).ok_or_else(|| SandboxError::NoDestination(name.clone()))?;
        let places = self.0.common.places.clone();
        let label = format!("{name}-{}", utc::stamp((self.0.common.clock)()));
        // A disk may be slow or asleep.
        let made = tokio::task::spawn_blocking(move || fresh_folder(&to, &label, &places)).await;
        let made = made.unwrap_or_else(|error| Err(StartError::Airlock(error.to_string()).into()));
        let Fresh { folder, to } = made.map_err(|error| match error {
            NoFolder::Refused(cause) => failed(name, cause),
            NoFolder::Unwritable(folder, cause) => {
                SandboxError::Destination { folder, cause: Arc::new(cause) }
            }
        })?;
        let from = output_volume(name, &self.0.common.home_id);
        let task = FilesTask::Collect { from: Moved::FROM.into(), to: Moved::TO.into(), most: size.bytes() };
        match self.files(name, server, Moved::Out { from, to }, task).await {
            Ok(report) => Ok(Collected { folder, report }),
            Err(error) => {
                // Goes when it is still empty.
                drop(tokio::fs::remove_dir(&folder).await);
                Err(error)
            }
        }
    }

    /// The snapshots of a server's output, in the order of their names.
    ///
    /// # Errors
    /// When the engine cannot tell.
    pub async fn snapshots(&self, name: &ServerName) -> Result<Vec<Snapshot>, SandboxError> {
        let volumes = self.0.common.dock.volumes().await.map_err(engine)?;
        let snapshot = |volume: crate::engine::OurVolume| {
            let snapshot = snapshot_of(&volume.name, name, &self.0.common.home_id)?;
            Some(Snapshot { name: snapshot, made: volume.made })
        };
        let mut snapshots: Vec<_> = volumes.into_iter().filter_map(snapshot).collect();
        snapshots.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(snapshots)
    }

    /// Keeps a copy of a server's output as it is, under a name.
    ///
    /// # Errors
    /// When there is one of that name, or the copy fails: then nothing is kept.
    pub async fn snapshot(
        &self,
        name: &ServerName,
        server: &Server,
        snapshot: &SnapshotName,
    ) -> Result<FilesReport, SandboxError> {
        let size = workspace(name, server)?.size;
        let home = &self.0.common.home_id;
        let (from, to) = (output_volume(name, home), snapshot_volume(name, snapshot, home));
        if self.has_volume(&to).await? {
            let (server, snapshot) = (name.clone(), snapshot.clone());
            return Err(SandboxError::SnapshotExists { server, snapshot });
        }
        let task = FilesTask::Keep { from: Moved::FROM.into(), to: Moved::TO.into(), most: size.bytes() };
        let kept = self.files(name, server, Moved::Across { from, to: to.clone() }, task).await;
        if kept.is_err()
            && let Err(error) = self.0.common.dock.remove_volume(&to).await
        {
            tracing::warn!(volume = to, %error, "a snapshot that failed was not removed");
        }
        kept
    }

    /// Puts a snapshot in the place of what is in a server's output.
    ///
    /// # Errors
    /// When there is no such snapshot, the server runs, or the copy fails: then what is in the output is a part of
    /// the snapshot, and this can be tried again.
    pub async fn restore(
        &self,
        name: &ServerName,
        server: &Server,
        snapshot: &SnapshotName,
    ) -> Result<FilesReport, SandboxError> {
        workspace(name, server)?;
        let home = &self.0.common.home_id;
        let (from, to) = (snapshot_volume(name, snapshot, home), output_volume(name, home));
        if !self.has_volume(&from).await? {
            let (server, snapshot) = (name.clone(), snapshot.clone());
            return Err(SandboxError::NoSnapshot { server, snapshot });
        }
        self.empty(name, &to).await?;
        let task = FilesTask::Restore { from: Moved::FROM.into(), to: Moved::TO.into() };
        self.files(name, server, Moved::Across { from, to }, task).await
    }

    /// Drops a snapshot.
    ///
    /// # Errors
    /// When there is none of that name, or the engine cannot.
    pub async fn drop_snapshot(
        &self,
        name: &ServerName,
        snapshot: &SnapshotName,
    ) -> Result<(), SandboxError> {
        let volume = snapshot_volume(name, snapshot, &self.0.common.home_id);
        if self.0.common.dock.remove_volume(&volume).await.map_err(engine)? {
            return Ok(());
        }
        Err(SandboxError::NoSnapshot { server: name.clone(), snapshot: snapshot.clone() })
    }

    /// Empties a server's output. Its snapshots stay.
    ///
    /// # Errors
    /// When the server runs, or the engine cannot.
    pub async fn reset(&self, name: &ServerName, server: &Server) -> Result<(), SandboxError> {
        workspace(name, server)?;
        self.empty(name, &output_volume(name, &self.0.common.home_id)).await
    }

    /// Removes a server's output and all its snapshots, and says whether there were any. Stop the server first.
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn erase_workspace(&self, name: &ServerName) -> Result<bool, SandboxError> {
        let (dock, home) = (&self.0.common.dock, &self.0.common.home_id);
        let mut erased = dock.remove_volume(&output_volume(name, home)).await.map_err(engine)?;
        for snapshot in self.snapshots(name).await? {
            erased |=
                dock.remove_volume(&snapshot_volume(name, &snapshot.name, home)).await.map_err(engine)?;
        }
        Ok(erased)
    }

    /// Removes the output's volume; the next container that needs it gets an empty one.
    async fn empty(&self, name: &ServerName, volume: &str) -> Result<(), SandboxError> {
        let stands = |state: &ServerState| {
            matches!(state, ServerState::Stopped | ServerState::Failed { .. } | ServerState::Backoff { .. })
        };
        if !self.state(name).as_ref().is_none_or(stands) {
            return Err(SandboxError::Running(name.clone()));
        }
        match self.0.common.dock.remove_volume(volume).await {
            Ok(_) => Ok(()),
            Err(StartError::Engine(crate::engine::EngineError::InUse(_))) => {
                Err(SandboxError::Running(name.clone()))
            }
            Err(error) => Err(engine(error)),
        }
    }

    async fn has_volume(&self, name: &str) -> Result<bool, SandboxError> {
        let volumes = self.0.common.dock.volumes().await.map_err(engine)?;
        Ok(volumes.iter().any(|volume| volume.name == name))
    }

    /// Carries out a task in a container of its own.
    async fn files(
        &self,
        name: &ServerName,
        server: &Server,
        moved: Moved,
        task: FilesTask,
    ) -> Result<FilesReport, SandboxError> {
        let common = &self.0.common;
        let facts = common.dock.facts().await.map_err(engine)?;
        let plan = Plan::for_files(name, server, moved, &facts, common.user, &common.home_id)
            .map_err(|error| failed(name, error.into()))?;
        let copy = |why: String| SandboxError::Copy { server: name.clone(), why };
        let task = serde_json::to_string(&task).map_err(|error| copy(error.to_string()))?;
        let command = Command {
            argv: vec![PROGRAM.to_owned(), "--files".to_owned(), task],
            env: BTreeMap::new(),
            cwd: Some("/".to_owned()),
        };
        let container = self.run_install(plan, Vec::new(), Vec::new()).await?;
        let done = timeout(LONGEST, Install::exec(&container, command, |_| {})).await;
        container.end().await;
        let output =
            done.map_err(|_| copy(format!("it took longer than {} minutes", LONGEST.as_secs() / 60)))??;
        if output.exit != Exit::Code(0) {
            let why = String::from_utf8_lossy(&output.stderr);
            let why = why.trim().trim_start_matches("caisson-airlock: ");
            return Err(copy(if why.is_empty() { output.exit.to_string() } else { why.to_owned() }));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| copy(error.to_string()))
    }
}

fn workspace<'a>(name: &ServerName, server: &'a Server) -> Result<&'a Workspace, SandboxError> {
    server.permissions.workspace.as_ref().ok_or_else(|| SandboxError::NoWorkspace(name.clone()))
}

fn engine(cause: StartError) -> SandboxError {
    SandboxError::Engine(Arc::new(cause))
}

fn failed(name: &ServerName, cause: StartError) -> SandboxError {
    SandboxError::Start { server: name.clone(), cause: Arc::new(cause) }
}

/// A new folder, and the same as what a container is shown.
struct Fresh {
    folder: PathBuf,
    to: Folders,
}

enum NoFolder {
    Refused(StartError),
    Unwritable(PathBuf, io::Error),
}

impl From<StartError> for NoFolder {
    fn from(error: StartError) -> Self {
        Self::Refused(error)
    }
}

/// Makes a new folder, for the user alone, in one that may be shown to a server. Blocks on the disk.
fn fresh_folder(within: &Path, label: &str, places: &Places) -> Result<Fresh, NoFolder> {
    let checked = |host: PathBuf| {
        let grant = FolderGrant { host, inside: Moved::TO.into(), write: true };
        Folders::resolve(&[grant], places).map_err(|error| NoFolder::Refused(error.into()))
    };
    let within =
        checked(within.to_owned())?.iter().map(|grant| grant.host.clone()).next().unwrap_or_default();
    let unwritable = |error| NoFolder::Unwritable(within.clone(), error);
    for at in 1..=MOST_AT_ONCE {
        let name = if at == 1 { label.to_owned() } else { format!("{label}-{at}") };
        let folder = within.join(name);
        match make(&folder) {
            Ok(()) => return Ok(Fresh { to: checked(folder.clone())?, folder }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(error)),
        }
    }
    Err(unwritable(io::ErrorKind::AlreadyExists.into()))
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_collection_has_a_folder_of_its_own() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::default();
        let made = |label: &str| {
            fresh_folder(home.path(), label, &places).map(|fresh| fresh.folder).map_err(|error| match error {
                NoFolder::Refused(error) => error.to_string(),
                NoFolder::Unwritable(_, error) => error.to_string(),
            })
        };
        let first = made("notes-1").unwrap();
        assert_eq!(first, home.path().canonicalize().unwrap().join("notes-1"));
        assert_eq!(made("notes-1").unwrap(), first.with_file_name("notes-1-2"));
        assert!(made("no/such/place").is_err());
        let refused = fresh_folder(Path::new("/etc"), "x", &places);
        assert!(matches!(refused, Err(NoFolder::Refused(StartError::Folder(_)))));
        assert!(!Path::new("/etc/x").exists());
    }
}
