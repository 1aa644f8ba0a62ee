//! Brings one container up, from what is granted to an airlock that is ready.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use caisson_wire::{Launch, Mode, SecretBytes, SessionFolders};
use futures::future::BoxFuture;
use tokio::{
    sync::OnceCell,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Authorities, Clock, Folders, Places, Plan, PlanError, StartError, UserIds, environment,
    link::{Link, LinkParts},
    logs::Logs,
    outbound::{Outbound, OutboundParts, Rules, told},
    traffic::Book,
    vessel::{Dock, Vessel},
};
use crate::{
    audit::{Audit, Happening, Phase},
    egress::Egress,
    engine::EngineFacts,
    model::{
        EventSender, FolderGrant, SecretName, Server, ServerName, Transport, Workspace, WorkspacePer, utc,
    },
    pins::Pins,
    secrets::{SecretError, Secrets},
};

/// How long a process may take to end by itself once it was asked to.
pub(super) const GRACE: Duration = Duration::from_millis(1500);

/// Where secrets come from: the keychain, or a test.
pub(super) trait SecretSource: Send + Sync + 'static {
    /// The value of a server's secret.
    fn get<'a>(
        &'a self,
        server: &'a ServerName,
        secret: &'a SecretName,
    ) -> BoxFuture<'a, Result<SecretBytes, SecretError>>;
}

impl SecretSource for Secrets {
    fn get<'a>(
        &'a self,
        server: &'a ServerName,
        secret: &'a SecretName,
    ) -> BoxFuture<'a, Result<SecretBytes, SecretError>> {
        Box::pin(self.get(server, secret))
    }
}

/// What all servers share.
pub(super) struct Common {
    pub(super) dock: Arc<dyn Dock>,
    pub(super) secrets: Arc<dyn SecretSource>,
    pub(super) egress: Egress,
    pub(super) events: EventSender,
    pub(super) home_id: String,
    pub(super) user: UserIds,
    pub(super) places: Places,
    pub(super) authorities: Authorities,
    pub(super) clock: Clock,
    pub(super) pins: Pins,
    pub(super) audit: Audit,
    /// Whether nothing may be started.
    pub(super) paused: AtomicBool,
    /// Set once what a predecessor has left was removed.
    pub(super) swept: OnceCell<()>,
    /// The names of the containers that were asked for before that.
    pub(super) mine: Mutex<BTreeSet<String>>,
}

impl Common {
    /// The plan of a server, as it would run at this moment.
    pub(super) async fn plan(&self, name: &ServerName, server: &Server) -> Result<Plan, StartError> {
        let facts = self.dock.facts().await?;
        self.plan_on(name, server, &facts).await
    }

    pub(super) async fn plan_on(
        &self,
        name: &ServerName,
        server: &Server,
        facts: &EngineFacts,
    ) -> Result<Plan, StartError> {
        let folders = self.folders(server.permissions.seen(), facts).await?;
        Ok(Plan::for_server(name, server, &folders, facts, self.user, &self.home_id)?)
    }

    pub(super) async fn folders(
        &self,
        grants: Vec<FolderGrant>,
        facts: &EngineFacts,
    ) -> Result<Folders, StartError> {
        if facts.remote && !grants.is_empty() {
            return Err(PlanError::RemoteFolders.into());
        }
        let places = self.places.clone();
        // A folder may lie on a disk that is slow or asleep.
        let resolving = tokio::task::spawn_blocking(move || Folders::resolve(&grants, &places));
        Ok(resolving.await.map_err(|error| StartError::Airlock(error.to_string()))??)
    }

    /// Removes what a crashed predecessor has left, once: when Caisson starts, or else with the first container that
    /// finds an engine.
    pub(super) async fn sweep(&self) {
        let is_mine = |name: &str| self.mine().contains(name);
        let swept = self.swept.get_or_try_init(|| self.dock.sweep(&is_mine)).await;
        match swept {
            Ok(()) => self.mine().clear(),
            // The next start tries again; what is left ends by itself, since its pipe is closed.
            Err(error) => tracing::warn!(%error, "not every container of an earlier run was removed"),
        }
    }

