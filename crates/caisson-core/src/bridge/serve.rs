#[cfg(unix)]
use std::path::Path;
use std::{convert::Infallible, io, net::Ipv4Addr, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Bridge, BridgeError, Inner,
    connections::{Doing, Heard, Holding, Seats, Taking},
    guard::Door,
    modern::Exchanges,
    negotiate::JSON,
    rates::Rates,
    refusal::Refusal,
    session::Table,
    sweep,
};
#[cfg(unix)]
use super::{SocketError, socket::Socket};

/// So long a connection may lie idle. Longer than clients keep idle connections, so that none sends a request into
/// one that is just being closed.
const IDLE: Duration = Duration::from_secs(120);
/// The largest head of a request, in bytes. Headers it may have a hundred, as hyper has it.
const LARGEST_HEAD: usize = 64 << 10;
/// So long connections may take to send what they have after the last answer.
const FLUSH: Duration = Duration::from_secs(2);
/// Accepting fails when the system runs out of something; it is tried again after so long.
const PAUSE: Duration = Duration::from_millis(100);

/// The bridge's port, taken; and its Unix socket, where it has one.
pub struct Listener {
    tcp: TcpListener,
    port: u16,
    #[cfg(unix)]
    socket: Option<Socket>,
}

impl Listener {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Also listens on a Unix socket at `path`, the only thing in a folder of its own, inside one that is closed to
    /// all but the user `uid`.
    ///
    /// # Errors
    /// When that cannot be. The port is listened on all the same.
    #[cfg(unix)]
    pub fn add_socket(&mut self, path: &Path, uid: u32) -> Result<(), SocketError> {
        self.socket = Some(Socket::bind(path, uid)?);
        Ok(())
    }

    /// The address of an endpoint.
    pub fn url(&self, endpoint: &crate::model::Endpoint) -> String {
        format!("http://127.0.0.1:{}{}/mcp", self.port, endpoint.path())
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
        Ok(Listener {
            tcp,
            port,
            #[cfg(unix)]
            socket: None,
        })
    }

    /// Serves until `shutdown` is cancelled. Then takes no new session and no request without one, lets requests
    /// that are being answered end, ends all sessions, and returns.
    pub async fn serve(self, mut listener: Listener, shutdown: CancellationToken) {
        let inner = self.begin(listener.port, shutdown);
        let connections = TaskTracker::new();
        let closing = CancellationToken::new();
        tokio::select! {
            () = inner.draining.cancelled() => {}
            () = listener.accept_all(&inner, &connections, &closing) => {}
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

impl Bridge {
    /// What all connections to `port` share.
    pub(super) fn begin(self, port: u16, draining: CancellationToken) -> Arc<Inner> {
        let Self { gate, servers, settings, meter } = self;
        let metering = tokio::sync::Mutex::new(());
        let sessions = Arc::new(Table::new(settings.sessions_per_client));
        let exchanges = Arc::new(Exchanges::new(settings.exchanges_per_client));
        let rates = Rates::new(settings.requests_per_second, settings.requests_at_once);
        let seats = Seats::new(settings.connections);
        Arc::new(Inner {
            port,
            gate,
            servers,
            settings,
            sessions,
            exchanges,
            rates,
            seats,
            meter,
            metering,
            draining,
        })
    }
}

impl Listener {
    /// Accepts connections at every door, for ever.
    async fn accept_all(
        &mut self,
        inner: &Arc<Inner>,
        connections: &TaskTracker,
        closing: &CancellationToken,
    ) {
        let tcp = &self.tcp;
        let loopback = || async {
            let (stream, _) = tcp.accept().await?;
            // Without it, the second of two small writes would wait for the client to acknowledge the first.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection refused to send at once");
            }
            Ok(stream)
        };
        let at_loopback = accept(inner, Door::Loopback, loopback, connections, closing);
        #[cfg(unix)]
        if let Some(socket) = &mut self.socket {
            tokio::join!(at_loopback, accept_at_socket(inner, socket, connections, closing));
            return;
        }
        at_loopback.await;
    }
}

/// Accepts connections at the Unix socket, for ever; again, where it was taken away.
#[cfg(unix)]
async fn accept_at_socket(
    inner: &Arc<Inner>,
    socket: &mut Socket,
    connections: &TaskTracker,
    closing: &CancellationToken,
) {
    let mut said = String::new();
    loop {
        tokio::select! {
            () = accept(inner, Door::Socket, || socket.accept(), connections, closing) => {}
            () = socket.lost() => {}
        }
        match socket.renew() {
            Ok(()) => {
                tracing::warn!(
                    "the bridge's socket was taken away, and is there again: mount its folder read-only"
                );
                said.clear();
            }
            Err(error) => {
                let error = error.to_string();
                if error != said {
                    tracing::warn!("the bridge's socket was taken away: {error}");
                }
                said = error;
                sleep(PAUSE).await;
            }
        }
    }
}

/// Accepts connections at one door, for ever.
async fn accept<T, F>(
    inner: &Arc<Inner>,
    door: Door,
    next: impl Fn() -> F,
    connections: &TaskTracker,
    closing: &CancellationToken,
) where
    F: Future<Output = io::Result<T>>,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut is_failing = false;
    loop {
        match next().await {
            Ok(stream) => {
                is_failing = false;
                let seat = Arc::new(inner.seats.take().await);
                connections.spawn(converse(Arc::clone(inner), door, stream, seat, closing.clone()));
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(%error, "the bridge could not accept a connection");
                }
                is_failing = true;
                sleep(PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection.
pub(super) async fn converse<T>(
    inner: Arc<Inner>,
    door: Door,
    stream: T,
    taking: Arc<Taking>,
    closing: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let seat = Arc::clone(&taking.seat);
    let service = service_fn(move |request| {
        let (inner, answering) = (Arc::clone(&inner), taking.answering());
        async move {
            let (response, turn) = inner.handle(door, request).await;
            Ok::<_, Infallible>(response.map(|body| Holding { body, _held: (answering, turn) }))
        }
    });
    let stream = Heard { stream, seat: Arc::clone(&seat) };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_header_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            timeout(FLUSH, connection).await.unwrap_or(Ok(()))
        }
        () = seat.is_to_leave() => match seat.doing() {
            Doing::Beginning(_) => return dismiss(connection.into_parts().io.into_inner().stream).await,
            Doing::Idle(_) | Doing::Answering => {
                Pin::new(&mut connection).graceful_shutdown();
                tokio::select! {
                    ended = &mut connection => ended,
                    () = closing.cancelled() => timeout(FLUSH, connection).await.unwrap_or(Ok(())),
                }
            }
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Says to a client whose request did not get to the end of its head that nobody waits for it any more.
async fn dismiss(mut stream: impl AsyncWrite + Unpin) {
    let refusal = Refusal::SlowHead.message(None);
    let head = format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        refusal.len()
    );
    let said = [head.into_bytes(), refusal].concat();
    // A client that does not read it has gone.
    drop(timeout(FLUSH, stream.write_all(&said)).await);
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
