//! The facade: the one place that sees every module, with a method for each thing a user can do.
//!
//! It decides nothing of its own: it hands each request to the module whose it is, in the right order, and
//! turns what came of it into words. One process owns a home at a time; a lock decides.

mod advice;
mod anchors;
mod approvals;
mod audit;
mod bridging;
mod clients;
mod doctor;
mod environment;
mod errors;
mod files;
mod groups;
mod install;
mod lock;
mod names;
mod network;
mod paths;
mod pins;
mod remove;
mod routes;
mod secrets;
mod servers;
mod session;
mod stats;
mod streams;
mod talk;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod tokens;
mod verify;
mod workspace;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, RwLock},
    time::SystemTime,
};

use jiff::tz::TimeZone;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub use environment::{Environment, System};
pub use lock::{LockError, is_running};
pub use paths::{Paths, PathsError};

use self::{anchors::Anchors, lock::Lock, names::Names};
use crate::{
    audit::Audit,
    bridge::Installed,
    catalog::{Catalog, CatalogSettings},
    clients::{ClientPlaces, Clients},
    control::{
        self, Listener, SocketError,
        api::{ApiError, DaemonStatus, EngineView, ErrorCode},
    },
    egress::{Egress, Resolver},
    engine::{EngineChoice, EngineEnv, Engines},
    gate::{Clock, Gate, GateParts, approvals::Approvals, review::Review, tokens::Tokens},
    group::Groups,
    metrics::Metrics,
    model::{EventSender, ServerState, utc},
    otlp::Exporter,
    pins::Pins,
    registry::{EngineSetting, KeptArguments, Registry, Settings, State, Verifications},
    sandbox::{Authorities, Places, Sandbox, SandboxParts, UserIds},
    secrets::{Keychain, Secrets},
};

/// So many events a slow watcher may leave unread before it loses the oldest.
const EVENTS: usize = 1024;

/// What a program hands in to become the owner of a home.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where everything is.
    pub paths: Paths,
    /// What of the environment matters for finding engines.
    pub engine: EngineEnv,
    /// Who runs it.
    pub user: UserIds,
    /// What the program is, for people: `daemon`, `desktop`.
    pub role: String,
    /// The `caisson` program, absolute: clients that read no URLs start it.
    pub program: PathBuf,
    /// Where clients keep their files. [`Environment::clients`] knows.
    pub clients: ClientPlaces,
    /// The user's time zone, for rules that name times of day.
    pub zone: TimeZone,
}

/// Everything Caisson is. Cheap to clone. Must be used within a Tokio runtime.
#[derive(Clone)]
pub struct Host(Arc<Parts>);

struct Parts {
    paths: Paths,
    settings: Settings,
    user: UserIds,
    role: String,
    home_id: String,
    /// Places no server is shown.
    places: Places,
    started: SystemTime,
    registry: Registry,
    secrets: Secrets,
    engines: Engines,
    sandbox: Sandbox,
    /// What clients may connect to.
    installed: Installed,
    catalog: Catalog,
    gate: Gate,
    state: State,
    pins: Pins,
    audit: Audit,
    anchors: Anchors,
    metrics: Metrics,
    verifications: Verifications,
    /// Sockets of engines that this machine was told of, besides the usual ones.
    engine_sockets: Vec<PathBuf>,
    clients: Clients,
    program: PathBuf,
    events: EventSender,
    names: Names,
    bridge: RwLock<bridging::Listening>,
    shutdown: CancellationToken,
    /// Held as long as anything of the host lives.
    _lock: Lock,
}

impl Host {
    /// Becomes the owner of the home that `setup` names. Nothing is started, and nothing listens, until
    /// [`Self::serve`].
    ///
    /// # Errors
    /// When another process owns it, or a file of it cannot be used.
    pub async fn open(setup: Setup) -> Result<Self, ApiError> {
        let host = tokio::task::spawn_blocking(move || Self::open_blocking(setup));
        let host = host.await.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        host.follow_registry();
        host.note_policies();
        Ok(host)
    }

