//! A server's life: an explicit state machine. Pure: it is told what happened and what time it is, and says
//! what to do. It never runs two containers: only where none can exist does it ask for one.

use std::{mem, time::Duration};

use tokio::time::Instant;

use crate::model::{LifeSettings, ServerState};

/// The wait after the first failure; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The wait before a server that is always on is tried again, when what it failed of is the user's to mend, or the
/// engine's.
const ALWAYS_ON_WAIT: Duration = Duration::from_secs(60);

/// Where a server stands. `failures` counts those in a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Life {
    /// No container.
    Stopped,
    /// A container is being brought up.
    Starting { failures: u32 },
    /// A container runs. `healthy`: it has answered. `idle` is since when nobody uses it.
    Running { failures: u32, healthy: bool, sessions: usize, idle: Option<Instant> },
    /// A container is being taken down.
    Stopping { then: Then },
    /// No container; it failed, and is started again at `until`.
    Backoff { failures: u32, reason: String, until: Instant },
    /// No container; it failed. Unless `for_good`, the next session tries again; at the time `again`, nobody need ask.
    Failed { reason: String, for_good: bool, again: Option<Instant> },
}

/// What follows when a container has been taken down.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Then {
    Stay,
    Start,
    Fail { reason: String },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LifeEvent {
    /// A session wants the server.
    Wanted,
    /// The user wants it to run.
    StartAsked,
    /// The user wants it stopped.
    StopAsked,
    /// The user wants it stopped and started.
    RestartAsked,
    /// The user has changed the server.
    Changed,
    /// The container asked for runs.
    Started,
    /// The container asked for could not be brought up; none is left. `may_pass`: trying again could help.
    StartFailed { reason: String, may_pass: bool },
    /// The container has ended by itself.
    Ended { reason: String },
    /// The container to be stopped is gone.
    Halted,
    /// A session's process ended before it did anything; the container runs.
    ProcessFailed { reason: String },
    /// The server has answered.
    Healthy,
    /// A session was opened.
    SessionOpened,
    /// A session was closed.
    SessionClosed,
    /// Time has passed.
    Tick,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    /// Bring a container up. Answered by `Started` or `StartFailed`, or after `Stop` by `Halted`.
    Start,
    /// Take the container down, or stop bringing it up. Answered by `Halted`.
    Stop,
    /// Let those in who wait for the server.
    Admit,
    /// Send those away who wait for the server.
    Refuse(Refused),
}

/// Why those who wait are sent away.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refused {
    /// It was stopped.
    Stopped,
    /// It could not be started this time.
    Failed(String),
    /// It failed too often.
    GaveUp(String),
}

/// What a step depends on besides the state and the event.
#[derive(Clone, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) now: Instant,
    pub(super) settings: &'a LifeSettings,
    /// From 0 to 1: spreads the waits, so that servers which failed together do not start together.
    pub(super) jitter: f64,
}

impl Life {
    /// The state as people see it.
    pub(super) fn state(&self) -> ServerState {
        match self {
            Self::Stopped => ServerState::Stopped,
            Self::Starting { .. } => ServerState::Starting,
            Self::Running { sessions, .. } => ServerState::Running { sessions: *sessions },
            Self::Stopping { .. } => ServerState::Stopping,
            Self::Backoff { failures, reason, .. } => {
                ServerState::Backoff { failures: *failures, reason: reason.clone() }
            }
            Self::Failed { reason, .. } => ServerState::Failed { reason: reason.clone() },
        }
    }

    /// When to send the next `Tick`.
    pub(super) fn deadline(&self, settings: &LifeSettings) -> Option<Instant> {
        match self {
            // Without a time, it is never stopped for idleness.
            Self::Running { .. } if settings.idle_stop == 0 || settings.always_on => None,
            Self::Running { idle, .. } => idle.map(|since| since + settings.idle_stop()),
            Self::Backoff { until, .. } => Some(*until),
            Self::Failed { again, .. } => *again,
            Self::Stopped | Self::Starting { .. } | Self::Stopping { .. } => None,
        }
    }

