//! Where the record is, and connections to it: one that writes, and as many that read.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{AuditError, chain::Hash};
use crate::registry::state::create_private;

/// How long a statement waits for another program that holds the file.
const BUSY: Duration = Duration::from_secs(1);

/// What brings the file from one version of its schema to the next.
const SCHEMAS: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// The place of a record.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    /// In memory, under a name of its own, for as long as a connection is open.
    Memory(String),
}

impl Place {
    pub(super) fn memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::Memory(format!("file:audit-{number}?mode=memory&cache=shared"))
    }

    /// A connection that writes. Makes the file, readable by the user alone, where there is none.
    pub(super) fn writer(&self) -> Result<Connection, AuditError> {
        if let Self::File(path) = self {
            create_private(path).map_err(|error| self.fault(error))?;
        }
        let made = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|mut db| {
            db.busy_timeout(BUSY)?;
            db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            // NORMAL: what is committed outlasts the process; only a power cut may take the last moment.
            db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;")?;
            migrate(&mut db)?;
            Ok(db)
        });
        made.map_err(|error| self.fault(error))
    }

    /// A connection that reads what was committed before.
    pub(super) fn reader(&self) -> Result<Connection, AuditError> {
        let flags = match self {
            Self::File(_) => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Self::Memory(_) => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let made = self.connect(flags).and_then(|db| {
            db.busy_timeout(BUSY)?;
            db.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON;")?;
            if matches!(self, Self::Memory(_)) {
                // A shared cache has locks of its own, which do not wait.
                db.execute_batch("PRAGMA read_uncommitted = ON")?;
            }
            Ok(db)
        });
        made.map_err(|error| self.fault(error))
    }

    fn connect(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match self {
            // No URI flag: a path is a path, whatever stands in it.
            Self::File(path) => Connection::open_with_flags(path, flags),
            Self::Memory(uri) => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI),
        }
    }

    pub(super) fn fault(&self, why: impl ToString) -> AuditError {
        let path = match self {
            Self::File(path) => path.as_path(),
            Self::Memory(_) => Path::new("in memory"),
        };
        AuditError::File { path: path.display().to_string(), why: why.to_string() }
    }
}

fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    let known: usize = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for schema in SCHEMAS.iter().skip(known) {
        transaction.execute_batch(schema)?;
    }
    if known < SCHEMAS.len() {
        transaction.pragma_update(None, "user_version", SCHEMAS.len())?;
    }
    transaction.commit()
}

/// The hash that the first entry follows from.
pub(super) fn beginning(db: &Connection) -> rusqlite::Result<Hash> {
    db.query_row("SELECT hash FROM anchor", [], |row| row.get(0))
}