    // No panic happens while the lock is held.
    fn mine(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes and starts the container of a plan. When this is cancelled, the container that may still come is
    /// killed.
    pub(super) async fn run(&self, plan: Plan) -> Result<Vessel, StartError> {
        let dock = self.dock.clone();
        let nonce =
            getrandom::u64().map_err(|error| StartError::Airlock(format!("no random numbers: {error}")))?;
        let plan = plan.with_nonce(format!("{:012x}", nonce >> 16));
        if !self.swept.initialized() {
            self.mine().insert(plan.container_name());
        }
        let (sender, vessel) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let made = dock.run(&plan).await;
            if let Err(Ok(vessel)) = sender.send(made) {
                vessel.hull.kill().await;
            }
        });
        vessel.await.unwrap_or_else(|_| Err(StartError::Cancelled))
    }
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").field("home_id", &self.home_id).finish_non_exhaustive()
    }
}

/// One start of one server.
pub(super) struct Start {
    pub(super) name: ServerName,
    pub(super) server: Arc<Server>,
    pub(super) rules: Rules,
    pub(super) book: Book,
    pub(super) logs: Logs,
    pub(super) common: Arc<Common>,
    pub(super) cancel: CancellationToken,
}

impl Start {
    /// Brings the container up. When this fails, none is left.
    pub(super) async fn bring_up(self) -> Result<Arc<Link>, StartError> {
        let cancel = self.cancel.clone();
        let limit = self.server.life.start_timeout();
        let late = |_| StartError::Late(limit.as_secs());
        let steps = async { timeout(limit, self.steps()).await.map_err(late).and_then(|up| up) };
        cancel.run_until_cancelled(steps).await.unwrap_or(Err(StartError::Cancelled))
    }

    /// Where the processes of sessions find folders of their own, where they have such.
    fn session_folders(&self) -> Option<SessionFolders> {
        let workspace = self.server.permissions.workspace.as_ref()?;
        (workspace.per == WorkspacePer::Session).then(|| SessionFolders {
            root: Workspace::ROOT.to_owned(),
            prefix: format!("session-{}", utc::stamp((self.common.clock)())),
            variable: environment::WORKSPACE.to_owned(),
        })
    }

    async fn steps(&self) -> Result<Arc<Link>, StartError> {
        let Self { name, server, common, .. } = self;
        common.sweep().await;
        let facts = common.dock.facts().await?;
        let image = common.dock.image(&server.image).await?;
        let image = image.ok_or_else(|| StartError::NoImage(server.image.clone()))?;
        let mut secrets = Vec::new();
        for grant in &server.permissions.secrets {
            secrets.push((grant.name.clone(), grant.place, common.secrets.get(name, &grant.name).await?));
        }
        let given: Vec<SecretName> = secrets.iter().map(|(name, ..)| name.clone()).collect();
        self.logs.hide(secrets.iter().map(|(name, _, value)| (name, value)));
        let rules = self.rules.borrow().clone();
        let reaches_out = !rules.allowed.is_empty() || rules.trial.is_some();
        let authorities = if reaches_out { common.authorities.given().await? } else { None };
        // Last before the container is made, so that the folders are those that were checked.
        let plan = common.plan_on(name, server, &facts).await?;
        for warning in plan.warnings() {
            self.logs.note(warning);
        }
        let (limits, hash) = (plan.process_limits(), plan.hash().clone());
        let vessel = common.run(plan).await?;
        let (command, files) = environment::compose(server, &image, authorities, secrets);
        let launch = Launch {
            mode: match server.transport {
                Transport::Stdio => Mode::Stdio { spare: true },
                Transport::Http { .. } => Mode::Http,
            },
            command,
            files,
            egress: told(&self.rules.borrow().clone()),
            limits,
            sessions: self.session_folders(),
            grace_ms: u64::try_from(GRACE.as_millis()).unwrap_or(u64::MAX),
        };
        let outbound = Outbound::new(OutboundParts {
            server: name.clone(),
            phase: Phase::Run,
            egress: common.egress.clone(),
            rules: self.rules.clone(),
            events: common.events.clone(),
            audit: common.audit.clone(),
            logs: self.logs.clone(),
            book: self.book.clone(),
        });
        let link = Link::launch(vessel, launch, LinkParts { logs: self.logs.clone(), outbound }).await?;
        common.audit.note(name, Phase::Run, Happening::Started { plan: hash, secrets: given });
        Ok(link)
    }
}