    /// The next state, and what to do on the way.
    pub(super) fn on(self, event: LifeEvent, at: &Circumstances<'_>) -> (Self, Vec<Effect>) {
        match self {
            Self::Stopped => stopped(event),
            Self::Starting { failures } => starting(failures, event, at),
            Self::Running { failures, healthy, sessions, idle } => {
                running(failures, healthy, sessions, idle, event, at)
            }
            Self::Stopping { then } => stopping(then, event),
            Self::Backoff { failures, reason, until } => backoff(failures, reason, until, event, at),
            Self::Failed { reason, for_good, again } => failed(reason, for_good, again, event, at),
        }
    }
}

use LifeEvent as E;

fn start(failures: u32) -> (Life, Vec<Effect>) {
    (Life::Starting { failures }, vec![Effect::Start])
}

fn stopped(event: LifeEvent) -> (Life, Vec<Effect>) {
    match event {
        E::Wanted | E::StartAsked | E::RestartAsked => start(0),
        E::StopAsked
        | E::Changed
        | E::Started
        | E::StartFailed { .. }
        | E::Ended { .. }
        | E::Halted
        | E::ProcessFailed { .. }
        | E::Healthy
        | E::SessionOpened
        | E::SessionClosed
        | E::Tick => (Life::Stopped, Vec::new()),
    }
}

fn starting(failures: u32, event: LifeEvent, at: &Circumstances<'_>) -> (Life, Vec<Effect>) {
    match event {
        E::Started => {
            (Life::Running { failures, healthy: false, sessions: 0, idle: Some(at.now) }, vec![Effect::Admit])
        }
        E::StartFailed { reason, may_pass: true } => {
            let refused = Effect::Refuse(Refused::Failed(reason.clone()));
            (after_failure(failures, reason, at), vec![refused])
        }
        E::StartFailed { reason, may_pass: false } => {
            let refused = Effect::Refuse(Refused::Failed(reason.clone()));
            let again = at.settings.always_on.then(|| at.now + ALWAYS_ON_WAIT);
            (Life::Failed { reason, for_good: false, again }, vec![refused])
        }
        E::StopAsked => {
            (Life::Stopping { then: Then::Stay }, vec![Effect::Refuse(Refused::Stopped), Effect::Stop])
        }
        // Those who wait go on waiting.
        E::RestartAsked => (Life::Stopping { then: Then::Start }, vec![Effect::Stop]),
        E::Wanted
        | E::StartAsked
        | E::Changed
        | E::Ended { .. }
        | E::Halted
        | E::ProcessFailed { .. }
        | E::Healthy
        | E::SessionOpened
        | E::SessionClosed
        | E::Tick => (Life::Starting { failures }, Vec::new()),
    }
}

fn running(
    failures: u32,
    healthy: bool,
    sessions: usize,
    idle: Option<Instant>,
    event: LifeEvent,
    at: &Circumstances<'_>,
) -> (Life, Vec<Effect>) {
    let stay = |effects| (Life::Running { failures, healthy, sessions, idle }, effects);
    match event {
        E::Wanted | E::StartAsked => stay(vec![Effect::Admit]),
        E::StopAsked => (Life::Stopping { then: Then::Stay }, vec![Effect::Stop]),
        E::RestartAsked => (Life::Stopping { then: Then::Start }, vec![Effect::Stop]),
        E::Ended { reason } => (after_failure(failures, reason, at), Vec::new()),
        // Others may be served: what failed is one process too many, and not the server.
        E::ProcessFailed { .. } if healthy && sessions > 1 => stay(Vec::new()),
        E::ProcessFailed { .. } if failures < at.settings.restarts => {
            (Life::Running { failures: failures + 1, healthy, sessions, idle }, Vec::new())
        }
        E::ProcessFailed { reason } => (Life::Stopping { then: Then::Fail { reason } }, vec![Effect::Stop]),
        E::Healthy => (Life::Running { failures: 0, healthy: true, sessions, idle }, Vec::new()),
        E::SessionOpened => {
            (Life::Running { failures, healthy, sessions: sessions + 1, idle: None }, Vec::new())
        }
        E::SessionClosed => {
            let sessions = sessions.saturating_sub(1);
            let idle = (sessions == 0).then(|| idle.unwrap_or(at.now));
            (Life::Running { failures, healthy, sessions, idle }, Vec::new())
        }
        E::Tick
            if Life::Running { failures, healthy, sessions, idle }
                .deadline(at.settings)
                .is_some_and(|due| at.now >= due) =>
        {
            (Life::Stopping { then: Then::Stay }, vec![Effect::Stop])
        }
        E::Tick | E::Changed | E::Started | E::StartFailed { .. } | E::Halted => stay(Vec::new()),
    }
}

