//! A client with sessions, of MCP 2024-11-05 to 2025-11-25, on a server that knows only 2026-07-28. Each of its
//! requests is asked below as one that stands alone; what the server needs to ask the client, it asks within a
//! request's answer, and here that becomes a request to the client again.
//!
//! Notifications of the client go no further, except those that are acted upon here: a server without sessions
//! takes none.

mod call;
mod client;
mod inputs;
mod listen;
mod notices;
mod opening;
mod results;
mod subscriptions;
mod told;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use self::{
    client::Client,
    inputs::Inputs,
    opening::{Opened, Opening},
    subscriptions::{Change, Subscriptions},
};
use super::{
    super::{Session, exchange::Stateless},
    pair::{Below, Calls, Fault, Upward, invalid},
};
use crate::{
    gate::CallerId,
    model::{Endpoint, Envelope, EnvelopeKind, RequestId},
};

/// Changes of subscriptions that wait to be heard.
const WAITING_CHANGES: usize = 16;

/// A session for a client with sessions, with what `below` answers for. Must be called within a Tokio
/// runtime.
pub(in crate::sandbox) fn session(
    endpoint: Endpoint,
    caller: CallerId,
    below: Arc<dyn Stateless>,
) -> Session {
    let (session, ends, incoming) = Session::carried(endpoint.clone(), None);
    let opening =
        Opening { endpoint, upward: Arc::new(Upward::new(incoming)), below: Below::new(below, caller) };
    tokio::spawn(carry(opening, ends.outgoing));
    session
}

/// What all requests of one session share.
#[derive(Debug)]
struct Shared {
    upward: Arc<Upward>,
    below: Below,
    client: Client,
    /// As JSON, the level of log messages the client wants.
    log_level: Mutex<Option<String>>,
    inputs: Inputs,
    /// Whether a subscription the client has was ended by the server.
    lapsed: AtomicBool,
}

/// An initialized session.
struct Downgrade {
    shared: Arc<Shared>,
    calls: Calls,
    changes: mpsc::Sender<Change>,
    subscriptions: AbortOnDropHandle<()>,
}

/// Carries until the client or the server is gone.
async fn carry(opening: Opening, mut messages: mpsc::Receiver<Bytes>) {
    let Some(Opened { opening, client, promised, held }) = opening.open(&mut messages).await else { return };
    let (inputs, withdrawn) = Inputs::new();
    let Opening { upward, below, .. } = opening;
    let (log_level, lapsed) = (Mutex::default(), AtomicBool::new(false));
    let shared = Arc::new(Shared { upward, below, client, log_level, inputs, lapsed });
    let (changes, changed) = mpsc::channel(WAITING_CHANGES);
    let subscriptions = Subscriptions::new(shared.clone(), promised);
    let subscriptions = AbortOnDropHandle::new(tokio::spawn(subscriptions.run(changed)));
    let downgrade = Downgrade { shared, calls: Calls::default(), changes, subscriptions };
    downgrade.carry(held, messages, withdrawn).await;
}

impl Downgrade {
    async fn carry(
        mut self,
        mut held: VecDeque<Bytes>,
        mut messages: mpsc::Receiver<Bytes>,
        mut withdrawn: mpsc::UnboundedReceiver<RequestId>,
    ) {
        let upward = self.shared.upward.clone();
        loop {
            let next = async {
                match held.pop_front() {
                    Some(message) => Some(message),
                    None => messages.recv().await,
                }
            };
            tokio::select! {
                () = upward.gone() => return,
                _ = upward.ended() => break,
                message = next, if self.calls.has_room() => match message {
                    Some(message) => self.hear(message).await,
                    None => return,
                },
                Some(id) = withdrawn.recv() => upward.tell(inputs::withdrawal(&id)).await,
                () = self.calls.one_ends(), if !self.calls.is_empty() => {}
            }
        }
        let parting = async {
            self.calls.all_end().await;
            drop(self.subscriptions.await);
            upward.part().await;
        };
        tokio::select! {
            () = upward.gone() => {}
            () = parting => {}
        }
    }

    async fn hear(&mut self, message: Bytes) {
        let message = message.slice_ref(message.trim_ascii());
        let (envelope, kind) = match Envelope::read(&message) {
            Ok(read) => read,
            Err(error) => return self.shared.upward.tell(invalid(&error.to_string())).await,
        };
        match (kind, &envelope.id) {
            (EnvelopeKind::Request, Some(id)) => {
                if let Err(fault) = self.request(&envelope, id, &message).await {
                    self.shared.upward.tell(fault.response(id)).await;
                }
            }
            (EnvelopeKind::Response, Some(id)) => self.shared.inputs.answered(id, message.clone()),
            (EnvelopeKind::Notification, _) => match envelope.method.as_deref() {
                Some("notifications/initialized") => self.change(Change::Initialized).await,
                _ => self.calls.notified(&envelope),
            },
            (EnvelopeKind::Request | EnvelopeKind::Response, None) => {}
        }
    }

    async fn request(
        &mut self,
        envelope: &Envelope<'_>,
        id: &RequestId,
        message: &Bytes,
    ) -> Result<(), Fault> {
        match envelope.method.as_deref().unwrap_or_default() {
            "initialize" => Err(Fault::refused("this session is initialized already")),
            "ping" => {
                self.shared.upward.tell(empty(id)).await;
                Ok(())
            }
            "logging/setLevel" => {
                let level = client::log_level(envelope)?;
                *self.shared.log_level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
                self.shared.upward.tell(empty(id)).await;
                Ok(())
            }
            "resources/subscribe" => {
                let uri = client::uri(envelope)?;
                self.change(Change::Subscribe { id: id.clone(), uri }).await;
                Ok(())
            }
            "resources/unsubscribe" => {
                let uri = client::uri(envelope)?;
                self.change(Change::Unsubscribe { id: id.clone(), uri }).await;
                Ok(())
            }
            method => {
                // A server that ends subscriptions, as it does when it stops, is not kept running by renewing
                // them, unless its client uses it.
                if self.shared.lapsed.swap(false, Ordering::Relaxed) {
                    self.change(Change::Lapsed).await;
                }
                let request = self.shared.enveloped(message)?;
                let (shared, method, asked) = (self.shared.clone(), method.to_owned(), id.clone());
                let work = async move { call::answer(&shared, &method, &asked, request).await.map(Some) };
                self.calls.start(&self.shared.upward, id.clone(), work)
            }
        }
    }

    /// Tells of a change. It answers the request that brought it.
    async fn change(&self, change: Change) {
        // Subscriptions end with the session alone.
        drop(self.changes.send(change).await);
    }
}

/// An empty result.
fn empty(id: &RequestId) -> Bytes {
    json!({"jsonrpc": "2.0", "id": id, "result": {}}).to_string().into()
}
