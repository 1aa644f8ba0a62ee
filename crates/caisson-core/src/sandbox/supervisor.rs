//! One task a server: it owns the server's container, does what the state machine says, and lets sessions in.

use std::sync::{Arc, atomic::Ordering};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    SandboxError, Session, StartError,
    allowance::Allowance,
    entrance,
    era::Front,
    lease::Lease,
    life::{self, Circumstances, Effect, Life, LifeEvent, Refused, Then},
    link::{Ended, Link},
    logs::Logs,
    missed::{self, Missing},
    outbound,
    start::{Common, Start},
    traffic::Book,
    vitals::Vitals,
};
use crate::{
    audit::{Happening, Phase},
    gate::CallerId,
    model::{Event, LifeSettings, Server, ServerName, ServerState, utc},
};

/// How long a server may take to stop when asked, before it is killed.
const PATIENCE: Duration = Duration::from_secs(4);

/// Answers one who asks.
pub(super) type Reply<T> = oneshot::Sender<Result<T, SandboxError>>;

/// What a supervisor is asked.
#[derive(Debug)]
pub(super) enum Ask {
    /// Run; answered when the server runs.
    Start(Reply<()>),
    /// Stop; answered when no container is left.
    Stop(Reply<()>),
    /// Stop and run.
    Restart(Reply<()>),
    /// Open a session for a caller, or for whoever comes, and run for it.
    Open(Option<CallerId>, Reply<Session>),
    /// The server's definition is a new one.
    Changed,
    /// What was paused may run again.
    Resumed,
    /// Stop, and end the supervisor.
    End(Reply<()>),
}

/// What a supervisor is told by its own tasks. `run` numbers its containers: news of an earlier one is old.
#[derive(Debug)]
pub(super) enum Note {
    /// A start has come to its end.
    Up { run: u64, result: Result<UpLink, Arc<StartError>> },
    /// The container has ended.
    Ended { run: u64, end: Ended },
    /// The container was stopped.
    Halted { run: u64 },
    /// A session's server has answered.
    Healthy { run: u64 },
    /// A session's process failed before it answered.
    Failed { run: u64, reason: String },
    /// A session was closed.
    Closed { run: u64 },
}

/// A link on its way to the supervisor.
pub(super) struct UpLink(pub(super) Arc<Link>);

impl std::fmt::Debug for UpLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UpLink({})", self.0.container())
    }
}

/// What everybody else holds of a supervisor.
#[derive(Debug)]
pub(super) struct Handle {
    /// Each who asks waits for the answer, so that no more wait here than ask.
    pub(super) asks: mpsc::UnboundedSender<Ask>,
    pub(super) state: watch::Receiver<ServerState>,
    pub(super) server: watch::Sender<Arc<Server>>,
    pub(super) allowance: Arc<Allowance>,
    pub(super) book: Book,
    pub(super) logs: Logs,
    pub(super) vitals: watch::Receiver<Vitals>,
    /// What speaks to the server for clients of either era.
    pub(super) front: Arc<Front>,
}

impl Handle {
    /// Begins to supervise a server. Nothing is started yet.
    pub(super) fn supervise(name: ServerName, server: Server, common: Arc<Common>) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let allowance = Arc::new(Allowance::new(&server.permissions));
        let book = Book::new(common.clock);
        let (server, server_seen) = watch::channel(Arc::new(server));
        let (state_sender, state) = watch::channel(ServerState::Stopped);
        let (vitals_sender, vitals) = watch::channel(Vitals::default());
        let (notes, noted) = mpsc::unbounded_channel();
        let logs = Logs::new(common.clock);
        let pins = common.pins.clone();
        let supervisor = Supervisor {
            name: name.clone(),
            common: common.clone(),
            server: server_seen,
            allowance: allowance.clone(),
            book: book.clone(),
            logs: logs.clone(),
            state: state_sender,
            vitals: vitals_sender,
            notes,
            life: Life::Stopped,
            run: 0,
            link: None,
            cancel: CancellationToken::new(),
            last_error: None,
            opening: Vec::new(),
            starting: Vec::new(),
            stopping: Vec::new(),
            ending: None,
        };
        tokio::spawn(supervisor.supervise(asked, noted));
        tokio::spawn(missed::watch(Missing {
            server: name.clone(),
            folders: server.subscribe(),
            missed: logs.missed(),
            places: common.places.clone(),
            book: book.clone(),
            events: common.events.clone(),
        }));
        let front = Front::new(name, asks.clone(), server.subscribe(), state.clone(), logs.clone(), pins);
        let front = Arc::new(front);
        if server.borrow().life.always_on {
            // Nobody waits for it; how it goes is to be seen in its state.
            drop(asks.send(Ask::Start(oneshot::channel().0)));
        }
        Self { asks, state, server, allowance, book, logs, vitals, front }
    }
}

