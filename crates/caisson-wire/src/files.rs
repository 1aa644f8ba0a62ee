//! What the airlock is asked about the files of a workspace, and what it answers. The question is an argument of
//! a process of its own, the answer that process's standard output.

use serde::{Deserialize, Serialize};

/// What to do with files a server has written: they are hostile, and what is done never follows a link of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum FilesTask {
    /// Count what is in a folder, and name the first of it.
    Look {
        /// The folder.
        from: String,
    },
    /// Copy regular files and folders into an empty folder of the user's, with harmless names and modes, and
    /// leave out all else.
    Collect {
        /// The folder to read.
        from: String,
        /// The folder to fill.
        to: String,
        /// The most bytes to copy; a file that is larger than what is left of them is left out.
        most: u64,
    },
    /// Copy as it is, symbolic links and modes too, into `to/`[`WHOLE`], which is there once all of it is.
    Keep {
        /// The folder to read.
        from: String,
        /// The folder in which to make the copy.
        to: String,
        /// The most bytes to copy; with more, it fails.
        most: u64,
    },
    /// Copy `from/`[`WHOLE`] as it is into an empty folder.
    Restore {
        /// The folder [`FilesTask::Keep`] has filled.
        from: String,
        /// The folder to fill.
        to: String,
    },
}

/// The folder in which a whole copy stands.
pub const WHOLE: &str = "whole";

/// How a [`FilesTask`] went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesReport {
    /// Regular files that were counted or copied.
    pub files: u64,
    /// Folders, the top one apart.
    pub folders: u64,
    /// Bytes in those files.
    pub bytes: u64,
    /// The first files, for [`FilesTask::Look`] alone.
    pub found: Vec<FoundFile>,
    /// What was left out, or is not as it was; the first of it.
    pub remarks: Vec<FileRemark>,
    /// How many more such remarks there are.
    pub more_remarks: u64,
}

/// A file of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFile {
    /// Its path within the workspace's folder. The server's word: show it escaped.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What is to be said of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRemark {
    /// Its path within the workspace's folder, shortened. The server's word: show it escaped.
    pub path: String,
    /// What became of it.
    pub what: FileFate,
    /// More, for people: the system's error, the name it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of a file that was not simply copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFate {
    /// A symbolic link, left out.
    Symlink,
    /// A named pipe, a socket or a device, left out.
    Special,
    /// Larger than what was left of the bytes that may be copied, left out.
    TooLarge,
    /// In more folders than are followed, left out with all in it.
    TooDeep,
    /// Not readable, or with a name the target cannot have: left out.
    Unusable,
    /// It changed while it was copied: the copy may be torn.
    Changed,
    /// Copied under another name, since its own has characters that can mislead.
    Renamed,
    /// From here on everything is left out: there are more files than are copied.
    TooMany,
}
