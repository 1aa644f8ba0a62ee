use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rusqlite::{OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use crate::{
    model::Endpoint,
    registry::{State, StateError},
};

/// What is remembered of a client's file, so that it can be undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// SHA-256 of what Caisson wrote last; none when it has not written, or has taken all of its own out.
    written: Option<String>,
    /// The copy of the file as it was before; none when there was no file.
    pub(super) original: Option<PathBuf>,
    /// Whether that copy has no entry of ours.
    pub(super) clean: bool,
    /// The servers Caisson connected.
    pub(super) servers: BTreeSet<Endpoint>,
    /// Whether it begins with this change.
    new: bool,
}

impl Record {
    /// Of a file others have changed, or none was known of: what it was counts as the original.
    pub(super) fn begin(new: Option<&[u8]>, clean: bool, servers: BTreeSet<Endpoint>) -> Self {
        Self { written: new.map(hash), original: None, clean, servers, new: true }
    }

    /// Of a file that was as Caisson had left it. The original stays, but may no longer be clean.
    pub(super) fn then(&self, new: Option<&[u8]>, clean: bool, servers: BTreeSet<Endpoint>) -> Self {
        let original = self.original.clone();
        Self { written: new.map(hash), original, clean: self.clean && clean, servers, new: false }
    }

    /// Whether it wants a copy of the file to begin with.
    pub(super) fn is_new(&self) -> bool {
        self.new && !self.servers.is_empty()
    }

    /// With the copy of the file that was just made, if the record begins with it.
    pub(super) fn with_copy(self, copy: PathBuf) -> Self {
        if self.new { Self { original: Some(copy), ..self } } else { self }
    }

    /// Whether `bytes` is what Caisson wrote last.
    pub(super) fn wrote(&self, bytes: Option<&[u8]>) -> bool {
        self.written.is_some() && self.written == bytes.map(hash)
    }

    pub(super) fn load(state: &State, file: &Path) -> Result<Self, StateError> {
        let file = key(file);
        state.with(|db| {
            let mut record = db
                .query_row(
                    "SELECT written, original, clean FROM client_files WHERE file = ?1",
                    [&file],
                    |row| {
                        Ok(Self {
                            written: row.get(0)?,
                            original: row.get::<_, Option<String>>(1)?.map(PathBuf::from),
                            clean: row.get(2)?,
                            servers: BTreeSet::new(),
                            new: false,
                        })
                    },
                )
                .optional()?
                .unwrap_or_default();
            let mut servers = db.prepare("SELECT server FROM client_entries WHERE file = ?1")?;
            for server in servers.query_map([&file], |row| row.get::<_, String>(0))? {
                // Only names were written.
                record.servers.extend(server?.parse().ok());
            }
            Ok(record)
        })
    }

    pub(super) fn save(&self, state: &State, file: &Path) -> Result<(), StateError> {
        let file = key(file);
        // With nothing of ours in it, a file is no business of ours.
        let written = self.written.as_ref().filter(|_| !self.servers.is_empty());
        let original = self.original.as_deref().map(key);
        state.with(|db| {
            let change = db.transaction()?;
            change.execute("DELETE FROM client_files WHERE file = ?1", [&file])?;
            change.execute("DELETE FROM client_entries WHERE file = ?1", [&file])?;
            if let Some(written) = written {
                change.execute(
                    "INSERT INTO client_files (file, written, original, clean) VALUES (?1, ?2, ?3, ?4)",
                    params![file, written, original, self.clean],
                )?;
            }
            for server in &self.servers {
                change.execute(
                    "INSERT INTO client_entries VALUES (?1, ?2)",
                    params![file, server.to_string()],
                )?;
            }
            change.commit()
        })
    }
}

/// As hexadecimal digits.
pub(super) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A path that is no Unicode is kept so that it can be told from others; as a copy it is then not found.
fn key(path: &Path) -> String {
    path.to_str().map_or_else(|| format!("{path:?}"), str::to_owned)
}
