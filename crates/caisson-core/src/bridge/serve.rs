use std::{convert::Infallible, net::Ipv4Addr, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Bridge, BridgeError, Inner, modern::Exchanges, session::Table, sweep};

/// Connections at a time. Others wait until one closes.
const MOST_CONNECTIONS: usize = 2048;
/// So long a request's head may take, and a connection lie idle before it. Longer than clients keep idle
/// connections, so that none sends a request into one that is just being closed.
const HEAD: Duration = Duration::from_secs(120);
/// So long connections may take to send what they have after the last answer.
const FLUSH: Duration = Duration::from_secs(2);
/// Accepting fails when the system runs out of something; it is tried again after so long.
const PAUSE: Duration = Duration::from_millis(100);

/// The bridge's port, taken.
pub struct Listener {
    tcp: TcpListener,
    port: u16,
}

impl Listener {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a server's endpoint.
    pub fn url(&self, server: &crate::model::ServerName) -> String {
        format!("http://127.0.0.1:{}/s/{server}/mcp", self.port)
    }
}

impl Bridge {
    /// Takes `port` on 127.0.0.1; 0 takes any that is free.
    ///
    /// # Errors
    /// When the port is taken or forbidden.
    pub async fn bind(port: u16) -> Result<Listener, BridgeError> {
        let fault = |source| BridgeError::listening(port, source);
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(fault)?;
        let port = tcp.local_addr().map_err(fault)?.port();
        Ok(Listener { tcp, port })
    }

    /// Serves until `shutdown` is cancelled. Then takes no new session and no request without one, lets requests
    /// that are being answered end, ends all sessions, and returns.
    pub async fn serve(self, listener: Listener, shutdown: CancellationToken) {
        let sessions = Arc::new(Table::new(self.settings.sessions_per_client));
        let exchanges = Arc::new(Exchanges::new(self.settings.exchanges_per_client));
        let inner = Arc::new(Inner {
            port: listener.port,
            gate: self.gate,
            servers: self.servers,
            settings: self.settings,
            sessions,
            exchanges,
            draining: shutdown,
        });
        let connections = TaskTracker::new();
        let closing = CancellationToken::new();
        tokio::select! {
            () = inner.draining.cancelled() => {}
            () = accept(&inner, &listener.tcp, &connections, &closing) => {}
            () = sweep::sweep(&inner) => {}
        }
        drop(listener);
        drain(&inner).await;
        connections.close();
        closing.cancel();
        if timeout(FLUSH, connections.wait()).await.is_err() {
            tracing::debug!(
                left = connections.len(),
                "connections were closed before they had sent everything"
            );
        }
        sweep::keep_uses(&inner).await;
    }
}

/// Accepts connections, for ever.
async fn accept(
    inner: &Arc<Inner>,
    tcp: &TcpListener,
    connections: &TaskTracker,
    closing: &CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match tcp.accept().await {
            Ok((stream, _)) => {
                let (inner, closing) = (Arc::clone(inner), closing.clone());
                connections.spawn(async move {
                    converse(inner, stream, closing).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the bridge could not accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection.
async fn converse(inner: Arc<Inner>, stream: TcpStream, closing: CancellationToken) {
    // Without it, the second of two small writes would wait for the client to acknowledge the first.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection refused to send at once");
    }
    let service = service_fn(move |request| {
        let inner = Arc::clone(&inner);
        async move { Ok::<_, Infallible>(inner.handle(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(FLUSH, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends all sessions and exchanges: first those who only listen, and those who wait for an answer when they have it, or
/// when the time is over.
async fn drain(inner: &Inner) {
    let sessions = inner.sessions.all();
    for session in &sessions {
        session.stop_listening();
    }
    inner.exchanges.close();
    let answered = async {
        while sessions.iter().any(|session| session.is_awaited()) || inner.exchanges.is_awaited() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(inner.settings.drain, answered).await.is_err() {
        tracing::debug!("requests were not answered before the bridge had to stop");
    }
    for session in inner.sessions.all() {
        session.end("Caisson is shutting down");
    }
    inner.exchanges.end_all();
}
