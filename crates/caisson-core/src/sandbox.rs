//! Turns a server's permissions into a `Plan`, and keeps the server running. Only here a `Plan` is made.
//!
//! From the top: [`Sandbox`] knows every server; a supervisor keeps one running, as the state machine in `life`
//! says; a link is the host's end of one container's pipe; a [`Session`] is one client's way in.

mod allowance;
mod authorities;
mod dock;
mod entrance;
mod environment;
mod era;
mod error;
mod exchange;
mod exec;
mod http;
mod install;
mod lease;
mod life;
mod lines;
mod link;
mod logs;
mod mark;
mod missed;
mod outbound;
mod plan;
mod process;
mod session;
mod start;
mod stdio;
mod supervisor;
mod traffic;
mod verify;
mod vessel;
mod vitals;
mod workspace;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use caisson_wire::LaunchFile;
use futures::future::join_all;
use serde_json::value::RawValue;
use tokio::{
    sync::{OnceCell, oneshot, watch},
    time::timeout,
};

use self::{
    dock::EngineDock,
    era::Front,
    start::Common,
    supervisor::{Ask, Handle, Reply},
};
use crate::{
    audit::Audit,
    egress::{Egress, Trial},
    engine::{EngineFacts, Engines},
    gate::{Definition, Known, Permit, Permitted, scan::OwnSecrets},
    model::{
        Event, EventSender, HostRule, ProgressSink, Server, ServerName, ServerState, Statement, Verification,
    },
    pins::Pins,
    secrets::Secrets,
};

pub use authorities::{Authorities, AuthoritiesError};
pub use environment::{base_environment, with_image};
pub(crate) use era::{LISTS, Pages, session_over};
pub use error::{SandboxError, SessionError, StartError};
pub use exchange::Exchange;
pub(crate) use exchange::Stateless;
pub use exec::Output;
pub use install::Install;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use lines::are_lines;
pub use logs::{Clock, LogLine, LogTail};
pub use missed::Missed;
pub use plan::{
    Bind, FolderError, Folders, HOME, InstallNeeds, Isolating, Network, Places, Plan, PlanError, PlanKind,
    PlanLine, Spoken, Tmpfs, Ulimit, UserIds, UserNamespace, VolumeMount,
};
pub use session::{MOST_MESSAGE, Session, SessionReceiver, SessionSender};
pub use traffic::{Reached, Traffic, TrafficSums, Tried};
pub use verify::Surroundings;
pub use vitals::{Running, Vitals};
pub use workspace::{Collected, Snapshot};

/// How long a shutdown may take; then the pipes are closed, which ends every container all the same.
const SHUTDOWN: Duration = Duration::from_secs(8);

/// How long it may take to learn what plan a server would run under, only to tell whether a verification still holds.
const KNOWN: Duration = Duration::from_secs(5);

/// What the sandbox is made of.
pub struct SandboxParts {
    /// Where containers run.
    pub engines: Engines,
    /// Where servers' secrets come from.
    pub secrets: Secrets,
    /// Opens servers' connections.
    pub egress: Egress,
    /// Where events go.
    pub events: EventSender,
    /// Tells this state folder's containers from another's. Letters and digits.
    pub home_id: String,
    /// Who runs Caisson.
    pub user: UserIds,
    /// Places that no server is shown.
    pub places: Places,
    /// What servers trust that may reach hosts, and installs.
    pub authorities: Authorities,
    /// The time.
    pub clock: Clock,
    /// What servers say of themselves.
    pub pins: Pins,
    /// Where what happens is noted.
    pub audit: Audit,
}

/// Every installed server and its container. Cheap to clone. Must be used within a Tokio runtime.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    common: Arc<Common>,
    servers: RwLock<BTreeMap<ServerName, Handle>>,
    shut_down: AtomicBool,
}

