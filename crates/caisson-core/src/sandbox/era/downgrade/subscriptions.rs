//! What the client is told without asking. It subscribes to one resource after the other, and expects to be told
//! when lists change; below, all of that is one subscription, which is renewed when it changes: the next one is
//! acknowledged before the last one is closed.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    super::{super::SessionError, pair::Fault},
    Shared, empty,
    listen::{Listen, News, Wanted},
    notices,
    told::Told,
};
use crate::model::{Envelope, RequestId};

/// So long a server may take to acknowledge a subscription.
const PATIENCE: Duration = Duration::from_secs(10);
/// So long the last subscription stays after the next was acknowledged, so that what came on both is heard.
const OVERLAP: Duration = Duration::from_millis(100);
/// Subscriptions that overlap.
const MOST_OPEN: usize = 4;
/// Changes that wait for the renewal that is under way.
const MOST_WAITING: usize = 256;
/// Resources a client may be subscribed to.
const MOST_URIS: usize = 1024;
/// Notifications that are heard ahead.
const AHEAD: usize = 4;

/// A change of what the client is subscribed to. Those with an id are answered.
#[derive(Debug)]
pub(super) enum Change {
    /// It is initialized, and expects to be told when lists change.
    Initialized,
    /// The server has ended its subscription, and it is in use again.
    Lapsed,
    Subscribe {
        id: RequestId,
        uri: String,
    },
    Unsubscribe {
        id: RequestId,
        uri: String,
    },
}

/// The subscriptions of one session.
#[derive(Debug)]
pub(super) struct Subscriptions {
    shared: Arc<Shared>,
    /// The lists whose changes the server promised to tell.
    promised: Vec<&'static str>,
    wanted: Wanted,
    waiting: Vec<Change>,
    coming: Option<Coming>,
    /// Those that were acknowledged. All but the last are closed when their time comes.
    open: Vec<(Listen, Option<Instant>)>,
    told: Told,
    last: u64,
}

/// A subscription that was not acknowledged yet, and the changes it brings.
#[derive(Debug)]
struct Coming {
    listen: Listen,
    changes: Vec<Change>,
    until: Instant,
}

impl Subscriptions {
    pub(super) fn new(shared: Arc<Shared>, promised: Vec<&'static str>) -> Self {
        let (wanted, told) = (Wanted::default(), Told::default());
        let (waiting, open) = (Vec::new(), Vec::new());
        Self { shared, promised, wanted, waiting, coming: None, open, told, last: 0 }
    }

    /// Sees to the changes until there are no more, or the session ends.
    pub(super) async fn run(mut self, mut changes: mpsc::Receiver<Change>) {
        let (sender, mut news) = mpsc::channel(AHEAD);
        let shared = self.shared.clone();
        loop {
            let alarm = self.alarm();
            tokio::select! {
                why = shared.upward.ended() => return self.part(why).await,
                change = changes.recv(), if self.waiting.len() < MOST_WAITING => match change {
                    Some(change) => self.waiting.push(change),
                    None => return,
                },
                Some((number, news)) = news.recv() => match news {
                    News::Said(message) => self.said(number, message).await,
                    News::Ended(fault) => self.ended(number, fault).await,
                },
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => self.expire().await,
            }
            if self.coming.is_none() && !self.waiting.is_empty() {
                self.renew(&sender).await;
            }
        }
    }

    /// Tells everyone who waits why the session has ended.
    async fn part(mut self, why: SessionError) {
        let mut changes = self.coming.take().map(|coming| coming.changes).unwrap_or_default();
        changes.append(&mut self.waiting);
        self.fail(changes, &Fault::Over(why)).await;
    }

    /// When something is due.
    fn alarm(&self) -> Option<Instant> {
        let closing = self.open.iter().filter_map(|(_, until)| *until);
        closing.chain(self.coming.as_ref().map(|coming| coming.until)).min()
    }

    /// Subscribes anew, with the changes that wait.
    async fn renew(&mut self, news: &mpsc::Sender<(u64, News)>) {
        let mut wanted = self.wanted.clone();
        let mut changes = Vec::new();
        for change in mem::take(&mut self.waiting) {
            match &change {
                Change::Initialized => wanted.lists.clone_from(&self.promised),
                Change::Lapsed => {}
                Change::Subscribe { uri, .. }
                    if wanted.uris.len() >= MOST_URIS && !wanted.uris.contains(uri) =>
                {
                    let why = format!("a client may be subscribed to {MOST_URIS} resources");
                    self.fail([change], &Fault::refused(why)).await;
                    continue;
                }
                Change::Subscribe { uri, .. } => drop(wanted.uris.insert(uri.clone())),
                Change::Unsubscribe { uri, .. } => drop(wanted.uris.remove(uri)),
            }
            changes.push(change);
        }
        let is_open = self.open.last().is_some_and(|(listen, _)| listen.wanted == wanted);
        if is_open || wanted.is_empty() {
            if !is_open {
                self.close(|_| true);
            }
            self.wanted = wanted;
            return self.grant(changes).await;
        }
        self.last += 1;
        self.told.begin(self.last);
        let listen = Listen::open(self.shared.clone(), self.last, wanted, news.clone());
        self.coming = Some(Coming { listen, changes, until: Instant::now() + PATIENCE });
    }

