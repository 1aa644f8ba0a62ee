//! Who listens to what happens to a client's sessions outside of requests. In a server of sessions each process
//! knows of itself alone, so what any of them tells goes to every listener of that client, and to no one else's.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::{Notify, watch};

use super::{listen::Place, request::Members, reshape::Hello};

/// Listeners one client may have at a time.
const MOST_LISTENERS: usize = 64;
/// Resources one listener may subscribe to.
const MOST_URIS: usize = 256;
/// What may wait for one listener. The newest on one topic takes the place of an older.
const MOST_PENDING: usize = 512;

/// What a listener calls the lists: of tools, prompts, resources.
const LISTS: [&str; 3] = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"];

/// What a notification that belongs to no request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// A list has changed: of tools, prompts, resources.
    List(usize),
    /// A resource has.
    Resource(String),
}

impl Topic {
    /// The topic of a notification; none when it may belong to a request.
    pub(super) fn of(method: &str, params: Option<&RawValue>) -> Option<Self> {
        Some(match method {
            "notifications/tools/list_changed" => Self::List(0),
            "notifications/prompts/list_changed" => Self::List(1),
            "notifications/resources/list_changed" => Self::List(2),
            "notifications/resources/updated" => {
                Self::Resource(Members::of(params).text("uri").unwrap_or_default())
            }
            _ => return None,
        })
    }
}

/// What a listener wants to be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    lists: [bool; 3],
    uris: BTreeSet<String>,
}

impl Filter {
    /// Reads it from the parameters of `subscriptions/listen`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read(params: Option<&RawValue>) -> Result<Self, &'static str> {
        let params = Members::of(params);
        let Some(wanted) = params.get("notifications").filter(|wanted| wanted.get().starts_with('{')) else {
            return Err("`notifications` must say what to listen to");
        };
        let wanted = Members::of(Some(wanted));
        let uris: BTreeSet<String> = match wanted.get("resourceSubscriptions") {
            Some(uris) => serde_json::from_str(uris.get())
                .map_err(|_| "`resourceSubscriptions` must be a list of URIs")?,
            None => BTreeSet::new(),
        };
        if uris.len() > MOST_URIS {
            return Err("that is more resources than can be subscribed to at a time");
        }
        Ok(Self { lists: LISTS.map(|list| wanted.is_true(list)), uris })
    }

    /// As much of it as the server can keep.
    pub(super) fn honoured(mut self, by: &Hello) -> Self {
        for (wanted, told) in self.lists.iter_mut().zip(by.tells) {
            *wanted &= told;
        }
        if !by.subscribes {
            self.uris.clear();
        }
        self
    }

    /// As JSON, in the protocol's words.
    pub(super) fn json(&self) -> String {
        let mut json = serde_json::Map::new();
        for (name, _) in LISTS.iter().zip(self.lists).filter(|(_, wanted)| *wanted) {
            json.insert((*name).to_owned(), true.into());
        }
        if !self.uris.is_empty() {
            let uris: Vec<&str> = self.uris.iter().map(|uri| &**uri).collect();
            json.insert("resourceSubscriptions".to_owned(), uris.into());
        }
        serde_json::Value::from(json).to_string()
    }

    fn wants(&self, topic: &Topic) -> bool {
        match topic {
            Topic::List(list) => self.lists.get(*list).copied().unwrap_or_default(),
            Topic::Resource(uri) => self.uris.iter().any(|wanted| is_within(uri, wanted)),
        }
    }
}

/// Whether the resource `uri` is `wanted`, or part of it: a server may tell of the part (MCP 2025-11-25,
/// `ResourceUpdatedNotification`).
fn is_within(uri: &str, wanted: &str) -> bool {
    uri.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || wanted.ends_with('/') || rest.starts_with(['/', '?', '#']))
}

/// The listeners of one client.
#[derive(Debug, Default)]
pub(super) struct Audience {
    listeners: Mutex<Vec<Arc<Listener>>>,
    wanted: watch::Sender<BTreeSet<String>>,
    watch: Place,
}

#[derive(Debug)]
struct Listener {
    filter: Filter,
    pending: Mutex<Vec<(Topic, Bytes)>>,
    rings: Notify,
}

impl Audience {
    /// The resources that listeners want to know about.
    pub(super) fn wanted(&self) -> watch::Receiver<BTreeSet<String>> {
        self.wanted.subscribe()
    }

    /// Where the session is kept that lives as long as someone listens.
    pub(super) fn watch(&self) -> &Place {
        &self.watch
    }

    /// Tells every listener that wants to know. Never waits.
    pub(super) fn tell(&self, topic: &Topic, message: &Bytes) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter().filter(|listener| listener.filter.wants(topic)) {
            let mut pending = listener.pending.lock().unwrap_or_else(PoisonError::into_inner);
            match pending.iter().position(|(known, _)| known == topic) {
                Some(at) => pending[at].1 = message.clone(),
                None if pending.len() < MOST_PENDING => pending.push((topic.clone(), message.clone())),
                None => tracing::debug!("a listener does not listen; it is not told all"),
            }
            listener.rings.notify_one();
        }
    }

    /// Lets someone listen. None when too many do.
    pub(super) fn join(self: &Arc<Self>, filter: Filter) -> Option<Ear> {
        let listener = Arc::new(Listener { filter, pending: Mutex::default(), rings: Notify::new() });
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.len() >= MOST_LISTENERS {
            return None;
        }
        listeners.push(listener.clone());
        self.sum_up(&listeners);
        Some(Ear { audience: self.clone(), listener })
    }

    fn sum_up(&self, listeners: &[Arc<Listener>]) {
        let sum: BTreeSet<String> =
            listeners.iter().flat_map(|listener| listener.filter.uris.iter().cloned()).collect();
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted != sum;
            *wanted = sum;
            changed
        });
    }
}

/// One listener's place in the audience, until it is dropped.
#[derive(Debug)]
pub(super) struct Ear {
    audience: Arc<Audience>,
    listener: Arc<Listener>,
}

impl Ear {
    /// What it is told next. Cancel-safe.
    pub(super) async fn hear(&self) -> Vec<Bytes> {
        loop {
            let pending =
                std::mem::take(&mut *self.listener.pending.lock().unwrap_or_else(PoisonError::into_inner));
            if !pending.is_empty() {
                return pending.into_iter().map(|(_, message)| message).collect();
            }
            self.listener.rings.notified().await;
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut listeners = self.audience.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| !Arc::ptr_eq(listener, &self.listener));
        self.audience.sum_up(&listeners);
    }
}
