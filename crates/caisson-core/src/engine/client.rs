//! An engine that was found: its API client, its facts, and time limits on all that is asked of it.

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker, errors::Error as ApiError};
use futures::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{Mutex, RwLock},
    time::timeout,
};

use super::{
    Address, EngineError, EngineFacts,
    airlock::SharedFiles,
    error::{meaning, refusal, tidy},
    meeting::Meetings,
    probe::{self, ProbeError},
};

/// What only reads or changes the engine's own records.
pub(super) const QUICK: Duration = Duration::from_secs(30);
/// Creating and starting: some storage drivers copy the whole image.
pub(super) const SLOW: Duration = Duration::from_secs(180);
/// Whole images: committing, importing. Also how long a build or a pull may say nothing.
pub(super) const LONG: Duration = Duration::from_secs(1800);
/// bollard's own limit, which must never be the one that strikes: waiting for a container takes days.
const NEVER: u64 = 100 * 365 * 86_400;

/// An engine. Clones share one client; each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Engine(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) docker: Docker,
    pub(super) endpoint: Address,
    pub(super) address: String,
    pub(super) facts: EngineFacts,
    /// The folder with the airlocks.
    pub(super) artifacts: PathBuf,
    pub(super) meetings: Meetings,
    /// Files put into the airlock's volume, and known to be whole.
    pub(super) shared: Mutex<SharedFiles>,
    /// Held by whoever makes an image, and alone by whoever removes one with its layers. Podman gives the layers of
    /// an image in the making away to a removal, when both share them.
    pub(super) layers: RwLock<()>,
    gone: AtomicBool,
}

impl Engine {
    /// A client for the engine at `address`, which said `facts` of itself. Nothing is sent yet.
    pub(super) fn connect(
        address: &Address,
        facts: EngineFacts,
        artifacts: PathBuf,
        sockets: Option<PathBuf>,
    ) -> Result<Self, EngineError> {
        let version = api_version(&facts.api_version);
        let docker = match address {
            #[cfg(unix)]
            Address::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), NEVER, &version),
            #[cfg(windows)]
            Address::Pipe(path) => Docker::connect_with_named_pipe(path, NEVER, &version),
            Address::Tcp(place) => Docker::connect_with_http(&format!("tcp://{place}"), NEVER, &version),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(ApiError::UnsupportedURISchemeError { uri: address.to_string() }),
            #[cfg(not(windows))]
            Address::Pipe(_) => Err(ApiError::UnsupportedURISchemeError { uri: address.to_string() }),
            Address::Unsupported { .. } => {
                Err(ApiError::UnsupportedURISchemeError { uri: address.to_string() })
            }
        };
        let endpoint = address.clone();
        let address = address.to_string();
        let docker = docker.map_err(|error| meaning(&address, "connecting to it", error))?;
        let (shared, layers) = (Mutex::default(), RwLock::default());
        Ok(Self(Arc::new(Inner {
            docker,
            endpoint,
            address,
            facts,
            artifacts,
            meetings: Meetings::new(sockets),
            shared,
            layers,
            gone: AtomicBool::new(false),
        })))
    }

    /// What it is and can do.
    pub fn facts(&self) -> &EngineFacts {
        &self.0.facts
    }

    /// Where it listens, such as `unix:///run/podman/podman.sock`.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Whether it went away. [`Engines::get`](super::Engines::get) then looks for it anew.
    pub(super) fn is_gone(&self) -> bool {
        self.0.gone.load(Ordering::Relaxed)
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.0.docker
    }

    /// One request, within a time limit. `action` completes "the engine refused …".
    pub(super) async fn call<T>(
        &self,
        action: &'static str,
        limit: Duration,
        request: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, EngineError> {
        match timeout(limit, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(meaning(&self.0.address, action, error))),
            Err(_) => Err(self.timed_out(action, limit)),
        }
    }

    /// One request that may find nothing.
    pub(super) async fn find<T>(
        &self,
        action: &'static str,
        request: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<Option<T>, EngineError> {
        match self.call(action, QUICK, request).await {
            Ok(found) => Ok(Some(found)),
            Err(EngineError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for what bollard cannot read: its types know fewer words than Podman uses.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        action: &'static str,
        path: &str,
    ) -> Result<T, EngineError> {
        let answer = timeout(QUICK, probe::get_json(&self.0.endpoint, path)).await;
        answer.map_err(|_| self.timed_out(action, QUICK))?.map_err(|error| {
            let ProbeError::Status { status, text } = error else {
                let (address, why) = (self.0.address.clone(), tidy(&error.to_string()));
                return self.failed(EngineError::Gone { address, action, why });
            };
            refusal(action, status, &text)
        })
    }

    /// Reads a stream of answers to its end. The time limit is for each of them.
    pub(super) async fn drain<T>(
        &self,
        action: &'static str,
        limit: Duration,
        stream: impl Stream<Item = Result<T, ApiError>>,
        mut each: impl FnMut(T) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let mut stream = std::pin::pin!(stream);
        loop {
            match timeout(limit, stream.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(answer))) => each(answer)?,
                Ok(Some(Err(error))) => return Err(self.failed(meaning(&self.0.address, action, error))),
                Err(_) => return Err(self.timed_out(action, limit)),
            }
        }
    }

    fn timed_out(&self, action: &'static str, limit: Duration) -> EngineError {
        self.failed(EngineError::TimedOut { address: self.0.address.clone(), action, limit })
    }

    /// Notes that the engine is gone when the error says so.
    pub(super) fn failed(&self, error: EngineError) -> EngineError {
        if matches!(error, EngineError::Gone { .. } | EngineError::TimedOut { .. }) {
            self.0.gone.store(true, Ordering::Relaxed);
        }
        error
    }
}

/// The engine's own version of the API, or the newest that bollard knows.
fn api_version(text: &str) -> ClientVersion {
    let newest = *API_DEFAULT_VERSION;
    let parsed = text.split_once('.').and_then(|(major, minor)| {
        Some(ClientVersion { major_version: major.parse().ok()?, minor_version: minor.parse().ok()? })
    });
    parsed.filter(|version| *version < newest).unwrap_or(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions() {
        let newest = (*API_DEFAULT_VERSION).to_string();
        for (text, used) in
            [("1.41", "1.41"), ("1.9", "1.9"), ("9.0", &newest), ("", &newest), ("x.y", &newest)]
        {
            assert_eq!(api_version(text).to_string(), used, "{text}");
        }
    }
}
