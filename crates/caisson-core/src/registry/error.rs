use std::{io, path::PathBuf};

use super::text::Broken;
use crate::model::ServerName;

/// Why the registry could not do what was asked. What was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The folder of servers' files cannot be made or read.
    #[error("the folder of servers {} cannot be used: {source}. Check that it is a folder and yours", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A server's file cannot be read.
    #[error("{} cannot be read: {source}. Check that it is yours", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A server's file cannot be written or removed.
    #[error("{} was not changed: {source}. {}", path.display(), advice(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was edited and is broken: to write over it would lose the edit.
    #[error("{} was not changed, since it is broken in {broken}\nCorrect the file, or remove the server and install it again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        broken: Broken,
    },
    /// There is a value no file can hold.
    #[error("{name} cannot be written: {why}")]
    Unwritable {
        /// The file.
        name: String,
        /// Why.
        why: String,
    },
    /// There is a server of this name.
    #[error("there is a server named {0} already. Remove it first, or choose another name")]
    Exists(ServerName),
    /// There is no server of this name.
    #[error("there is no server named {0}. `caisson list` shows those there are")]
    Missing(ServerName),
    /// The thread that watches the folder cannot be started.
    #[error("the folder of servers cannot be watched: {0}. Close some programs and start Caisson again")]
    Watch(io::Error),
}

fn advice(error: &io::Error) -> &'static str {
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    if is(&[io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded]) {
        "Free some space and try again"
    } else if is(&[io::ErrorKind::ReadOnlyFilesystem]) {
        "It lies on a read-only disk: make that writable"
    } else if is(&[io::ErrorKind::TimedOut]) {
        "Wait a moment and try again"
    } else {
        "Check that the file and its folder are yours"
    }
}
