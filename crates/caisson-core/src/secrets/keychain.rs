//! Requests to the keychain: one at a time, each with a time limit, on a thread that may be given up.

#[cfg_attr(target_os = "macos", path = "keychain/macos.rs")]
#[cfg_attr(target_os = "windows", path = "keychain/windows.rs")]
#[cfg_attr(not(any(target_os = "macos", target_os = "windows")), path = "keychain/linux.rs")]
mod system;

mod memory;
mod os;

use std::{sync::Arc, thread, time::Duration};

use caisson_wire::SecretBytes;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, timeout_at},
};
use ts_rs::TS;

use super::SecretError;

/// So long a request may take. A person who is asked for the keychain's password types it within that.
const LIMIT: Duration = Duration::from_secs(30);
/// So many threads may hang in a keychain that never answers, before no more are started.
const MOST_THREADS: usize = 4;

/// Where secrets are kept. Cheap to clone.
#[derive(Clone)]
pub struct Keychain(Arc<Shared>);

struct Shared {
    open: Box<Open>,
    limit: Duration,
    /// One request at a time: a locked keychain shall show one window, not five.
    turn: Semaphore,
    /// Held by the threads themselves, for as long as they hang.
    threads: Arc<Semaphore>,
}

/// Connects anew for every request: a keychain that was not there a minute ago may be there now.
type Open = dyn Fn() -> Result<Box<dyn Store>, SecretError> + Send + Sync;

/// One connection to a keychain. Calls may block for any time.
pub(super) trait Store {
    fn set(&mut self, account: &str, label: &str, value: &[u8]) -> Result<(), SecretError>;
    fn get(&mut self, account: &str) -> Result<Option<SecretBytes>, SecretError>;
    /// False when there was nothing to remove.
    fn remove(&mut self, account: &str) -> Result<bool, SecretError>;
    /// Must not open a window.
    fn status(&mut self) -> Result<KeychainStatus, SecretError>;
}

/// How the keychain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "keychain", rename_all = "snake_case")]
pub enum KeychainStatus {
    /// It takes and gives secrets.
    Ready {
        /// What it is, for people.
        what: String,
    },
    /// It is there and locked; a request for a secret opens its window.
    Locked {
        /// How to unlock it.
        fix: String,
    },
    /// It cannot be used.
    Unusable {
        /// Why, and what to do.
        problem: String,
    },
}

impl Keychain {
    /// The operating system's own: Secret Service on Linux (found through the session bus that the process was
    /// started in), Keychain on macOS, Credential Manager on Windows.
    pub fn os() -> Self {
        Self::new(LIMIT, || Ok(Box::new(os::OsStore::open()?)))
    }

    /// One that is in memory and ends with the last clone: for tests.
    pub fn in_memory() -> Self {
        let store = memory::MemoryStore::default();
        Self::new(LIMIT, move || Ok(Box::new(store.clone())))
    }

    fn new(
        limit: Duration,
        open: impl Fn() -> Result<Box<dyn Store>, SecretError> + Send + Sync + 'static,
    ) -> Self {
        let threads = Arc::new(Semaphore::new(MOST_THREADS));
        Self(Arc::new(Shared { open: Box::new(open), limit, turn: Semaphore::new(1), threads }))
    }

    /// Runs `work` on a connection. When it takes too long, it is no longer waited for, but may still succeed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, SecretError> {
        let shared = &self.0;
        let end = Instant::now() + shared.limit;
        let no_answer = || SecretError::NoAnswer { seconds: shared.limit.as_secs() };
        let _turn = timeout_at(end, shared.turn.acquire()).await.map_err(|_| no_answer())?;
        let thread = Arc::clone(&shared.threads).try_acquire_owned().map_err(|_| SecretError::Stuck)?;
        let (sender, receiver) = oneshot::channel();
        let opener = Arc::clone(shared);
        thread::Builder::new()
            .name("caisson-keychain".into())
            .spawn(move || {
                let _thread = thread;
                let done = (opener.open)().and_then(|mut store| work(&mut *store));
                drop(sender.send(done));
            })
            .map_err(|error| SecretError::Refused { why: format!("no thread can be started: {error}") })?;
        match timeout_at(end, receiver).await {
            Ok(Ok(done)) => done,
            // The thread ended without a word: the library panicked.
            Ok(Err(_)) => Err(SecretError::Refused { why: "its library failed".into() }),
            Err(_) => Err(no_answer()),
        }
    }
}

#[cfg(test)]
mod tests;
