//! Wakes the registry when its folder changes. Events only say "look again": what changed is found by looking.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Shared;

/// An editor's save is several events: wait until none came for so long, but not longer than [`LONGEST_SETTLE`].
const SETTLE: Duration = Duration::from_millis(100);
const LONGEST_SETTLE: Duration = Duration::from_secs(1);
/// A file that vanished is looked for again before it counts as removed: some editors move it away first.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Even with events the folder is looked at so often: network folders send none for others' changes.
const SELDOM: Duration = Duration::from_secs(10);
/// Without events, for instance when the system's limit of watches is reached, so often.
const OFTEN: Duration = Duration::from_secs(1);

/// Why the watching thread wakes.
pub(super) enum Wake {
    /// Something changed, or may have.
    Look,
    /// The registry is gone.
    Stop,
}

/// Starts the thread that watches `folders` (the outer one first) for as long as the registry lives.
pub(super) fn start(
    shared: Weak<Shared>,
    folders: Vec<PathBuf>,
    sender: mpsc::Sender<Wake>,
    receiver: mpsc::Receiver<Wake>,
) -> io::Result<()> {
    let mut sentry = Sentry::new(folders, sender);
    // Before the caller reads the folder for the first time, so that no change falls between.
    sentry.arm();
    thread::Builder::new().name("caisson-registry".into()).spawn(move || run(&shared, sentry, &receiver))?;
    Ok(())
}

fn run(shared: &Weak<Shared>, mut sentry: Sentry, receiver: &mpsc::Receiver<Wake>) {
    let mut wait = sentry.pause();
    loop {
        match receiver.recv_timeout(wait) {
            Ok(Wake::Look) => {
                if !settled(receiver) {
                    return;
                }
            }
            Ok(Wake::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        // Armed again before looking: a folder that was made anew is watched before it is read.
        sentry.arm();
        let Some(shared) = shared.upgrade() else { return };
        wait = if shared.look() { LOOK_AGAIN } else { sentry.pause() };
    }
}

/// Waits for a moment of silence. False when the registry is gone.
fn settled(receiver: &mpsc::Receiver<Wake>) -> bool {
    let end = Instant::now() + LONGEST_SETTLE;
    while Instant::now() < end {
        match receiver.recv_timeout(SETTLE) {
            Ok(Wake::Look) => {}
            Ok(Wake::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            Err(mpsc::RecvTimeoutError::Timeout) => return true,
        }
    }
    true
}

/// The system's watches on the folders. A watch holds on to a folder, not to its path: when the folder was
/// replaced, the path must be watched anew.
struct Sentry {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<(PathBuf, Option<Identity>)>,
}

impl Sentry {
    fn new(folders: Vec<PathBuf>, sender: mpsc::Sender<Wake>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Reading is an event too; to look at our own looking would never end.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                drop(sender.send(Wake::Look));
            }
        })
        .inspect_err(|error| tracing::warn!(%error, "no file events; looking every second instead"));
        Self { watcher: watcher.ok(), folders: folders.into_iter().map(|folder| (folder, None)).collect() }
    }

    fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for (folder, armed) in &mut self.folders {
            let found = Identity::of(folder);
            if found == *armed {
                continue;
            }
            if armed.is_some() {
                // The watch of a folder that is gone may be gone as well.
                drop(watcher.unwatch(folder));
            }
            *armed = None;
            if found.is_some() {
                match watcher.watch(folder, RecursiveMode::NonRecursive) {
                    Ok(()) => *armed = found,
                    Err(error) => {
                        tracing::warn!(%error, folder = %folder.display(), "cannot be watched; looking every second");
                    }
                }
            }
        }
    }

    fn pause(&self) -> Duration {
        let all = self.watcher.is_some() && self.folders.iter().all(|(_, armed)| armed.is_some());
        if all { SELDOM } else { OFTEN }
    }
}

/// What tells a folder from another that took its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    inode: (u64, u64),
    // File systems use a number again soon after it was freed.
    born: Option<std::time::SystemTime>,
}

impl Identity {
    fn of(folder: &Path) -> Option<Self> {
        let found = std::fs::metadata(folder).ok()?;
        Some(Self {
            #[cfg(unix)]
            inode: {
                use std::os::unix::fs::MetadataExt as _;
                (found.dev(), found.ino())
            },
            born: found.created().ok(),
        })
    }
}
