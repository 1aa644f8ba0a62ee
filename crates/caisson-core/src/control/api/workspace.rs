use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{ServerName, SnapshotName, Workspace};

/// What is in a server's workspace: the files it has put out, and the snapshots of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListWorkspace {
    /// The server.
    pub server: ServerName,
}

/// The answer to [`ListWorkspace`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WorkspaceView {
    /// What its file says of it.
    pub workspace: Workspace,
    /// How many files are in its output.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// The first of them.
    pub found: Vec<WorkspaceFile>,
    /// What of it would not be collected, and why.
    pub remarks: Vec<WorkspaceRemark>,
    /// How many more such remarks there are.
    pub more_remarks: u64,
    /// Its snapshots, in the order of their names.
    pub snapshots: Vec<SnapshotView>,
}

/// A file a server has put out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WorkspaceFile {
    /// Its path within the output. The server's word: show it escaped.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What is to be said of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WorkspaceRemark {
    /// Its path within the output, shortened. The server's word: show it escaped.
    pub path: String,
    /// What became of it, for people. May hold names of the server's: show it escaped.
    pub text: String,
}

/// A kept copy of a server's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SnapshotView {
    /// Its name.
    pub name: SnapshotName,
    /// When it was made, where the engine says it.
    pub made_at: Option<u64>,
}

/// Copies what a server has put out into a new folder of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CollectWorkspace {
    /// The server.
    pub server: ServerName,
    /// The folder in which the new one is made, absolute; none means the one its workspace names.
    #[serde(default)]
    #[ts(optional)]
    pub to: Option<PathBuf>,
}

/// The answer to [`CollectWorkspace`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CollectedWorkspace {
    /// The folder that was made.
    pub folder: PathBuf,
    /// What was copied.
    pub copied: CopyView,
}

/// What was copied, and what was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CopyView {
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What was left out, or is not as it was, and why.
    pub remarks: Vec<WorkspaceRemark>,
    /// How many more such remarks there are.
    pub more_remarks: u64,
}

/// Keeps a copy of what a server has put out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SnapshotWorkspace {
    /// The server.
    pub server: ServerName,
    /// What the copy is to be called; none means by its date.
    #[serde(default)]
    #[ts(optional)]
    pub name: Option<SnapshotName>,
}

/// The answer to [`SnapshotWorkspace`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TakenSnapshot {
    /// What it is called.
    pub name: SnapshotName,
    /// What is in it.
    pub copied: CopyView,
}

/// Puts a snapshot in the place of what a server has put out since. The server must not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RestoreWorkspace {
    /// The server.
    pub server: ServerName,
    /// The snapshot.
    pub snapshot: SnapshotName,
}

/// Drops a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DropSnapshot {
    /// The server.
    pub server: ServerName,
    /// The snapshot.
    pub snapshot: SnapshotName,
}

/// Empties what a server has put out. The server must not run; its snapshots stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ResetWorkspace {
    /// The server.
    pub server: ServerName,
}
