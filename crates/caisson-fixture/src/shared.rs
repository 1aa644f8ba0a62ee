//! What the server remembers: for the process, and for one session of the legacy era.

#![expect(
    deprecated,
    reason = "logging is deprecated in the newest protocol; clients of the older ones have it"
)]

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::process::parent_id,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::model::LoggingLevel;
use tokio::sync::broadcast;

/// How many changes a slow listener may lag behind before it misses some.
const BACKLOG: usize = 256;

/// Something a client may have asked to be told of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources.
    Resources,
    /// The content of the resource with this URI.
    Resource(String),
}

/// What one process remembers, whoever asks.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    changes: broadcast::Sender<Change>,
    /// For subscriptions that are about to begin: what has changed since they were accepted.
    accepted: Arc<Mutex<VecDeque<broadcast::Receiver<Change>>>>,
    state: Arc<Mutex<State>>,
    /// Where cancelled calls are remembered, for all processes in one container.
    cancelled: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    touches: u64,
    extra_tool: bool,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let cancelled = Path::new("/tmp").join(format!("fixture-{}-cancelled", parent_id()));
        let changes = broadcast::Sender::new(BACKLOG);
        Self { changes, accepted: Arc::default(), state: Arc::default(), cancelled }
    }

    /// Tells every listener of a change; it is no matter if there is none.
    pub(crate) fn tell(&self, change: Change) {
        drop(self.changes.send(change));
    }

    /// Every change from here on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// A subscription was accepted: what changes before it begins is not lost to it.
    pub(crate) fn accept(&self) {
        locked(&self.accepted).push_back(self.changes());
    }

    /// Every change since a subscription was accepted.
    pub(crate) fn changes_since_accepted(&self) -> broadcast::Receiver<Change> {
        locked(&self.accepted).pop_front().unwrap_or_else(|| self.changes())
    }

    /// Remembers that the call of this name was cancelled. A bridge may end the process with the call.
    pub(crate) fn cancelled(&self, call: &str) {
        let file = OpenOptions::new().create(true).append(true).open(&self.cancelled);
        // In one write: other processes append to it too. Without a place to write, the test that asks for it fails.
        drop(file.and_then(|mut file| file.write_all(format!("{call}\n").as_bytes())));
    }

    /// The calls that were cancelled.
    pub(crate) fn all_cancelled(&self) -> Vec<String> {
        fs::read_to_string(&self.cancelled).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Counts one more touch of the watched resource.
    pub(crate) fn touch(&self) {
        locked(&self.state).touches += 1;
    }

    /// How often the watched resource was touched.
    pub(crate) fn touches(&self) -> u64 {
        locked(&self.state).touches
    }

    /// Puts the extra tool on the list, or takes it off; gives whether it is there.
    pub(crate) fn toggle_extra_tool(&self) -> bool {
        let mut state = locked(&self.state);
        state.extra_tool = !state.extra_tool;
        state.extra_tool
    }

    /// Whether the extra tool is on the list.
    pub(crate) fn has_extra_tool(&self) -> bool {
        locked(&self.state).extra_tool
    }
}

/// What one session of the legacy era remembers.
#[derive(Clone, Debug)]
pub(crate) struct Session(Arc<Mutex<Choices>>);

#[derive(Debug)]
struct Choices {
    subscribed: BTreeSet<String>,
    level: LoggingLevel,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Choices { subscribed: BTreeSet::new(), level: LoggingLevel::Debug })))
    }

    pub(crate) fn subscribe(&self, uri: String) {
        locked(&self.0).subscribed.insert(uri);
    }

    pub(crate) fn unsubscribe(&self, uri: &str) {
        locked(&self.0).subscribed.remove(uri);
    }

    pub(crate) fn is_subscribed(&self, uri: &str) -> bool {
        locked(&self.0).subscribed.contains(uri)
    }

    /// Logs nothing below `level` from here on.
    pub(crate) fn set_level(&self, level: LoggingLevel) {
        locked(&self.0).level = level;
    }

    pub(crate) fn level(&self) -> LoggingLevel {
        locked(&self.0).level
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