fn stopping(then: Then, event: LifeEvent) -> (Life, Vec<Effect>) {
    match (event, then) {
        (E::Halted, Then::Stay) => (Life::Stopped, Vec::new()),
        (E::Halted, Then::Start) => start(0),
        (E::Halted, Then::Fail { reason }) => {
            let refused = Effect::Refuse(Refused::GaveUp(reason.clone()));
            (Life::Failed { reason, for_good: true, again: None }, vec![refused])
        }
        (E::StopAsked, _) => (Life::Stopping { then: Then::Stay }, vec![Effect::Refuse(Refused::Stopped)]),
        (E::StartAsked | E::RestartAsked, _) | (E::Wanted, Then::Stay) => {
            (Life::Stopping { then: Then::Start }, Vec::new())
        }
        // Who wants a server that has failed for good is answered when its container is gone.
        (
            E::Wanted
            | E::Changed
            | E::Started
            | E::StartFailed { .. }
            | E::Ended { .. }
            | E::ProcessFailed { .. }
            | E::Healthy
            | E::SessionOpened
            | E::SessionClosed
            | E::Tick,
            then,
        ) => (Life::Stopping { then }, Vec::new()),
    }
}

fn backoff(
    failures: u32,
    reason: String,
    until: Instant,
    event: LifeEvent,
    at: &Circumstances<'_>,
) -> (Life, Vec<Effect>) {
    match event {
        E::StartAsked | E::RestartAsked => start(0),
        E::Tick if at.now >= until => start(failures),
        E::StopAsked => (Life::Stopped, vec![Effect::Refuse(Refused::Stopped)]),
        // What failed may work as it is now; those who wait are served by the next start.
        E::Changed => (Life::Backoff { failures: 0, reason, until }, Vec::new()),
        // A session that comes now waits for the next start.
        E::Wanted
        | E::Tick
        | E::Started
        | E::StartFailed { .. }
        | E::Ended { .. }
        | E::Halted
        | E::ProcessFailed { .. }
        | E::Healthy
        | E::SessionOpened
        | E::SessionClosed => (Life::Backoff { failures, reason, until }, Vec::new()),
    }
}

fn failed(
    reason: String,
    for_good: bool,
    again: Option<Instant>,
    event: LifeEvent,
    at: &Circumstances<'_>,
) -> (Life, Vec<Effect>) {
    match event {
        E::StartAsked | E::RestartAsked => start(0),
        E::Tick if again.is_some_and(|again| at.now >= again) => start(0),
        E::Wanted if !for_good => start(0),
        E::Wanted => {
            let refused = Effect::Refuse(Refused::GaveUp(reason.clone()));
            (Life::Failed { reason, for_good, again }, vec![refused])
        }
        E::StopAsked | E::Changed => (Life::Stopped, Vec::new()),
        E::Started
        | E::StartFailed { .. }
        | E::Ended { .. }
        | E::Halted
        | E::ProcessFailed { .. }
        | E::Healthy
        | E::SessionOpened
        | E::SessionClosed
        | E::Tick => (Life::Failed { reason, for_good, again }, Vec::new()),
    }
}

/// A failure more: wait and try again, or give up.
fn after_failure(failures: u32, reason: String, at: &Circumstances<'_>) -> Life {
    if failures >= at.settings.restarts {
        return Life::Failed { reason, for_good: true, again: None };
    }
    let wait = FIRST_WAIT.saturating_mul(2u32.saturating_pow(failures)).min(LONGEST_WAIT);
    // From three quarters of the wait to five quarters.
    let wait = wait.mul_f64(0.75 + 0.5 * at.jitter.clamp(0.0, 1.0));
    Life::Backoff { failures: failures + 1, reason, until: at.now + wait }
}

/// Takes a step in place.
pub(super) fn step(life: &mut Life, event: LifeEvent, at: &Circumstances<'_>) -> Vec<Effect> {
    let (next, effects) = mem::replace(life, Life::Stopped).on(event, at);
    *life = next;
    effects
}

#[cfg(test)]
mod tests;