impl Sandbox {
    /// A sandbox without servers; [`Self::define`] adds them. Nothing is started yet.
    pub fn new(parts: SandboxParts) -> Self {
        let SandboxParts {
            engines,
            secrets,
            egress,
            events,
            home_id,
            user,
            places,
            authorities,
            clock,
            pins,
            audit,
        } = parts;
        let dock = Arc::new(EngineDock { engines, home_id: home_id.clone() });
        let secrets = Arc::new(secrets);
        let (paused, swept) = (AtomicBool::new(false), OnceCell::new());
        Self::with(Common {
            dock,
            secrets,
            egress,
            events,
            home_id,
            user,
            places,
            authorities,
            clock,
            pins,
            audit,
            paused,
            swept,
            mine: Mutex::default(),
        })
    }

    fn with(common: Common) -> Self {
        Self(Arc::new(Inner {
            common: Arc::new(common),
            servers: RwLock::default(),
            shut_down: AtomicBool::new(false),
        }))
    }

    /// Removes the containers that a crashed predecessor has left, where an engine answers; else the first start does.
    pub async fn sweep(&self) {
        self.0.common.sweep().await;
    }

    /// Tells what is installed under a name. For one that is known already: changed hosts are in force at once,
    /// everything else at the next start. Says whether that was known otherwise.
    pub fn define(&self, name: &ServerName, server: Server) -> bool {
        let mut servers = self.0.servers.write().unwrap_or_else(PoisonError::into_inner);
        let Some(handle) = servers.get(name) else {
            let handle = Handle::supervise(name.clone(), server, self.0.common.clone());
            servers.insert(name.clone(), handle);
            return false;
        };
        if **handle.server.borrow() == server {
            return false;
        }
        handle.allowance.grant(&server.permissions);
        handle.server.send_replace(Arc::new(server));
        drop(handle.asks.send(Ask::Changed));
        true
    }

    /// Tells that a server is no longer installed: it is stopped. Its kept state stays; see
    /// [`Self::erase_state`].
    pub fn forget(&self, name: &ServerName) {
        let handle = self.0.servers.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(handle) = handle {
            let (reply, _) = oneshot::channel();
            drop(handle.asks.send(Ask::End(reply)));
        }
    }

    /// Removes the volume with what a server has kept between its runs, and says whether there was one. Stop the
    /// server first.
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn erase_state(&self, name: &ServerName) -> Result<bool, SandboxError> {
        let volume = plan::state_volume(name, &self.0.common.home_id);
        let erased = self.0.common.dock.remove_volume(&volume).await;
        erased.map_err(|cause| SandboxError::Engine(Arc::new(cause)))
    }