    /// A subscription tells something.
    async fn said(&mut self, number: u64, message: Bytes) {
        let Ok((envelope, _)) = Envelope::read(&message) else { return };
        let method = envelope.method.as_deref().unwrap_or_default();
        if method == "notifications/subscriptions/acknowledged" {
            return self.acknowledged(number, envelope.params).await;
        }
        let uri = notices::resource(envelope.params);
        if uri.as_ref().is_some_and(|uri| self.is_unwanted(number, uri)) {
            return;
        }
        if self.told.is_news(number, (method.to_owned(), uri)) {
            self.shared.upward.tell(notices::without_subscription(message.clone())).await;
        }
    }

    /// Whether the client has unsubscribed from a resource since it asked subscription `number` for it.
    fn is_unwanted(&self, number: u64, uri: &str) -> bool {
        let mut listens = self.open.iter().map(|(listen, _)| listen);
        let listen = listens.find(|listen| listen.number == number);
        listen.is_some_and(|listen| listen.wanted.uris.contains(uri)) && !self.wanted.uris.contains(uri)
    }

    async fn acknowledged(&mut self, number: u64, params: Option<&RawValue>) {
        let Some(Coming { mut listen, changes, .. }) =
            self.coming.take_if(|coming| coming.listen.number == number)
        else {
            return;
        };
        let honours = notices::honours_resources(params);
        if !honours {
            listen.wanted.uris.clear();
        }
        self.wanted = listen.wanted.clone();
        if let Some((_, until)) = self.open.last_mut() {
            *until = Some(Instant::now() + OVERLAP);
        }
        self.open.push((listen, None));
        if self.open.len() > MOST_OPEN {
            let oldest = self.open[0].0.number;
            self.close(|listen| listen.number == oldest);
        }
        let (refused, granted): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| !honours && matches!(change, Change::Subscribe { .. }));
        self.grant(granted).await;
        self.fail(refused, &Fault::refused("this server does not tell when a resource is updated")).await;
    }

    /// A subscription has ended by itself.
    async fn ended(&mut self, number: u64, fault: Option<Fault>) {
        if let Some(Fault::Over(why)) = fault {
            // Everyone who waits is told as the session ends.
            return self.shared.upward.end(why);
        }
        if let Some(coming) = self.coming.take_if(|coming| coming.listen.number == number) {
            self.told.end(number);
            let fault = fault.unwrap_or_else(|| Fault::broken("ended the subscription at once"));
            return self.fail(coming.changes, &fault).await;
        }
        let is_last = self.open.last().is_some_and(|(listen, _)| listen.number == number);
        self.close(|listen| listen.number == number);
        if is_last {
            self.shared.lapsed.store(true, Ordering::Relaxed);
        }
    }

    /// Closes what has had its time.
    async fn expire(&mut self) {
        let now = Instant::now();
        let due: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, until)| until.is_some_and(|until| until <= now))
            .map(|(listen, _)| listen.number)
            .collect();
        self.close(|listen| due.contains(&listen.number));
        if let Some(late) = self.coming.take_if(|coming| coming.until <= now) {
            self.told.end(late.listen.number);
            let why = format!("did not acknowledge the subscription within {} seconds", PATIENCE.as_secs());
            self.fail(late.changes, &Fault::broken(&why)).await;
        }
    }

    fn close(&mut self, which: impl Fn(&Listen) -> bool) {
        let told = &mut self.told;
        self.open.retain(|(listen, _)| {
            let stays = !which(listen);
            if !stays {
                told.end(listen.number);
            }
            stays
        });
    }

    async fn grant(&self, changes: impl IntoIterator<Item = Change>) {
        for id in changes.into_iter().filter_map(Change::into_id) {
            self.shared.upward.tell(empty(&id)).await;
        }
    }

    async fn fail(&self, changes: impl IntoIterator<Item = Change>, fault: &Fault) {
        for id in changes.into_iter().filter_map(Change::into_id) {
            self.shared.upward.tell(fault.response(&id)).await;
        }
    }
}

impl Change {
    fn into_id(self) -> Option<RequestId> {
        match self {
            Self::Subscribe { id, .. } | Self::Unsubscribe { id, .. } => Some(id),
            Self::Initialized | Self::Lapsed => None,
        }
    }
}
