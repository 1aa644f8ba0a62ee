//! Keeps the bridge listening on its one port, for as long as the host serves.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;

use super::Host;
use crate::{
    bridge::{Bridge, BridgeSettings, Meter},
    model::Endpoint,
};

/// A port that was taken is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// Whether the bridge listens.
#[derive(Clone, Debug, Default)]
pub(super) struct Listening {
    pub(super) port: Option<u16>,
    pub(super) problem: Option<String>,
    /// The Unix socket for agents in containers.
    pub(super) socket: Option<PathBuf>,
    pub(super) socket_problem: Option<String>,
}

/// Serves until the host shuts down. `files` is how many the process may have open.
pub(super) async fn serve(host: Host, files: u64) {
    let shutdown = host.shutting_down();
    let parts = &host.0;
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no socket to add"))]
    let mut listener = loop {
        match Bridge::bind(parts.settings.port).await {
            Ok(listener) => break listener,
            Err(error) => {
                let problem = error.to_string();
                if host.listening().problem.as_ref() != Some(&problem) {
                    tracing::warn!("{problem}");
                }
                host.set_listening(Listening { problem: Some(problem), ..Listening::default() });
            }
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = shutdown.cancelled() => return,
        }
    };
    tracing::info!(port = listener.port(), "the bridge listens on 127.0.0.1");
    let mut listening = Listening { port: Some(listener.port()), ..Listening::default() };
    #[cfg(unix)]
    if parts.settings.agent_socket {
        let path = parts.paths.agent_socket();
        match listener.add_socket(&path, parts.user.uid) {
            Ok(()) => listening.socket = Some(path),
            Err(error) => {
                tracing::warn!("agents in containers have no socket to reach the bridge by: {error}");
                listening.socket_problem = Some(error.to_string());
            }
        }
    }
    host.set_listening(listening);
    let usual = BridgeSettings::default();
    let settings = BridgeSettings {
        // The control socket, the engine and the state need the rest.
        connections: usual.connections.min(usize::try_from(files / 4).unwrap_or(usize::MAX)),
        request_timeout: Duration::from_secs(parts.settings.request_timeout),
        requests_per_second: parts.settings.requests_per_second,
        ..usual
    };
    let bridge = Bridge::new(parts.gate.clone(), parts.installed.clone(), settings);
    let bridge =
        if parts.settings.metrics.prometheus { bridge.metered(Arc::new(host.clone())) } else { bridge };
    bridge.serve(listener, shutdown).await;
}

impl Meter for Host {
    fn read(&self) -> BoxFuture<'_, String> {
        Box::pin(self.exposition())
    }
}

impl Host {
    pub(super) fn listening(&self) -> Listening {
        self.0.bridge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_listening(&self, listening: Listening) {
        *self.0.bridge.write().unwrap_or_else(PoisonError::into_inner) = listening;
    }

    /// An endpoint's address for clients; stable, whether or not the bridge listens at the moment.
    pub(super) fn url(&self, endpoint: &Endpoint) -> String {
        format!("http://127.0.0.1:{}{}/mcp", self.0.settings.port, endpoint.path())
    }

    /// The Unix socket for agents in containers, where there is to be one, whether or not the bridge listens at the
    /// moment.
    pub(super) fn agent_socket(&self) -> Option<PathBuf> {
        let wanted = cfg!(unix) && self.0.settings.agent_socket && self.listening().socket_problem.is_none();
        wanted.then(|| self.0.paths.agent_socket())
    }

    /// Its address for clients that speak HTTP+SSE alone.
    pub(super) fn sse_url(&self, endpoint: &Endpoint) -> String {
        format!("http://127.0.0.1:{}{}/sse", self.0.settings.port, endpoint.path())
    }
}
