use std::{future::pending, time::Duration};

use caisson_wire::{AirlockEvent, Exit, ProcessId};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use crate::{output::Output, process::Process, processes::Processes, sessions::Sessions};

/// The name of a spare that no session has taken.
const SPARE: ProcessId = ProcessId(0);
/// How long a session that has just begun has the processor to itself, before the next spare is started.
const HEAD_START: Duration = Duration::from_millis(500);

/// Asks for the process that is kept warm for the next session. It has been fed nothing, and nothing it
/// wrote has been read.
#[derive(Clone)]
pub(crate) struct Spare(mpsc::Sender<oneshot::Sender<Process>>);

/// Keeps one process warm.
struct Keeper {
    sessions: Sessions,
    processes: Processes,
    process: Option<Process>,
    start_at: Option<Instant>,
}

impl Spare {
    /// Starts the first spare, and another after each session begins. One that ends unasked is not replaced
    /// before the next session begins: a server that cannot run is not started over and over.
    pub(crate) fn keep(sessions: Sessions, processes: Processes) -> Self {
        let (asks, asked) = mpsc::channel(1);
        let keeper = Keeper { sessions, processes, process: None, start_at: Some(Instant::now()) };
        tokio::spawn(keeper.run(asked));
        Self(asks)
    }

    /// The spare, if there is one.
    pub(crate) async fn take(&self) -> Option<Process> {
        let (give, given) = oneshot::channel();
        self.0.send(give).await.ok()?;
        given.await.ok()
    }
}

impl Keeper {
    async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<Process>>) {
        loop {
            tokio::select! {
                // First, so that no session is given a process that is known to have ended.
                biased;
                exit = ended(&mut self.process) => {
                    if let Some(process) = self.process.take() {
                        tokio::spawn(report(self.processes.clone(), process, exit));
                    }
                }
                ask = asked.recv() => {
                    let Some(give) = ask else { return };
                    if let Some(process) = self.process.take() {
                        // A session that has gone meanwhile leaves the spare to the next.
                        self.process = give.send(process).err();
                    }
                    self.start_at = self.process.is_none().then(|| Instant::now() + HEAD_START);
                }
                () = due(self.start_at) => {
                    self.start_at = None;
                    self.process = self.start();
                }
            }
        }
    }

    fn start(&self) -> Option<Process> {
        let started = self.sessions.start(&self.processes.reaper);
        let warn = |error| self.processes.events.warn(format!("no spare process could be started: {error}"));
        started.map_err(warn).ok()
    }
}

async fn ended(process: &mut Option<Process>) -> Exit {
    match process {
        Some(process) => process.ending.wait().await,
        None => pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// Tells the host that a spare ended unasked, and what it said on standard error.
async fn report(processes: Processes, process: Process, exit: Exit) {
    let (_end, ended) = watch::channel(true);
    // What cannot be sent is not missed: the exit is what counts.
    drop(Output::new(process.errors, ended).send_apart(SPARE, processes.opener.clone()).await);
    processes.events.tell(AirlockEvent::Exited { process: SPARE, exit }).await;
}
