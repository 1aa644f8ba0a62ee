//! Clients of the protocol without sessions with servers of the one with them. Each request is run in a session
//! with a process of its own kept for that client, one request at a time.
//!
//! What the server asks meanwhile ends the exchange with a result that asks for input; the session waits until the
//! client comes back with it. Nothing of one caller's is ever used for another, or shown to it.

mod asks;
mod audience;
mod call;
mod client;
mod heard;
mod keeper;
mod listen;
mod outlet;
mod parking;
mod pool;
mod process;
mod request;
mod reshape;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) use self::request::is_log_level;
use self::{
    audience::Audience,
    client::Client,
    keeper::Keeper,
    listen::Watches,
    outlet::{Job, Outlet},
    parking::Parking,
    pool::{Pool, Seat, Slot},
    process::Process,
    request::{INTERNAL, INVALID_PARAMS, NO_SUCH_METHOD, Request},
};
use crate::{
    gate::CallerId,
    model::{ServerName, error_response},
    sandbox::{
        Exchange, SandboxError,
        exchange::{Opens, Stateless},
    },
};

/// The version that is spoken with clients.
const MODERN: &str = "2026-07-28";

/// A server of sessions, made to look like one without. When dropped, all its sessions end.
pub(super) struct Upgrade {
    shared: Arc<Shared>,
    _ends: DropGuard,
}

/// What all sessions with one server have in common.
struct Shared {
    server: ServerName,
    opener: Arc<dyn Opens>,
    pool: Arc<Pool>,
    parking: Parking,
    audiences: Mutex<HashMap<Client, Weak<Audience>>>,
    watches: Arc<Watches>,
    ends: CancellationToken,
}

impl Upgrade {
    /// The server `server`, to whose processes `opener` opens sessions.
    pub(super) fn new(server: ServerName, opener: Arc<dyn Opens>) -> Self {
        let ends = CancellationToken::new();
        let shared = Shared {
            server,
            opener,
            pool: Arc::default(),
            parking: Parking::default(),
            audiences: Mutex::default(),
            watches: Arc::default(),
            ends: ends.clone(),
        };
        Self { shared: Arc::new(shared), _ends: ends.drop_guard() }
    }

    /// Runs a request in a session of its client's.
    async fn run(&self, client: Client, request: Request) -> Result<Exchange, SandboxError> {
        let id = request.id.clone();
        let (outlet, exchange) = Outlet::new();
        let mut job = Job { request, outlet };
        loop {
            match self.shared.pool.seat(&client).await {
                Some(Seat::Rested(session)) => match session.send(job) {
                    Ok(()) => return Ok(exchange),
                    Err(back) => job = back,
                },
                Some(Seat::Vacant(slot)) => {
                    let (begun, has_begun) = oneshot::channel();
                    // Detached: a client that gives up meanwhile leaves a session for its next request.
                    tokio::spawn(self.shared.clone().keep(client, slot, job, begun));
                    let stopped = || SandboxError::Stopped(self.shared.server.clone());
                    has_begun.await.unwrap_or_else(|_| Err(stopped()))?;
                    return Ok(exchange);
                }
                None => {
                    let why = "too many requests wait for this server; try again later";
                    return Ok(Exchange::answered(error_response(Some(&id), INTERNAL, why)));
                }
            }
        }
    }

    /// Goes on with a request whose client has come back with input.
    fn resume(&self, caller: &CallerId, request: Request) -> Exchange {
        let id = request.id.clone();
        let gone = |why: &str| Exchange::answered(error_response(Some(&id), INVALID_PARAMS, why));
        let Some(session) = self.shared.parking.take(caller, &request) else {
            return gone(
                "this requestState is unknown, used, too old or for another request; ask anew without it",
            );
        };
        let (outlet, exchange) = Outlet::new();
        match session.send(Job { request, outlet }) {
            Ok(()) => exchange,
            Err(_) => gone("the server gave this request up meanwhile; ask anew without requestState"),
        }
    }
}

impl Stateless for Upgrade {
    fn ask(&self, caller: CallerId, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            let request = match Request::read(request) {
                Ok(request) => request,
                Err(answer) => return Ok(Exchange::answered(answer)),
            };
            match &*request.method {
                "initialize"
                | "ping"
                | "logging/setLevel"
                | "resources/subscribe"
                | "resources/unsubscribe" => {
                    let why = format!("there is no {} in MCP {MODERN}", request.method);
                    let answer = error_response(Some(&request.id), NO_SUCH_METHOD, &why);
                    Ok(Exchange::answered(answer))
                }
                "subscriptions/listen" => {
                    listen::listen(&self.shared, &Client::of(caller, &request.message), request).await
                }
                _ if request.state.is_some() => Ok(self.resume(&caller, request)),
                _ => self.run(Client::of(caller, &request.message), request).await,
            }
        })
    }
}

impl Shared {
    /// Begins a session, and keeps it for what its client asks. Tells `begun` how the beginning went.
    async fn keep(
        self: Arc<Self>,
        client: Client,
        slot: Slot,
        job: Job,
        begun: oneshot::Sender<Result<(), SandboxError>>,
    ) {
        let process = match self.begin(&client, self.audience(&client)).await {
            Ok(process) => process,
            // Nobody waits any more.
            Err(error) => return drop(begun.send(Err(error))),
        };
        drop(begun.send(Ok(())));
        Keeper::new(process, Arc::new(client), self, slot).keep(job).await;
    }

    /// Begins a session with a process of its own.
    async fn begin(&self, client: &Client, audience: Arc<Audience>) -> Result<Process, SandboxError> {
        let session = self.opener.open(Some(client.caller().clone())).await?;
        let process = Process::begin(session, client, audience, self.ends.child_token()).await;
        process
            .map_err(|error| SandboxError::Ended { server: self.server.clone(), reason: error.to_string() })
    }

    /// Who listens to this client's sessions.
    fn audience(&self, client: &Client) -> Arc<Audience> {
        let mut audiences = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(audience) = audiences.get(client).and_then(Weak::upgrade) {
            return audience;
        }
        audiences.retain(|_, audience| audience.strong_count() > 0);
        let audience = Arc::<Audience>::default();
        audiences.insert(client.clone(), Arc::downgrade(&audience));
        audience
    }
}

#[cfg(test)]
mod tests;
