//! What is known of the processes in one container: how each ended, and whether its log has been read.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use caisson_wire::{Exit, ProcessId};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

/// How long a process whose output has ended may take to be reported.
const REPORT: Duration = Duration::from_secs(10);
/// How long its last log lines may take after that.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ran and ended.
    Exited(Exit),
    /// It never ran.
    NotStarted(String),
}

#[derive(Debug)]
struct State {
    fate: watch::Sender<Option<Fate>>,
    /// Streams of standard error that are being read.
    reading: watch::Sender<usize>,
    /// Who wants standard error besides the log.
    tap: Option<mpsc::Sender<Bytes>>,
}

/// All processes somebody watches.
#[derive(Debug, Default)]
pub(super) struct Processes {
    states: Mutex<HashMap<ProcessId, Arc<State>>>,
    last: AtomicU64,
    /// Streams that have not said yet whose they are.
    introducing: watch::Sender<usize>,
}

/// A stream that has not said yet whose it is.
#[derive(Debug)]
pub(super) struct Introducing(watch::Sender<usize>);

/// A process somebody watches. Forgotten when dropped.
#[derive(Debug)]
pub(super) struct Process {
    id: ProcessId,
    state: Arc<State>,
    all: Arc<Processes>,
}

/// The reading of one stream of standard error.
#[derive(Debug)]
pub(super) struct Reading(Option<Arc<State>>);

impl Processes {
    /// Names a new process and watches it; `tap` gets its standard error too.
    pub(super) fn add(self: &Arc<Self>, tap: Option<mpsc::Sender<Bytes>>) -> Process {
        // 0 is the process that the airlock starts by itself.
        self.watch(ProcessId(self.last.fetch_add(1, Ordering::Relaxed) + 1), tap)
    }

    /// As [`Self::add`], unless `most` are watched already.
    pub(super) fn add_within(self: &Arc<Self>, most: usize) -> Option<Process> {
        let watched = self.states.lock().unwrap_or_else(PoisonError::into_inner).len();
        (watched < most).then(|| self.add(None))
    }

    /// Watches the process the airlock starts by itself.
    pub(super) fn first(self: &Arc<Self>) -> Process {
        self.watch(ProcessId(0), None)
    }

    fn watch(self: &Arc<Self>, id: ProcessId, tap: Option<mpsc::Sender<Bytes>>) -> Process {
        let state = State { fate: watch::Sender::new(None), reading: watch::Sender::new(0), tap };
        let state = Arc::new(state);
        self.states.lock().unwrap_or_else(PoisonError::into_inner).insert(id, state.clone());
        Process { id, state, all: self.clone() }
    }

    fn get(&self, id: ProcessId) -> Option<Arc<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Tells that a process has ended. Of one nobody watches, nobody is told.
    pub(super) fn ended(&self, id: ProcessId, fate: Fate) {
        if let Some(state) = self.get(id) {
            state.fate.send_replace(Some(fate));
        }
    }

    /// Tells that there is a stream of nobody knows which process, until the answer is dropped.
    pub(super) fn introducing(&self) -> Introducing {
        self.introducing.send_modify(|introducing| *introducing += 1);
        Introducing(self.introducing.clone())
    }

    /// Tells that a stream of a process's standard error is being read, until the answer is dropped.
    pub(super) fn reading(&self, id: ProcessId) -> Reading {
        let state = self.get(id);
        if let Some(state) = &state {
            state.reading.send_modify(|reading| *reading += 1);
        }
        Reading(state)
    }
}

impl Drop for Introducing {
    fn drop(&mut self) {
        self.0.send_modify(|introducing| *introducing = introducing.saturating_sub(1));
    }
}

impl Reading {
    /// Hands bytes to whoever taps the process's standard error.
    pub(super) async fn tap(&self, bytes: &[u8]) {
        if let Some(tap) = self.0.as_ref().and_then(|state| state.tap.as_ref()) {
            drop(tap.send(Bytes::copy_from_slice(bytes)).await);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.reading.send_modify(|reading| *reading = reading.saturating_sub(1));
        }
    }
}

impl Process {
    /// The name it goes by on the pipe.
    pub(super) fn id(&self) -> ProcessId {
        self.id
    }

    /// How it ended, and not before its log has been read. None when the airlock never says.
    pub(super) async fn fate(&self) -> Option<Fate> {
        let mut fate = self.state.fate.subscribe();
        let fate = timeout(REPORT, fate.wait_for(Option::is_some)).await.ok()?.ok()?.clone();
        self.log_read().await;
        fate
    }

    /// How it ended, however long that takes.
    pub(super) async fn end(&self) -> Option<Fate> {
        let mut fate = self.state.fate.subscribe();
        let fate = fate.wait_for(Option::is_some).await.ok()?.clone();
        self.log_read().await;
        fate
    }

    /// Waits until what it wrote to standard error has been read, for a moment at most.
    async fn log_read(&self) {
        let mut introducing = self.all.introducing.subscribe();
        let mut reading = self.state.reading.subscribe();
        let read = async {
            drop(introducing.wait_for(|introducing| *introducing == 0).await);
            drop(reading.wait_for(|reading| *reading == 0).await);
        };
        drop(timeout(LAST_LINES, read).await);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut states = self.all.states.lock().unwrap_or_else(PoisonError::into_inner);
        if states.get(&self.id).is_some_and(|state| Arc::ptr_eq(state, &self.state)) {
            states.remove(&self.id);
        }
    }
}
