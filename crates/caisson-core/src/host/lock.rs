//! The lock that lets one process own a home.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::PathBuf,
    thread,
    time::Duration,
};

use super::Paths;
use crate::control::api::{ApiError, ErrorCode};

/// Held by the owner; free again with the process, however it ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never looked at")] File);

/// Why a home cannot be owned.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process owns it.
    #[error("another Caisson runs already ({0})")]
    Held(String),
    /// The lock file cannot be used.
    #[error("{} cannot be locked: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    pub(super) fn take(paths: &Paths, role: &str) -> Result<Self, LockError> {
        let path = paths.lock();
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&paths.data).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        // `is_running` holds the lock for a moment when it looks.
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < 10 => {
                    tries += 1;
                    thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut file))),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        // Who holds it is for people alone: the lock itself is what counts.
        let told = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(format!("{role}, process {}", std::process::id()).as_bytes()));
        if let Err(error) = told {
            tracing::debug!(%error, "the lock does not say who holds it");
        }
        Ok(Self(file))
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(128).read_to_string(&mut text) {
        Ok(1..) => text.escape_debug().to_string(),
        Ok(0) | Err(_) => "it did not say which process it is".to_owned(),
    }
}

/// Whether a process owns the home. It may have ended by the time this answers.
pub fn is_running(paths: &Paths) -> bool {
    match File::open(paths.lock()) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

impl From<LockError> for ApiError {
    fn from(error: LockError) -> Self {
        let fix = match &error {
            LockError::Held(_) => "use it, or stop it with `caisson daemon --stop`",
            LockError::Io { .. } => {
                "check that the folder is yours and has room, or set CAISSON_HOME to another"
            }
        };
        let code = match &error {
            LockError::Held(_) => ErrorCode::Busy,
            LockError::Io { .. } => ErrorCode::Storage,
        };
        Self::new(code, error.to_string()).fix(fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owns_it_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path(), "/a".into(), "/h".into());
        assert!(!is_running(&paths));
        let lock = Lock::take(&paths, "daemon").unwrap();
        assert!(is_running(&paths));
        let error = Lock::take(&paths, "desktop").unwrap_err();
        assert!(error.to_string().contains(&format!("daemon, process {}", std::process::id())), "{error}");
        drop(lock);
        assert!(!is_running(&paths));
        Lock::take(&paths, "desktop").unwrap();
    }
}
