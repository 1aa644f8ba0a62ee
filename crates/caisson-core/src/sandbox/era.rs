//! Any client with any server. Two eras of MCP do not understand each other: the one with sessions, up to
//! 2025-11-25, and the one without, from 2026-07-28 on. A server's front speaks to it in an era it knows, and
//! says what the server is known to say while it does not run.

mod conversation;
mod downgrade;
mod duplex;
mod hub;
mod kept;
mod keys;
mod later;
mod lazy;
mod pair;
mod patience;
mod probe;
mod upgrade;

pub(crate) use conversation::{LISTS, Pages};

use std::{
    sync::{Arc, Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use self::{
    hub::Hub,
    kept::{Kept, KnownTools},
    lazy::Lazy,
    upgrade::Upgrade,
};
use super::{
    Exchange, SandboxError, Session,
    exchange::{Opens, Stateless},
    logs::Logs,
    supervisor::Ask,
};
use crate::{
    gate::{CallerId, Definition},
    model::{Endpoint, Envelope, PinKind, Server, ServerName, ServerState, Statement},
    pins::{Eras, Pin, Pins, Profile},
};

/// What speaks to one server for clients of either era.
pub(super) struct Front {
    opener: Arc<dyn Opens>,
    server: watch::Receiver<Arc<Server>>,
    state: watch::Receiver<ServerState>,
    pins: Pins,
    /// Speaks to the server when it knows the protocol without sessions.
    hub: Hub,
    /// Speaks to it when it does not.
    upgrade: Upgrade,
    known: SyncMutex<Option<Known>>,
    /// Held while the server is asked what it is.
    probing: Mutex<()>,
}

/// What is known of the server as it is defined.
#[derive(Clone)]
struct Known {
    server: Arc<Server>,
    pin: Pin,
    eras: Option<Eras>,
    tools: Arc<KnownTools>,
}

impl Front {
    pub(super) fn new(
        name: ServerName,
        asks: mpsc::UnboundedSender<Ask>,
        server: watch::Receiver<Arc<Server>>,
        state: watch::Receiver<ServerState>,
        logs: Logs,
        pins: Pins,
    ) -> Self {
        let opener: Arc<dyn Opens> = Arc::new(Opener { name: name.clone(), asks });
        let hub = Hub::new(name.clone(), Arc::clone(&opener), logs);
        let upgrade = Upgrade::new(name, Arc::clone(&opener));
        Self {
            opener,
            server,
            state,
            pins,
            hub,
            upgrade,
            known: SyncMutex::default(),
            probing: Mutex::default(),
        }
    }

    /// A session for a client that begins with `hello`, which is empty when it has said nothing yet.
    pub(super) async fn session(
        self: &Arc<Self>,
        caller: CallerId,
        hello: &[u8],
    ) -> Result<Session, SandboxError> {
        let server = self.opener.server().clone();
        let Some(profile) = Profile::of(hello) else {
            if conversation::stands_alone(hello) {
                return Ok(duplex::session(server.into(), caller, Arc::clone(self) as Arc<dyn Stateless>));
            }
            if hello.is_empty() {
                return Ok(later::session(Arc::clone(self), caller));
            }
            // Whatever else it is, it is the server's to answer.
            return self.opener.open(Some(caller)).await;
        };
        let eras = self.eras().await?;
        let pin = self.known().pin;
        if !eras.legacy {
            return Ok(downgrade::session(server.into(), caller, Arc::clone(self) as Arc<dyn Stateless>));
        }
        let is_pinned = || pin.result(&profile, "initialize").is_some();
        if self.runs() && is_pinned() {
            return self.opener.open(Some(caller)).await;
        }
        let life = self.server.borrow().life.clone();
        let (opener, patience) = (Arc::clone(&self.opener), life.start_timeout());
        Ok(Lazy { opener, caller, pin, profile, shares: !self.runs(), prewarm: life.prewarm, patience }
            .session())
    }

    /// Asks the server what it is and what it says of itself, and pins it.
    pub(super) async fn learn(self: &Arc<Self>) -> Result<(), SandboxError> {
        let eras = self.eras().await?;
        let patience = self.server.borrow().life.start_timeout();
        if eras.legacy {
            probe::learn(&*self.opener, &self.known().pin, patience).await?;
        }
        let least = json!({});
        let Some(about) = self.learn_of("server/discover", &least, patience).await? else { return Ok(()) };
        for (method, _) in conversation::lists_of(&about) {
            let list = self.learn_of(method, &least, patience).await?;
            if let (Some(list), "tools/list", false) = (list, method, eras.legacy) {
                kept::keep_schemas(&list, &self.known().pin);
            }
            // Of one that knows sessions, this was found out there.
            if !eras.legacy {
                self.learn_of(method, &conversation::able(), patience).await?;
            }
        }
        Ok(())
    }

    /// Forgets what the server says of itself.
    pub(super) fn forget_results(&self) {
        self.known().pin.forget_results();
    }

    /// Asks for all there is of one thing, as a client with these capabilities, so that it is kept as it comes by. None when it has no such thing, or takes
    /// longer than `patience`.
    async fn learn_of(
        self: &Arc<Self>,
        method: &str,
        capabilities: &Value,
        patience: Duration,
    ) -> Result<Option<Box<RawValue>>, SandboxError> {
        let question = conversation::standalone_question(method, capabilities);
        let mut exchange = self.ask(CallerId::caisson(), question).await?;
        let heard = async {
            let mut last = None;
            while let Some(heard) = exchange.next().await {
                last = heard.ok();
            }
            last
        };
        let Ok(answer) = tokio::time::timeout(patience, heard).await else {
            tracing::debug!(server = %self.opener.server(), method, "it was not answered in time");
            return Ok(None);
        };
        let answer = answer.as_deref().and_then(|answer| Envelope::read(answer).ok());
        Ok(answer.and_then(|(envelope, _)| envelope.result.map(ToOwned::to_owned)))
    }

    /// The input schema of a tool, as it was pinned.
    pub(super) fn input_schema(&self, tool: &str) -> Option<Arc<str>> {
        let Known { pin, tools, .. } = self.known();
        tools.get(&pin, tool)?.schema.clone()
    }

    /// What is known of a tool, as it was pinned.
    pub(super) fn definition(&self, tool: &str) -> Option<Definition> {
        let Known { pin, tools, .. } = self.known();
        Some(tools.get(&pin, tool)?.definition.clone())
    }

    /// What the server has said of itself to Caisson. Of what it does not have, that it has none.
    pub(super) fn said(&self) -> Vec<(Statement, Box<RawValue>)> {
        let pin = self.known().pin;
        let mut said = Vec::new();
        let able = serde_json::from_value(conversation::able()).unwrap_or_default();
        let able = Profile::modern_with(&able, &CallerId::caisson());
        for profile in Profile::own().into_iter().chain([able]) {
            for statement in Statement::ALL {
                let Some(result) = pin.result(&profile, statement.method()) else { continue };
                if matches!(statement, Statement::Beginning | Statement::Discovery) {
                    let announced: Vec<_> =
                        conversation::lists_of(&result).map(|(method, _)| method).collect();
                    let none = Statement::ALL
                        .into_iter()
                        .filter(|statement| statement.kind() != PinKind::Instructions)
                        .filter(|statement| !announced.contains(&statement.method()));
                    said.extend(none.filter_map(|statement| Some((statement, empty()?))));
                }
                said.push((statement, result));
            }
        }
        said
    }

    /// The eras the server knows. It is asked when nobody knows yet.
    async fn eras(&self) -> Result<Eras, SandboxError> {
        if let Some(eras) = self.known().eras {
            return Ok(eras);
        }
        let _probing = self.probing.lock().await;
        let known = self.known();
        if let Some(eras) = known.eras {
            return Ok(eras);
        }
        let eras = probe::eras(&*self.opener, known.server.life.start_timeout()).await?;
        known.pin.set_eras(eras);
        *self.lock() = Some(Known { eras: Some(eras), ..known });
        Ok(eras)
    }

    fn known(&self) -> Known {
        let server = self.server.borrow().clone();
        let mut known = self.lock();
        if let Some(known) = &*known
            && Arc::ptr_eq(&known.server, &server)
        {
            return known.clone();
        }
        let pin = self.pins.of(self.opener.server(), &server);
        let eras = pin.eras();
        known.insert(Known { server, pin, eras, tools: Arc::default() }).clone()
    }

    fn runs(&self) -> bool {
        matches!(*self.state.borrow(), ServerState::Running { .. })
    }

    // No panic happens while the lock is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A result that says nothing.
fn empty() -> Option<Box<RawValue>> {
    RawValue::from_string("{}".to_owned()).ok()
}

/// A session for a client of either era that begins with `hello`, with what `below` answers for. Must be called within
/// a Tokio runtime.
pub(crate) fn session_over(
    endpoint: Endpoint,
    caller: CallerId,
    hello: &[u8],
    below: Arc<dyn Stateless>,
) -> Session {
    // One that says nothing at first is of HTTP+SSE.
    if conversation::stands_alone(hello) && Profile::of(hello).is_none() {
        duplex::session(endpoint, caller, below)
    } else {
        downgrade::session(endpoint, caller, below)
    }
}

impl Stateless for Front {
    fn ask(&self, caller: CallerId, request: Bytes) -> BoxFuture<'_, Result<Exchange, SandboxError>> {
        Box::pin(async move {
            let eras = self.eras().await?;
            let below: &dyn Stateless = if eras.modern { &self.hub } else { &self.upgrade };
            let pin = self.known().pin;
            let Some(kept) = Kept::of(&request, eras, &caller, &pin) else {
                return below.ask(caller, request).await;
            };
            if !self.runs()
                && let Some(exchange) = kept.answer(&pin)
            {
                return Ok(exchange);
            }
            Ok(kept.keeping(below.ask(caller, request).await?, pin))
        })
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("server", self.opener.server()).finish_non_exhaustive()
    }
}

/// Opens raw sessions at the server's supervisor.
struct Opener {
    name: ServerName,
    asks: mpsc::UnboundedSender<Ask>,
}

impl Opens for Opener {
    fn server(&self) -> &ServerName {
        &self.name
    }

    fn open(&self, caller: Option<CallerId>) -> BoxFuture<'_, Result<Session, SandboxError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            // A supervisor that is gone drops the reply.
            drop(self.asks.send(Ask::Open(caller, reply)));
            answer.await.unwrap_or_else(|_| Err(SandboxError::Stopped(self.name.clone())))
        })
    }
}

#[cfg(test)]
mod tests;
