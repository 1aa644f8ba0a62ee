use std::{
    collections::HashMap,
    io,
    os::unix::process::CommandExt,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use caisson_wire::Exit;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, set_child_subreaper, wait};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::family;

/// Ends reaped before other tasks have their turn: a server that forks without end must not hold up the rest.
const AT_A_TIME: usize = 256;

/// The only place that starts and reaps processes.
///
/// Orphans of the whole container become children of PID 1, so one loop waits for any child. Everything
/// runs on one thread, and nothing is awaited between the start of a process and its entry here: its end
/// cannot be reaped before somebody waits for it.
#[derive(Clone, Default)]
pub(crate) struct Reaper(Arc<Mutex<HashMap<Pid, oneshot::Sender<Exit>>>>);

impl Reaper {
    pub(crate) fn start() -> io::Result<Self> {
        // PID 1 is one anyway. Elsewhere, as in tests, orphans come here too.
        set_child_subreaper(Some(rustix::process::getpid()))?;
        let mut ended = signal(SignalKind::child())?;
        let reaper = Self::default();
        let reaping = reaper.clone();
        tokio::spawn(async move {
            while ended.recv().await.is_some() {
                while reaping.reap() {
                    tokio::task::yield_now().await;
                }
            }
        });
        Ok(reaper)
    }

    /// Starts a process, to be the first of a group of its own.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<(Pid, oneshot::Receiver<Exit>)> {
        let mut waiting = self.waiting();
        let mut child = command.process_group(0).spawn()?;
        let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
            child.kill()?;
            return Err(io::Error::other("the process has no number"));
        };
        let (end, ended) = oneshot::channel();
        waiting.insert(pid, end);
        Ok((pid, ended))
    }

    /// Whether a process that was started here has not been reaped.
    pub(crate) fn any(&self) -> bool {
        !self.waiting().is_empty()
    }

    /// Sends a signal to every process that was started here, and to all they started.
    pub(crate) fn signal_all(&self, signal: Signal) {
        self.waiting().keys().for_each(|pid| family::signal(*pid, signal));
    }

    /// Reaps what has ended; whether there may be more.
    fn reap(&self) -> bool {
        for _ in 0..AT_A_TIME {
            let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) else { return false };
            let Some(exit) = exit(status) else { continue };
            let Some(waiter) = self.waiting().remove(&pid) else { continue };
            // What a process leaves running in its group has nobody to speak to.
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = waiter.send(exit);
        }
        true
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Pid, oneshot::Sender<Exit>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exit(status: WaitStatus) -> Option<Exit> {
    status.exit_status().map(Exit::Code).or_else(|| status.terminating_signal().map(Exit::Signal))
}