    fn open_blocking(setup: Setup) -> Result<Self, ApiError> {
        let Setup { paths, engine, user, role, program, clients, zone } = setup;
        let lock = Lock::take(&paths, &role)?;
        let settings = Settings::load(&paths.config)?;
        if let Err(error) = Settings::explain(&paths.config) {
            tracing::debug!(%error, "settings.toml was not made");
        }
        let state = State::open(&paths.state())?;
        let home_id = state.home_id()?;
        let started = SystemTime::now();
        let events: EventSender = broadcast::Sender::new(EVENTS);
        let registry = Registry::open(&paths.config, events.clone())?;
        let secrets = Secrets::new(state.clone(), Keychain::os())?;
        let choice = match &settings.engine {
            EngineSetting::Auto => EngineChoice::Auto,
            EngineSetting::Podman => EngineChoice::Podman,
            EngineSetting::Docker => EngineChoice::Docker,
            EngineSetting::Address(address) => EngineChoice::Address(address.clone()),
        };
        // Whoever may speak to an engine is its master; the usual sockets are known to `Folders`.
        let chosen = if let EngineChoice::Address(address) = &choice { Some(address.as_str()) } else { None };
        let named = [engine.docker_host.as_deref(), engine.container_host.as_deref(), chosen];
        let sockets = named.into_iter().flatten().filter_map(|address| address.strip_prefix("unix://"));
        let engine_sockets: Vec<PathBuf> = sockets.map(PathBuf::from).collect();
        let pipes = paths.pipes();
        let agents = paths.agent_socket();
        let own = [&paths.config, &paths.data, &paths.artifacts, &paths.socket, &agents, &pipes].into_iter();
        let places = Places { home: paths.home.clone(), own: own.chain(&engine_sockets).cloned().collect() };
        // What a crash has left; nobody else has this home.
        drop(std::fs::remove_dir_all(&pipes));
        drop(std::fs::remove_dir_all(verify::scratch(&paths)));
        let engines = Engines::new(engine, choice, paths.artifacts.clone(), Some(pipes));
        let system = paths.authorities.iter().find(|path| path.is_file());
        let bundles = system.into_iter().chain(&settings.ca_bundle).cloned().collect();
        let pins = Pins::new(state.clone());
        let audit = Audit::open(&paths.audit(), settings.audit.retention(), SystemTime::now)?;
        let anchors = Anchors::new(audit.clone(), state.clone(), secrets.clone());
        let verifications = Verifications::new(state.clone());
        let sandbox = Sandbox::new(SandboxParts {
            pins: pins.clone(),
            engines: engines.clone(),
            secrets: secrets.clone(),
            audit: audit.clone(),
            egress: Egress::new(Resolver::System),
            events: events.clone(),
            home_id: home_id.clone(),
            user,
            places: places.clone(),
            authorities: Authorities::new(bundles),
            clock: SystemTime::now,
        });
        let catalog = Catalog::new(
            engines.clone(),
            sandbox.clone(),
            CatalogSettings {
                npm_registry: settings.npm_registry.as_ref().map(|url| url.as_str().to_owned()),
                pypi_index: settings.pypi_index.as_ref().map(|url| url.as_str().to_owned()),
                artifacts: paths.artifacts.clone(),
                scratch: paths.data.join("scratch"),
                home_id: home_id.clone(),
            },
        );
        let clients = Clients::new(clients, state.clone(), &paths.data);
        let clock: Clock = Arc::new(SystemTime::now);
        let metrics = Metrics::new(clock.clone(), zone.clone());
        let gate = Gate::new(GateParts {
            tokens: Tokens::open(state.clone(), started)?,
            clock: clock.clone(),
            zone,
            groups: registry.groups(),
            policy: registry.policy(),
            approvals: Approvals::open(state.clone(), events.clone(), clock.clone())?,
            known: Arc::new(sandbox.clone()),
            review: Review::new(state.clone(), events.clone(), clock),
            audit: audit.clone(),
            keeps_arguments: settings.audit.arguments == KeptArguments::Shown,
            metrics: metrics.clone(),
        });
        let groups = Groups::new(gate.clone(), sandbox.clone(), registry.groups());
        let installed = Installed { sandbox: sandbox.clone(), groups };
        Ok(Self(Arc::new(Parts {
            paths,
            settings,
            user,
            role,
            home_id,
            places,
            started,
            registry,
            secrets,
            engines,
            sandbox,
            installed,
            catalog,
            gate,
            state,
            pins,
            audit,
            anchors,
            metrics,
            verifications,
            engine_sockets,
            clients,
            program,
            events,
            names: Names::default(),
            bridge: RwLock::default(),
            shutdown: CancellationToken::new(),
            _lock: lock,
        })))
    }

