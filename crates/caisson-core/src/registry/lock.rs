use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// So long another writer may take: it holds the lock for one file alone.
const PATIENCE: Duration = Duration::from_secs(5);

/// The right to write in a folder, shared by all processes that ask for it here. Ends when dropped, and with the
/// process.
pub(super) struct FolderLock {
    _file: fs::File,
}

impl FolderLock {
    /// Waits for the right to write in `folder`.
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(folder.join(".lock"))?;
        let end = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                // Some network file systems have no locks; there the one daemon is lock enough.
                Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { _file: file });
                }
                Err(fs::TryLockError::Error(error)) => return Err(error),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < end => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another Caisson is writing there"));
                }
            }
        }
    }
}
