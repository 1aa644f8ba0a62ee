//! What one server has reached and what it was refused, since Caisson started. Bounded: a hostile server may name hosts
//! without end.

use std::{
    collections::HashMap,
    hash::Hash,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::missed::Missed;
use crate::{
    egress::{NoWay, Tally},
    model::{HostRule, Refused, utc},
};

/// Hosts that are remembered, of each kind; the one that was not heard of for longest makes room.
const MOST_REMEMBERED: usize = 256;

/// A host a server has reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Reached {
    /// The host. Hostile: show escaped.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Connections so far.
    #[ts(type = "number")]
    pub connections: u64,
    /// Of these, those that are open.
    #[ts(type = "number")]
    pub open: u64,
    /// Bytes the server has sent there.
    #[ts(type = "number")]
    pub sent: u64,
    /// Bytes it got from there.
    #[ts(type = "number")]
    pub received: u64,
    /// The latest connection, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub last: u64,
}

/// A host a server was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Tried {
    /// The host. Hostile: show escaped.
    pub host: String,
    /// The TCP port; 0 when only the name was asked for.
    pub port: u16,
    /// How often.
    #[ts(type = "number")]
    pub times: u64,
    /// The latest time, in milliseconds since 1970 (UTC).
    #[ts(type = "number")]
    pub last: u64,
    /// Why.
    pub why: Refused,
    /// The same in words.
    pub reason: String,
    /// What the user would have to allow; none where nothing would help.
    pub rule: Option<HostRule>,
}

/// What a server has tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The hosts it has reached, the latest first.
    pub reached: Vec<Reached>,
    /// The hosts it was refused, the latest first.
    pub tried: Vec<Tried>,
    /// The user's folders it looked for and does not see, with the latest time, the latest first.
    pub missed: Vec<(Missed, u64)>,
}

/// What all connections of a server have carried, since Caisson started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TrafficSums {
    /// Connections so far.
    pub connections: u64,
    /// Of these, those that are open.
    pub open: u64,
    /// Bytes the server has sent.
    pub sent: u64,
    /// Bytes it got.
    pub received: u64,
    /// How often it was refused: a connection, or a name.
    pub refused: u64,
}

type Target = (String, u16);

/// The book of one server. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pages: Arc<Mutex<Pages>>,
    clock: super::Clock,
}

#[derive(Debug, Default)]
struct Pages {
    reached: HashMap<Target, Page>,
    tried: HashMap<Target, Tried>,
    missed: HashMap<Missed, u64>,
    /// Of hosts that were forgotten, too; without the bytes of connections that are open.
    sums: TrafficSums,
}

#[derive(Debug, Default)]
struct Page {
    connections: u64,
    last: u64,
    /// Of connections that are over.
    sent: u64,
    received: u64,
    open: Vec<Arc<Tally>>,
}

impl Book {
    pub(super) fn new(clock: super::Clock) -> Self {
        Self { pages: Arc::default(), clock }
    }

    /// A connection was opened; its bytes are counted in the answer, and it is over when that is handed back.
    pub(super) fn opened(&self, host: &str, port: u16) -> Arc<Tally> {
        let (now, tally) = (self.now(), Arc::new(Tally::default()));
        let mut pages = self.pages();
        pages.sums.connections += 1;
        make_room(&mut pages.reached, |page| (!page.open.is_empty(), page.last));
        let page = pages.reached.entry((host.to_owned(), port)).or_default();
        page.connections += 1;
        page.last = now;
        page.open.push(tally.clone());
        tally
    }

    /// A connection is over.
    pub(super) fn closed(&self, host: &str, port: u16, tally: &Arc<Tally>) {
        let mut pages = self.pages();
        pages.sums.sent += tally.sent();
        pages.sums.received += tally.received();
        let Some(page) = pages.reached.get_mut(&(host.to_owned(), port)) else { return };
        page.open.retain(|open| !Arc::ptr_eq(open, tally));
        page.sent += tally.sent();
        page.received += tally.received();
    }

    /// A connection was refused.
    pub(super) fn refused(&self, host: &str, port: u16, no: &NoWay) {
        let now = self.now();
        let mut pages = self.pages();
        pages.sums.refused += 1;
        make_room(&mut pages.tried, |tried| (false, tried.last));
        let new = || Tried {
            host: host.to_owned(),
            port,
            times: 0,
            last: now,
            why: no.why,
            reason: no.detail.clone(),
            rule: no.rule.clone(),
        };
        let tried = pages.tried.entry((host.to_owned(), port)).or_insert_with(new);
        tried.times += 1;
        tried.last = now;
        (tried.why, tried.reason, tried.rule) = (no.why, no.detail.clone(), no.rule.clone());
    }