    /// Serves the control socket and the bridge until [`Self::shutdown`]; then stops every server.
    ///
    /// # Errors
    /// When the control socket cannot be listened on.
    pub async fn serve(&self) -> Result<(), ApiError> {
        let parts = &self.0;
        let listener = Listener::bind(&parts.paths.socket, parts.user.uid)?;
        tracing::info!(socket = %parts.paths.socket.display(), role = parts.role, "Caisson is ready");
        let files = files::raise_limit();
        let bridge = tokio::spawn(bridging::serve(self.clone(), files));
        // Nobody waits for it: an engine may be slow to say that it is not there.
        let sandbox = parts.sandbox.clone();
        let sweeping = tokio::spawn(async move { sandbox.sweep().await });
        let keeping = tokio::spawn(self.clone().keep_pins_current());
        let exporting = parts.settings.otlp.collector.clone().map(|collector| {
            let instance = parts.home_id.clone();
            let exporter = Exporter::new(parts.audit.clone(), parts.state.clone(), collector, instance);
            tokio::spawn(exporter.run())
        });
        let anchoring = tokio::spawn(self.clone().keep_anchors());
        let telling = tokio::spawn(self.clone().tell_counts());
        control::serve(listener, self.clone(), parts.shutdown.clone()).await;
        // An error here is the bridge's panic, which has been reported.
        drop(bridge.await);
        sweeping.abort();
        keeping.abort();
        anchoring.abort();
        if let Some(exporting) = exporting {
            exporting.abort();
        }
        telling.abort();
        parts.sandbox.shutdown().await;
        self.keep_anchor().await;
        tracing::info!("Caisson has stopped");
        Ok(())
    }

    /// Asks [`Self::serve`] to end.
    pub fn shutdown(&self) {
        self.0.shutdown.cancel();
    }

    /// Cancelled when [`Self::shutdown`] was called, by whomever.
    pub fn shutting_down(&self) -> CancellationToken {
        self.0.shutdown.clone()
    }

    async fn status(&self) -> DaemonStatus {
        let parts = &self.0;
        let states = parts.sandbox.states();
        let sessions = states.iter().filter_map(|(_, state)| match state {
            ServerState::Running { sessions } => Some(*sessions),
            ServerState::Stopped
            | ServerState::Starting
            | ServerState::Stopping
            | ServerState::Backoff { .. }
            | ServerState::Failed { .. } => None,
        });
        let (running, sessions) = sessions.fold((0, 0), |(running, all), one| (running + 1, all + one));
        let listening = self.listening();
        DaemonStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            role: parts.role.clone(),
            started_at: utc::whole_seconds(parts.started),
            home_id: parts.home_id.clone(),
            bridge: listening.port.map(|port| format!("http://127.0.0.1:{port}")),
            bridge_problem: listening.problem,
            socket: listening.socket,
            socket_problem: listening.socket_problem,
            paused: parts.sandbox.is_paused(),
            servers: count(parts.registry.list().len()),
            running,
            sessions: count(sessions),
            engine: parts.engines.get().await.ok().map(|engine| EngineView {
                kind: engine.facts().kind.to_string(),
                version: engine.facts().version.clone(),
                rootless: engine.facts().rootless,
            }),
            config: parts.paths.config.clone(),
            data: parts.paths.data.clone(),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("paths", &self.0.paths).finish_non_exhaustive()
    }
}

impl From<SocketError> for ApiError {
    fn from(error: SocketError) -> Self {
        Self::new(ErrorCode::Daemon, "the control socket cannot be used")
            .why(error.to_string())
            .fix("end what holds it, or set CAISSON_HOME to another folder")
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
