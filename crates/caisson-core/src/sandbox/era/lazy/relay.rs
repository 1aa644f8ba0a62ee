//! The connected part of a lazy session: messages pass both ways as they are, and what the server says of itself
//! on the way is pinned.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Incoming, LEVEL, Opened, Told};
use crate::{
    model::{Digest, Envelope, EnvelopeKind, RequestId},
    pins::{Pin, Profile},
    sandbox::era::{
        conversation::LISTS,
        kept::{asks_for_all, is_whole},
    },
};

/// What changes nothing of what a server says of itself.
const HARMLESS: [&str; 5] = [
    "ping",
    "logging/setLevel",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
];

pub(super) struct Relay {
    pin: Pin,
    profile: Profile,
    /// The client's answers from pins that are checked, now that the server can be asked.
    checked: Vec<(&'static str, Digest)>,
    asked: Mutex<HashMap<RequestId, Asked>>,
    /// Whether the process has heard nothing of this client yet that it could repeat to another: only from such a
    /// one is learnt what others are told.
    is_fresh: AtomicBool,
}

/// A request whose answer is looked at when it comes by.
#[derive(Clone)]
enum Asked {
    /// The client's: its result is pinned.
    Pinned(&'static str),
    /// Ours: the client was told this from the pins, and hears when it is no longer true.
    Checked(&'static str, Digest),
    /// The client's, which has its answer already.
    Answered,
}

impl Relay {
    pub(super) fn new(pin: Pin, profile: Profile, told: Told) -> Self {
        let level = told.level.map(|_| (RequestId::Text(LEVEL.to_owned()), Asked::Answered));
        // Without the answer to `initialize` nothing was said from the pins.
        let checked = if told.result.is_some() { told.lists } else { Vec::new() };
        let asked = Mutex::new(level.into_iter().collect());
        let relay = Self { pin, profile, checked, asked, is_fresh: AtomicBool::new(true) };
        for notification in &told.notifications {
            relay.note(notification);
        }
        relay
    }

    /// Passes on what is `waiting`, and everything after it, until one side ends.
    pub(super) async fn run(
        self,
        opened: Opened,
        waiting: VecDeque<Bytes>,
        mut outgoing: mpsc::Receiver<Bytes>,
        incoming: Incoming,
    ) {
        let Opened { sender, mut receiver } = opened;
        let up = async {
            for (list, told) in &self.checked {
                let id = RequestId::Text(format!("caisson:{list}"));
                let request = format!(r#"{{"jsonrpc":"2.0","id":"caisson:{list}","method":"{list}"}}"#);
                self.asked().insert(id, Asked::Checked(list, told.clone()));
                sender.pass(request.as_bytes()).await?;
            }
            for message in &waiting {
                self.note(message);
                sender.pass(message).await?;
            }
            while let Some(message) = outgoing.recv().await {
                self.note(&message);
                sender.pass(&message).await?;
            }
            Ok::<(), crate::sandbox::SessionError>(())
        };
        let down = async {
            while let Some(message) = receiver.next().await {
                let passed = match message {
                    Ok(message) => self.look(message).map(Ok),
                    Err(error) => Some(Err(error)),
                };
                if let Some(passed) = passed
                    && incoming.send(passed).await.is_err()
                {
                    return;
                }
            }
        };
        // The server's last words are heard when the client has nothing more to say; not the other way round.
        tokio::pin!(down);
        tokio::select! {
            _ = up => {}
            () = &mut down => return,
        }
        drop(sender);
        down.await;
    }

    /// Takes note of a message of the client: whether its answer is to be pinned, or nothing any more.
    fn note(&self, message: &[u8]) {
        if !self.is_fresh() {
            return;
        }
        let envelope = Envelope::read(message).ok().map(|(envelope, _)| envelope);
        let method = envelope.as_ref().and_then(|envelope| envelope.method.as_deref());
        let lists = LISTS.iter().map(|(list, _)| *list);
        let pinned = lists.chain(["initialize"]).find(|pinned| Some(*pinned) == method);
        match (pinned, envelope.as_ref()) {
            (Some(pinned), Some(Envelope { id: Some(id), params, .. })) => {
                if pinned == "initialize" || asks_for_all(*params) {
                    self.asked().insert(id.clone(), Asked::Pinned(pinned));
                }
            }
            _ if method.is_some_and(|method| HARMLESS.contains(&method)) => {}
            _ => self.is_fresh.store(false, Ordering::Relaxed),
        }
    }

    fn is_fresh(&self) -> bool {
        self.is_fresh.load(Ordering::Relaxed)
    }

    /// What of a server's message the client is to hear.
    fn look(&self, message: Bytes) -> Option<Bytes> {
        if self.asked().is_empty() {
            return Some(message);
        }
        let Ok((envelope, EnvelopeKind::Response)) = Envelope::read(&message) else { return Some(message) };
        let Some(id) = &envelope.id else { return Some(message) };
        let asked = self.asked().remove(id);
        let result = envelope.result.filter(|result| is_whole(result));
        match (asked, result) {
            (Some(Asked::Pinned(method)), Some(result)) if self.is_fresh() => {
                self.pin.set_result(&self.profile, method, result);
                self.pin.compare(&self.profile, method, result);
                Some(message)
            }
            (Some(Asked::Checked(method, told)), Some(result)) => {
                if told == Digest::of(result.get().as_bytes()) {
                    return None;
                }
                if self.is_fresh() {
                    self.pin.set_result(&self.profile, method, result);
                } else if self
                    .pin
                    .result(&self.profile, method)
                    .is_none_or(|pinned| pinned.get() != result.get())
                {
                    self.pin.forget_result(&self.profile, method);
                }
                self.pin.compare(&self.profile, method, result);
                list_changed(method)
            }
            (Some(Asked::Checked(..)), None) | (Some(Asked::Answered), _) => None,
            (Some(Asked::Pinned(_)) | None, _) => Some(message),
        }
    }

    // No panic happens while the lock is held.
    fn asked(&self) -> MutexGuard<'_, HashMap<RequestId, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notification that a list is another than the client was told.
fn list_changed(method: &str) -> Option<Bytes> {
    let kind = method.split('/').next()?;
    Some(format!(r#"{{"jsonrpc":"2.0","method":"notifications/{kind}/list_changed"}}"#).into())
}