    /// What a server has reached and tried since Caisson started.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn traffic(&self, name: &ServerName) -> Result<Traffic, SandboxError> {
        self.handle(name, |handle| handle.book.read())
    }

    /// What all connections of a server have carried since Caisson started.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn traffic_sums(&self, name: &ServerName) -> Result<TrafficSums, SandboxError> {
        self.handle(name, |handle| handle.book.sums())
    }

    /// Lets a server reach a host until it stops. What it tried there is settled.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn allow_once(&self, name: &ServerName, rule: HostRule) -> Result<(), SandboxError> {
        self.handle(name, |handle| {
            handle.book.settle(&rule);
            handle.allowance.allow_once(rule);
        })
    }

    /// Takes back what was allowed until the server stops: this rule, or all. Whether there was any.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn take_back(&self, name: &ServerName, rule: Option<&HostRule>) -> Result<bool, SandboxError> {
        self.handle(name, |handle| handle.allowance.take_back(rule))
    }

    /// What a server may reach until it stops.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn allowed_once(&self, name: &ServerName) -> Result<Vec<HostRule>, SandboxError> {
        self.handle(name, |handle| handle.allowance.once())
    }

    /// The user has decided to show a folder: that it was missed is settled.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn settle_folder(&self, name: &ServerName, folder: &Path) -> Result<(), SandboxError> {
        self.handle(name, |handle| handle.book.shown(folder))
    }

    /// The user has decided on a host for good: what the server tried there is settled.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn settle(&self, name: &ServerName, rule: &HostRule) -> Result<(), SandboxError> {
        self.handle(name, |handle| handle.book.settle(rule))
    }

    /// Begins a trial of a server, or ends it.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn set_trial(&self, name: &ServerName, trial: Option<Trial>) -> Result<(), SandboxError> {
        self.handle(name, |handle| handle.allowance.set_trial(trial))
    }

    /// Whether a server of this name is installed.
    pub fn has(&self, name: &ServerName) -> bool {
        self.0.servers.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// The plan under which a server would be started at this moment.
    ///
    /// # Errors
    /// When there is none: nothing it is granted may be impossible or refused.
    pub async fn plan(&self, name: &ServerName) -> Result<Plan, SandboxError> {
        let server = self.handle(name, |handle| handle.server.borrow().clone())?;
        self.plan_of(name, &server).await
    }

    /// The plan of a server that is not installed yet, for review.
    ///
    /// # Errors
    /// As for [`Self::plan`].
    pub async fn plan_of(&self, name: &ServerName, server: &Server) -> Result<Plan, SandboxError> {
        let plan = self.0.common.plan(name, server).await;
        plan.map_err(|cause| SandboxError::Start { server: name.clone(), cause: Arc::new(cause) })
    }

    /// Starts a server, and waits until it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(&self, name: &ServerName) -> Result<(), SandboxError> {
        self.may_start()?;
        self.ask(name, Ask::Start).await
    }

    /// Stops a server, and waits until no container of it is left. It stays stopped until it is used again.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn stop(&self, name: &ServerName) -> Result<(), SandboxError> {
        self.ask(name, Ask::Stop).await
    }

    /// Stops a server and starts it as it is defined by then.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn restart(&self, name: &ServerName) -> Result<(), SandboxError> {
        self.may_start()?;
        self.ask(name, Ask::Restart).await
    }

    /// The state of a server; none when there is no such server.
    pub fn state(&self, name: &ServerName) -> Option<ServerState> {
        self.handle(name, |handle| handle.state.borrow().clone()).ok()
    }

    /// The state of a server and each later one; none when there is no such server.
    pub fn watch_state(&self, name: &ServerName) -> Option<watch::Receiver<ServerState>> {
        self.handle(name, |handle| handle.state.clone()).ok()
    }

    /// Begins to start a server that is to be warm as soon as a client connects, as its definition says.
    pub fn prewarm(&self, name: &ServerName) {
        if self.may_start().is_err() {
            return;
        }
        // Of one that is not there, or cannot start, its client will hear.
        drop(self.handle(name, |handle| {
            if handle.server.borrow().life.prewarm {
                let (reply, _) = oneshot::channel();
                drop(handle.asks.send(Ask::Start(reply)));
            }
        }));
    }

    /// The states of all servers, by name.
    pub fn states(&self) -> Vec<(ServerName, ServerState)> {
        let servers = self.0.servers.read().unwrap_or_else(PoisonError::into_inner);
        servers.iter().map(|(name, handle)| (name.clone(), handle.state.borrow().clone())).collect()
    }

    /// Stops all servers and lets none start; or lets them start again.
    pub async fn pause(&self, paused: bool) {
        if self.0.common.paused.swap(paused, Ordering::SeqCst) != paused {
            // Nobody watching is fine.
            drop(self.0.common.events.send(Event::Paused { paused }));
        }
        if paused {
            self.ask_all(Ask::Stop).await;
        } else {
            let servers = self.0.servers.read().unwrap_or_else(PoisonError::into_inner);
            // A supervisor that is gone keeps nothing on.
            servers.values().for_each(|handle| drop(handle.asks.send(Ask::Resumed)));
        }
    }

    /// Whether all servers are paused.
    pub fn is_paused(&self) -> bool {
        self.0.common.paused.load(Ordering::SeqCst)
    }

    /// Opens a session with the server the permit is for. `hello` is the message the client begins with, which is
    /// looked at and not sent. The server is started where it does not run: with the session, or with the first
    /// message that needs it.
    ///
    /// # Errors
    /// When the server cannot be started, or does not take the session.
    pub async fn open_session(&self, mut permit: Permit, hello: &[u8]) -> Result<Session, SandboxError> {
        if permit.what() != Permitted::Session {
            return Err(SandboxError::WrongPermit);
        }
        self.may_start()?;
        let server = permit.server().ok_or(SandboxError::WrongPermit)?;
        let session = self.front(server)?.session(permit.caller().clone(), hello).await?;
        Ok(session.inspected(permit.take_inspector()))
    }

    /// Asks a server what it is and what it says of itself, and pins it, so that clients are answered before it
    /// runs.
    ///
    /// # Errors
    /// When the server cannot be started, or does not speak MCP.
    pub async fn learn(&self, name: &ServerName) -> Result<(), SandboxError> {
        self.may_start()?;
        self.front(name)?.learn().await
    }

    /// A server was found to say something else of itself than it did: what is pinned is out of date. It is asked anew,
    /// where it runs; else the next client asks it.
    ///
    /// # Errors
    /// As for [`Self::learn`].
    pub async fn relearn(&self, name: &ServerName) -> Result<(), SandboxError> {
        let front = self.front(name)?;
        front.forget_results();
        if matches!(self.state(name), Some(ServerState::Running { .. })) {
            front.learn().await
        } else {
            Ok(())
        }
    }

    /// What a server has said of itself when it was last asked, as it is defined at the moment.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn said(&self, name: &ServerName) -> Result<Vec<(Statement, Box<RawValue>)>, SandboxError> {
        Ok(self.front(name)?.said())
    }

    /// Sends one request that stands alone to the server the permit is for, starting it where it does not run.
    ///
    /// # Errors
    /// When the server cannot be started, or does not take the request.
    pub async fn exchange(&self, mut permit: Permit, request: Bytes) -> Result<Exchange, SandboxError> {
        if permit.what() != Permitted::Message {
            return Err(SandboxError::WrongPermit);
        }
        self.may_start()?;
        let server = permit.server().ok_or(SandboxError::WrongPermit)?;
        let front = self.front(server)?;
        let (expected, inspector) = (permit.take_expected(), permit.take_inspector());
        let request = permit.take_message().unwrap_or(request);
        Ok(front.ask(permit.caller().clone(), request).await?.watched(expected, inspector))
    }

    /// The input schema of a server's tool, as JSON, as it was pinned; none when it is not known.
    pub fn input_schema(&self, name: &ServerName, tool: &str) -> Option<Arc<str>> {
        self.front(name).ok()?.input_schema(tool)
    }

    /// What installs trust.
    pub(crate) fn authorities(&self) -> &Authorities {
        &self.0.common.authorities
    }

    /// A server's log.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn logs(&self, name: &ServerName) -> Result<LogTail, SandboxError> {
        self.handle(name, |handle| handle.logs.tail())
    }

    /// Brings up the container of an install. It may reach `hosts` and finds `files` inside.
    ///
    /// # Errors
    /// When the container cannot be brought up.
    pub async fn run_install(
        &self,
        plan: Plan,
        hosts: Vec<HostRule>,
        files: Vec<LaunchFile>,
    ) -> Result<Install, SandboxError> {
        if self.0.shut_down.load(Ordering::SeqCst) {
            return Err(SandboxError::ShutDown);
        }
        let server = plan.server().clone();
        // Detached: when the caller gives up in the middle, it comes up all the same and is dropped at once, which
        // removes its container. Stopped in the middle, it would leave one behind.
        let begun = tokio::spawn(Install::begin(self.0.common.clone(), plan, hosts, files));
        begun.await.unwrap_or(Err(SandboxError::Stopped(server)))
    }

    /// Tries to break out of a server's container, in another that is made from the same plan, and says what happened.
    /// `progress` is told of each try. When this is cancelled, the container is removed.
    ///
    /// # Errors
    /// When no such container can be brought up.
    pub async fn verify(
        &self,
        name: &ServerName,
        surroundings: Surroundings,
        progress: &ProgressSink,
    ) -> Result<Verification, SandboxError> {
        self.may_start()?;
        let server = self.handle(name, |handle| handle.server.borrow().clone())?;
        verify::verify(self.0.common.clone(), name.clone(), server, surroundings, progress).await
    }

    /// Which of these verifications hold no longer, since the plan or the engine is another. One of which that cannot
    /// be known soon holds no longer.
    pub async fn stale<'a>(
        &self,
        verified: impl IntoIterator<Item = (&'a ServerName, &'a Verification)>,
    ) -> BTreeSet<ServerName> {
        let mut verified = verified.into_iter().peekable();
        if verified.peek().is_none() {
            return BTreeSet::new();
        }
        let facts = timeout(KNOWN, self.0.common.dock.facts()).await.ok().and_then(Result::ok);
        let mut stale = BTreeSet::new();
        for (name, verification) in verified {
            if !self.still_holds(name, verification, facts.as_ref()).await {
                stale.insert(name.clone());
            }
        }
        stale
    }

    async fn still_holds(
        &self,
        name: &ServerName,
        verification: &Verification,
        facts: Option<&EngineFacts>,
    ) -> bool {
        let Some(facts) = facts else { return false };
        let Ok(server) = self.handle(name, |handle| handle.server.borrow().clone()) else { return false };
        let plan = timeout(KNOWN, self.0.common.plan_on(name, &server, facts)).await;
        plan.is_ok_and(|plan| {
            plan.is_ok_and(|plan| {
                *plan.hash() == verification.plan && verify::identity(&plan, facts) == verification.engine
            })
        })
    }

    /// Stops every container, all at the same time, and starts none from here on. Takes a few seconds at most.
    pub async fn shutdown(&self) {
        self.0.shut_down.store(true, Ordering::SeqCst);
        drop(timeout(SHUTDOWN, self.ask_all(Ask::End)).await);
        // What has not ended by now ends with its supervisor, when this lets go of it.
        self.0.servers.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn front(&self, name: &ServerName) -> Result<Arc<Front>, SandboxError> {
        self.handle(name, |handle| handle.front.clone())
    }

    fn may_start(&self) -> Result<(), SandboxError> {
        if self.0.shut_down.load(Ordering::SeqCst) {
            return Err(SandboxError::ShutDown);
        }
        if self.is_paused() { Err(SandboxError::Paused) } else { Ok(()) }
    }

    fn handle<T>(&self, name: &ServerName, use_it: impl FnOnce(&Handle) -> T) -> Result<T, SandboxError> {
        let servers = self.0.servers.read().unwrap_or_else(PoisonError::into_inner);
        servers.get(name).map(use_it).ok_or_else(|| SandboxError::NoSuchServer(name.clone()))
    }

    async fn ask<T>(&self, name: &ServerName, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, SandboxError> {
        let (reply, answer) = oneshot::channel();
        // A supervisor that is gone drops the reply.
        self.handle(name, |handle| drop(handle.asks.send(ask(reply))))?;
        answer.await.unwrap_or_else(|_| Err(SandboxError::Stopped(name.clone())))
    }

    async fn ask_all(&self, ask: impl Fn(Reply<()>) -> Ask) {
        let answers: Vec<oneshot::Receiver<_>> = {
            let servers = self.0.servers.read().unwrap_or_else(PoisonError::into_inner);
            let put = |handle: &Handle| {
                let (reply, answer) = oneshot::channel();
                drop(handle.asks.send(ask(reply)));
                answer
            };
            servers.values().map(put).collect()
        };
        join_all(answers).await;
    }
}

impl Known for Sandbox {
    fn tool(&self, server: &ServerName, tool: &str) -> Option<Definition> {
        self.front(server).ok()?.definition(tool)
    }

    fn secrets(&self, server: &ServerName) -> OwnSecrets {
        self.handle(server, |handle| handle.logs.own()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