struct Supervisor {
    name: ServerName,
    common: Arc<Common>,
    server: watch::Receiver<Arc<Server>>,
    allowance: Arc<Allowance>,
    book: Book,
    logs: Logs,
    state: watch::Sender<ServerState>,
    vitals: watch::Sender<Vitals>,
    notes: mpsc::UnboundedSender<Note>,
    life: Life,
    /// The number of the latest container.
    run: u64,
    link: Option<Arc<Link>>,
    /// Stops the start that is under way.
    cancel: CancellationToken,
    last_error: Option<Arc<StartError>>,
    opening: Vec<(Option<CallerId>, Reply<Session>)>,
    starting: Vec<Reply<()>>,
    stopping: Vec<Reply<()>>,
    ending: Option<Reply<()>>,
}

impl Supervisor {
    /// Runs until everybody has let go of it, or it was asked to end. What it still holds then is dropped,
    /// and with it the container.
    async fn supervise(
        mut self,
        mut asks: mpsc::UnboundedReceiver<Ask>,
        mut notes: mpsc::UnboundedReceiver<Note>,
    ) {
        let mut rules = self.allowance.rules();
        loop {
            let settings = self.settings();
            let deadline = self.life.deadline(&settings);
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => self.asked(ask),
                    None => return,
                },
                Some(note) = notes.recv() => self.noted(note),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.step(LifeEvent::Tick);
                }
                Ok(()) = rules.changed() => self.allow().await,
            }
            if self.ending.is_some() && !matches!(self.life, Life::Starting { .. } | Life::Stopping { .. }) {
                if let Some(reply) = self.ending.take() {
                    drop(reply.send(Ok(())));
                }
                return;
            }
        }
    }

    fn asked(&mut self, ask: Ask) {
        // Whoever asks, this is where a start begins.
        let paused = self.common.paused.load(Ordering::SeqCst);
        match ask {
            Ask::Start(reply) | Ask::Restart(reply) if paused => drop(reply.send(Err(SandboxError::Paused))),
            Ask::Open(_, reply) if paused => drop(reply.send(Err(SandboxError::Paused))),
            Ask::Start(reply) => {
                self.starting.push(reply);
                self.step(LifeEvent::StartAsked);
            }
            Ask::Restart(reply) => {
                self.starting.push(reply);
                self.step(LifeEvent::RestartAsked);
            }
            Ask::Open(caller, reply) => {
                self.opening.push((caller, reply));
                self.step(LifeEvent::Wanted);
            }
            Ask::Stop(reply) => {
                self.stopping.push(reply);
                self.step(LifeEvent::StopAsked);
            }
            Ask::Changed => {
                self.step(LifeEvent::Changed);
                self.keep_on();
            }
            Ask::Resumed => self.keep_on(),
            Ask::End(reply) => {
                self.ending = Some(reply);
                self.step(LifeEvent::StopAsked);
            }
        }
    }

    /// Starts a server that is always on and does not run.
    fn keep_on(&mut self) {
        let paused = self.common.paused.load(Ordering::SeqCst);
        if !paused && self.settings().always_on && matches!(self.life, Life::Stopped | Life::Failed { .. }) {
            self.step(LifeEvent::StartAsked);
        }
    }

    fn noted(&mut self, note: Note) {
        let (Note::Up { run, .. }
        | Note::Ended { run, .. }
        | Note::Halted { run }
        | Note::Healthy { run }
        | Note::Failed { run, .. }
        | Note::Closed { run }) = note;
        if run != self.run {
            return;
        }
        let stopping = matches!(self.life, Life::Stopping { .. });
        match note {
            // Stopped while it was coming up: it is taken down at once.
            Note::Up { result: Ok(UpLink(link)), .. } if stopping => self.halt(link),
            Note::Up { result: Err(_), .. } if stopping => self.step(LifeEvent::Halted),
            Note::Up { result: Ok(UpLink(link)), .. } => {
                self.watch(&link);
                let now = utc::millis((self.common.clock)());
                self.vitals.send_modify(|vitals| vitals.came_up(link.container(), now));
                self.link = Some(link);
                self.step(LifeEvent::Started);
            }
            Note::Up { result: Err(error), .. } => {
                let reason = error.to_string();
                self.logs.note(&format!("could not be started: {reason}"));
                self.vitals.send_modify(Vitals::failed);
                self.note(Happening::NotStarted { reason: reason.clone() });
                let may_pass = error.may_pass();
                self.last_error = Some(error);
                self.step(LifeEvent::StartFailed { reason, may_pass });
            }
            // It ends because it is being stopped; `Halted` follows, or was faster.
            Note::Ended { .. } if stopping || self.link.is_none() => {}
            Note::Ended { end, .. } => {
                self.logs.note(&format!("has ended: {}", end.reason));
                self.link = None;
                self.vitals.send_modify(Vitals::failed);
                self.over(Happening::Ended { reason: end.reason.clone() });
                self.step(LifeEvent::Ended { reason: end.reason });
            }
            Note::Halted { .. } => {
                self.over(Happening::Stopped);
                self.step(LifeEvent::Halted);
            }
            Note::Healthy { .. } => self.step(LifeEvent::Healthy),
            Note::Failed { reason, .. } => self.step(LifeEvent::ProcessFailed { reason }),
            Note::Closed { .. } => self.step(LifeEvent::SessionClosed),
        }
    }

    /// Takes a step of the machine and does what it says.
    fn step(&mut self, event: LifeEvent) {
        let settings = self.settings();
        let jitter = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
        let at = Circumstances { now: Instant::now(), settings: &settings, jitter };
        let effects = life::step(&mut self.life, event, &at);
        // First: who is answered by an effect and looks then, sees what it was told.
        self.publish();
        for effect in effects {
            match effect {
                Effect::Start => self.start(),
                Effect::Stop => match self.link.take() {
                    Some(link) => self.halt(link),
                    None => self.cancel.cancel(),
                },
                Effect::Admit => self.admit(),
                Effect::Refuse(why) => self.refuse(&why),
            }
        }
        if !matches!(self.life, Life::Stopping { then: Then::Stay | Then::Start | Then::Fail { .. } }) {
            for reply in self.stopping.drain(..) {
                drop(reply.send(Ok(())));
            }
        }
    }

    fn start(&mut self) {
        self.run += 1;
        self.cancel = CancellationToken::new();
        let start = Start {
            name: self.name.clone(),
            server: self.server.borrow().clone(),
            rules: self.allowance.rules(),
            book: self.book.clone(),
            logs: self.logs.clone(),
            common: self.common.clone(),
            cancel: self.cancel.clone(),
        };
        let (run, notes) = (self.run, self.notes.clone());
        tokio::spawn(async move {
            let result = start.bring_up().await.map(UpLink).map_err(Arc::new);
            // When the supervisor is gone, this drops the link and so ends the container.
            drop(notes.send(Note::Up { run, result }));
        });
    }

    fn halt(&self, link: Arc<Link>) {
        let (run, notes) = (self.run, self.notes.clone());
        tokio::spawn(async move {
            link.stop(PATIENCE).await;
            drop(notes.send(Note::Halted { run }));
        });
    }

    fn watch(&self, link: &Link) {
        let (run, notes) = (self.run, self.notes.clone());
        let mut end = link.end();
        tokio::spawn(async move {
            let Ok(Some(end)) = end.wait_for(Option::is_some).await.map(|end| end.clone()) else { return };
            drop(notes.send(Note::Ended { run, end }));
        });
    }

    /// Lets in those who wait. A session is counted before it is open, so that nothing stops the server
    /// meanwhile.
    fn admit(&mut self) {
        for reply in self.starting.drain(..) {
            drop(reply.send(Ok(())));
        }
        let Some(link) = self.link.clone() else { return };
        for (caller, reply) in std::mem::take(&mut self.opening) {
            // One that has stopped waiting opens nothing.
            if reply.is_closed() {
                continue;
            }
            self.step(LifeEvent::SessionOpened);
            let lease = Arc::new(Lease::new(self.run, self.notes.clone()));
            let entrance = entrance::Entrance {
                name: self.name.clone(),
                server: self.server.borrow().clone(),
                link: link.clone(),
                logs: self.logs.clone(),
                lease,
                caller,
            };
            tokio::spawn(async move { drop(reply.send(entrance.open().await)) });
        }
    }

    fn refuse(&mut self, why: &Refused) {
        let server = self.name.clone();
        let error = match why {
            Refused::Stopped => SandboxError::Stopped(server),
            Refused::GaveUp(reason) => SandboxError::GaveUp { server, reason: reason.clone() },
            Refused::Failed(reason) => {
                let cause = self.last_error.clone();
                let cause = cause.unwrap_or_else(|| Arc::new(StartError::Airlock(reason.clone())));
                SandboxError::Start { server, cause }
            }
        };
        for reply in self.starting.drain(..) {
            drop(reply.send(Err(error.clone())));
        }
        for (_, reply) in self.opening.drain(..) {
            drop(reply.send(Err(error.clone())));
        }
    }

    async fn allow(&mut self) {
        let Some(link) = self.link.clone() else { return };
        let rules = self.allowance.rules().borrow().clone();
        link.allow(outbound::told(&rules)).await;
    }

    /// The container is gone, and with it what was allowed while it ran.
    fn over(&self, happening: Happening) {
        self.note(happening);
        self.vitals.send_modify(Vitals::is_gone);
        self.allowance.take_back(None);
    }

    fn note(&self, happening: Happening) {
        self.common.audit.note(&self.name, Phase::Run, happening);
    }

    fn publish(&self) {
        let state = self.life.state();
        let server = self.name.clone();
        let news = self.state.send_if_modified(|seen| {
            let news = *seen != state;
            seen.clone_from(&state);
            news
        });
        if news {
            // Nobody watching is fine.
            drop(self.common.events.send(Event::State { server, state }));
        }
    }

    fn settings(&self) -> LifeSettings {
        self.server.borrow().life.clone()
    }
}
