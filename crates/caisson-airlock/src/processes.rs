use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use caisson_wire::{AirlockEvent, Opener, ProcessId};
use rustix::process::{Pid, Signal};
use tokio::time::{sleep, timeout};

use crate::{events::Events, family, reaper::Reaper};

/// Processes at a time, the spare apart. A container allows fewer still, by its limit on processes.
const MOST_PROCESSES: usize = 112;
/// The longest grace the host may ask for.
const LONGEST_GRACE: Duration = Duration::from_secs(60);

/// The processes the host knows by name, each from its start to its reported end.
#[derive(Clone)]
pub(crate) struct Processes {
    pub(crate) reaper: Reaper,
    pub(crate) opener: Opener,
    pub(crate) events: Events,
    /// How long a process may take to end before it is made to.
    pub(crate) grace: Duration,
    named: Arc<Mutex<HashMap<ProcessId, Option<Pid>>>>,
}

/// A name that is taken, until this is dropped.
pub(crate) struct Place {
    pub(crate) process: ProcessId,
    pub(crate) processes: Processes,
}

impl Processes {
    pub(crate) fn new(reaper: Reaper, opener: Opener, events: Events, grace_ms: u64) -> Self {
        let grace = Duration::from_millis(grace_ms).min(LONGEST_GRACE);
        Self { reaper, opener, events, grace, named: Arc::default() }
    }

    /// Takes a name for a process to be started, or says why that cannot be.
    pub(crate) fn place(&self, process: ProcessId) -> Result<Place, String> {
        let mut named = self.named();
        if named.len() >= MOST_PROCESSES {
            return Err(format!("{MOST_PROCESSES} processes run already, the most there may be"));
        }
        match named.entry(process) {
            Entry::Occupied(_) => Err(format!("there is a process {} already", process.0)),
            Entry::Vacant(free) => {
                free.insert(None);
                Ok(Place { process, processes: self.clone() })
            }
        }
    }

    /// Carries out the host's order to signal a process and all it started.
    pub(crate) fn signal(&self, process: ProcessId, number: i32) {
        let signal = match number {
            15 => Signal::TERM,
            9 => Signal::KILL,
            _ => return self.events.warn(format!("signal {number} is not one the airlock sends")),
        };
        if let Some(Some(pid)) = self.named().get(&process) {
            family::signal(*pid, signal);
        }
    }

    /// Ends everything: SIGTERM, and after the grace SIGKILL.
    pub(crate) async fn end(&self) {
        self.reaper.signal_all(Signal::TERM);
        let all_gone = async {
            while self.reaper.any() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(self.grace, all_gone).await.is_err() {
            self.reaper.signal_all(Signal::KILL);
        }
    }

    fn named(&self) -> MutexGuard<'_, HashMap<ProcessId, Option<Pid>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The process runs: it can be signalled, and the host is told.
    pub(crate) async fn started(&self, pid: Pid) {
        self.processes.named().insert(self.process, Some(pid));
        let event = AirlockEvent::Started { process: self.process, pid: pid.as_raw_nonzero().get() };
        self.processes.events.tell(event).await;
    }

    /// The process was reaped: its number may soon be another's.
    pub(crate) fn reaped(&self) {
        self.processes.named().insert(self.process, None);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.processes.named().remove(&self.process);
    }
}
