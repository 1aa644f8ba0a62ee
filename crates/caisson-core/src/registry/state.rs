//! What Caisson remembers beside the servers' files: which tokens exist, what secrets are called, what was
//! written into clients' files. One SQLite file, owned by one process. Never holds a secret or a token's text.

mod schema;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

/// How long a statement waits for another process that holds the file, such as a backup program.
const BUSY: Duration = Duration::from_secs(5);

/// The state file, open. Cheap to clone; all clones share one connection.
///
/// A call takes a short mutex and touches a few indexed rows, so it may be made from async code.
#[derive(Clone)]
pub struct State(Arc<Shared>);

struct Shared {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// Why the state could not be opened, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder or the file cannot be made or opened.
    #[error("the state file {} cannot be opened: {why}. Check that the folder exists and is yours", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is no SQLite database, or a damaged one.
    #[error(
        "the state file {} is damaged: {why}. Stop Caisson, move the file and its -wal and -shm companions away, \
         and start again: installed servers stay; tokens and client connections must be made anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// A newer Caisson has written the file.
    #[error(
        "the state file {} was written by a newer Caisson (schema {found}; this one knows {known}). \
         Install that version again, or use another CAISSON_HOME",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The disk is full; nothing was changed.
    #[error("the disk that holds {} is full, so nothing was changed. Free some space and try again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file may not be written.
    #[error("the state file {} is read-only. Make it and its folder writable for yourself", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the file.
    #[error("the state file {} is held by another program. Close what has it open and try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A statement failed for another reason.
    #[error("the state file {} could not be used: {source}", path.display())]
    Query {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl State {
    /// Opens the file, makes it (readable by the user alone) where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is damaged, or was written by a newer Caisson.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        create_private(path)
            .map_err(|error| StateError::Open { path: path.to_owned(), why: error.to_string() })?;
        // No URI flag: a path is a path, whatever stands in it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| translate(path, error))?;
        Self::prepare(path, connection)
    }

    /// A state that lives in memory and ends with the process: for tests.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub fn in_memory() -> Result<Self, StateError> {
        let path = Path::new(":memory:");
        Self::prepare(path, Connection::open_in_memory().map_err(|error| translate(path, error))?)
    }

    /// Runs `work` on the connection, alone. For several statements that belong together, use a transaction:
    /// it is rolled back when `work` fails.
    ///
    /// # Errors
    /// What `work` returns, with the file's name and what to do.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        // A panic in `work` has rolled its transaction back, so the connection stays good.
        let mut connection = self.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| translate(&self.0.path, error))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The random name of this state: it tells containers and keychain entries of one `CAISSON_HOME` from those
    /// of another. Made when the file is made.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn home_id(&self) -> Result<String, StateError> {
        self.with(|db| db.query_row("SELECT value FROM meta WHERE key = 'home_id'", [], |row| row.get(0)))
    }

    /// A small value kept under `key`, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn value(&self, key: &str) -> Result<Option<String>, StateError> {
        self.with(|db| {
            db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
        })
    }

    /// Keeps a small value under `key`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_value(&self, key: &str, value: &str) -> Result<(), StateError> {
        self.with(|db| {
            db.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
                params![key, value],
            )
            .map(drop)
        })
    }

    /// Forgets the small value under `key`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remove_value(&self, key: &str) -> Result<(), StateError> {
        self.with(|db| db.execute("DELETE FROM meta WHERE key = ?1", [key]).map(drop))
    }

    fn prepare(path: &Path, mut connection: Connection) -> Result<Self, StateError> {
        configure(&connection).map_err(|error| translate(path, error))?;
        let found = schema::migrate(&mut connection).map_err(|error| translate(path, error))?;
        if let schema::Migrated::Newer { found } = found {
            return Err(StateError::Newer { path: path.to_owned(), found, known: schema::NEWEST });
        }
        Ok(Self(Arc::new(Shared { path: path.to_owned(), connection: Mutex::new(connection) })))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.0.path).finish()
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // In memory there is no WAL; SQLite answers with the mode it has chosen instead.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // FULL: a revoked token must stay revoked after a power cut. Writes are few, and none is on a call's way.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;",
    )
}

/// SQLite gives its companions the mode of the file itself, so that is set before it is first opened.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn translate(path: &Path, error: rusqlite::Error) -> StateError {
    let path = path.to_owned();
    let is = |codes: &[ErrorCode]| error.sqlite_error_code().is_some_and(|code| codes.contains(&code));
    if is(&[ErrorCode::NotADatabase, ErrorCode::DatabaseCorrupt]) {
        StateError::Damaged { path, why: error.to_string() }
    } else if is(&[ErrorCode::DiskFull]) {
        StateError::Full { path }
    } else if is(&[ErrorCode::ReadOnly]) {
        StateError::ReadOnly { path }
    } else if is(&[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
        StateError::Busy { path }
    } else if is(&[ErrorCode::CannotOpen, ErrorCode::PermissionDenied]) {
        StateError::Open { path, why: error.to_string() }
    } else {
        StateError::Query { path, source: error }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