    /// A folder was looked for in vain. Whether that is news.
    pub(super) fn missed(&self, missed: Missed) -> bool {
        let now = self.now();
        let mut pages = self.pages();
        make_room(&mut pages.missed, |last| *last);
        pages.missed.insert(missed, now).is_none()
    }

    /// A folder is shown now.
    pub(super) fn shown(&self, folder: &Path) {
        self.pages().missed.retain(|missed, _| !missed.folder.starts_with(folder));
    }

    /// What a new rule has settled is no longer open.
    pub(super) fn settle(&self, rule: &HostRule) {
        let settled = |tried: &Tried| {
            tried.rule.as_ref() == Some(rule)
                || rule.matches(&tried.host, tried.rule.as_ref().map_or(tried.port, HostRule::port))
        };
        self.pages().tried.retain(|_, tried| !settled(tried));
    }

    pub(super) fn sums(&self) -> TrafficSums {
        let pages = self.pages();
        let mut sums = pages.sums;
        for tally in pages.reached.values().flat_map(|page| &page.open) {
            sums.open += 1;
            sums.sent += tally.sent();
            sums.received += tally.received();
        }
        sums
    }

    pub(super) fn read(&self) -> Traffic {
        let pages = self.pages();
        let sum = |page: &Page, of: fn(&Tally) -> u64| page.open.iter().map(|tally| of(tally)).sum::<u64>();
        let reached = pages.reached.iter().map(|((host, port), page)| Reached {
            host: host.clone(),
            port: *port,
            connections: page.connections,
            open: page.open.len() as u64,
            sent: page.sent + sum(page, Tally::sent),
            received: page.received + sum(page, Tally::received),
            last: page.last,
        });
        let (mut reached, mut tried) =
            (reached.collect::<Vec<_>>(), pages.tried.values().cloned().collect::<Vec<_>>());
        reached.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| (&a.host, a.port).cmp(&(&b.host, b.port))));
        tried.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| (&a.host, a.port).cmp(&(&b.host, b.port))));
        let mut missed: Vec<_> = pages.missed.iter().map(|(missed, last)| (missed.clone(), *last)).collect();
        missed.sort_by(|(a, at), (b, bt)| bt.cmp(at).then_with(|| a.folder.cmp(&b.folder)));
        Traffic { reached, tried, missed }
    }

    fn now(&self) -> u64 {
        utc::millis((self.clock)())
    }

    // No panic happens while the lock is held.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the oldest out where there are too many.
fn make_room<T: Clone + Eq + Hash, V, K: Ord>(pages: &mut HashMap<T, V>, age: impl Fn(&V) -> K) {
    if pages.len() < MOST_REMEMBERED {
        return;
    }
    let oldest = pages.iter().min_by_key(|(_, page)| age(page)).map(|(target, _)| target.clone());
    if let Some(oldest) = oldest {
        pages.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn what_was_reached_and_refused_is_counted() {
        let book = Book::new(|| UNIX_EPOCH);
        let (first, second) = (book.opened("a.example", 443), book.opened("a.example", 443));
        book.closed("a.example", 443, &first);
        let [reached] = &book.read().reached[..] else { panic!("not one") };
        assert_eq!((reached.connections, reached.open), (2, 1));
        book.closed("a.example", 443, &second);
        book.refused("b.example", 0, &NoWay::not_allowed("b.example", 0));
        book.refused("b.example", 0, &NoWay::not_allowed("b.example", 0));
        let traffic = book.read();
        assert_eq!((traffic.reached[0].open, traffic.tried[0].times), (0, 2));
        assert_eq!(traffic.tried[0].rule, Some("b.example:443".parse().unwrap()));
        book.settle(&"*.example.com".parse().unwrap());
        assert_eq!(book.read().tried.len(), 1);
        book.settle(&"b.example".parse().unwrap());
        assert!(book.read().tried.is_empty());
    }

    #[test]
    fn hosts_without_end_are_forgotten() {
        let book = Book::new(SystemTime::now);
        let kept = book.opened("kept.example", 443);
        for number in 0..2000 {
            let host = format!("{number}.example");
            book.refused(&host, 443, &NoWay::not_allowed(&host, 443));
            let tally = book.opened(&host, 443);
            book.closed(&host, 443, &tally);
        }
        let traffic = book.read();
        assert_eq!((traffic.tried.len(), traffic.reached.len()), (MOST_REMEMBERED, MOST_REMEMBERED));
        assert!(traffic.reached.iter().any(|reached| reached.host == "kept.example"));
        let sums = TrafficSums { connections: 2001, open: 1, refused: 2000, ..TrafficSums::default() };
        assert_eq!(book.sums(), sums);
        book.closed("kept.example", 443, &kept);
        assert_eq!(book.sums(), TrafficSums { open: 0, ..sums });
    }
}
