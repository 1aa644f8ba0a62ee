use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    bridge::refusal::Refusal,
    gate::{CallerId, Denial, Principal},
};

/// The exchanges that are open: how many each caller has, and a way to end each.
pub(in crate::bridge) struct Exchanges {
    most_per_caller: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    open: HashMap<u64, Open>,
    last: u64,
    /// How many each caller has.
    taken: HashMap<CallerId, usize>,
    /// Whether no more are taken.
    closed: bool,
}

struct Open {
    principal: Principal,
    listens: bool,
    /// When the server was last heard on it.
    heard: Instant,
    /// Taken when it is used.
    end: Option<oneshot::Sender<Refusal>>,
}

/// A place for one exchange. Given back when dropped.
pub(super) struct Place {
    table: Arc<Exchanges>,
    number: u64,
    caller: CallerId,
    ended: oneshot::Receiver<Refusal>,
}

impl Exchanges {
    pub(in crate::bridge) fn new(most_per_caller: usize) -> Self {
        Self { most_per_caller, shelf: Mutex::default() }
    }

    /// Takes a place for an exchange of `principal`, who is `caller`. One that listens is waited for by nobody.
    pub(super) fn take_place(
        self: &Arc<Self>,
        principal: Principal,
        caller: CallerId,
        listens: bool,
    ) -> Result<Place, Refusal> {
        let (end, ended) = oneshot::channel();
        let mut shelf = self.shelf();
        if shelf.closed {
            return Err(Refusal::Draining);
        }
        let taken = shelf.taken.entry(caller.clone()).or_default();
        if *taken >= self.most_per_caller {
            return Err(Refusal::TooManyExchanges(self.most_per_caller));
        }
        *taken += 1;
        shelf.last += 1;
        let number = shelf.last;
        shelf.open.insert(number, Open { principal, listens, heard: Instant::now(), end: Some(end) });
        Ok(Place { table: Arc::clone(self), number, caller, ended })
    }

    /// Takes no more of them, and ends those that listen.
    pub(in crate::bridge) fn close(&self) {
        let mut shelf = self.shelf();
        shelf.closed = true;
        shelf.open.values_mut().filter(|open| open.listens).for_each(|open| open.end(Refusal::Draining));
    }

    /// Whether somebody waits for an answer.
    pub(in crate::bridge) fn is_awaited(&self) -> bool {
        self.shelf().open.values().any(|open| !open.listens)
    }

    /// Ends those whose principal is denied by now.
    pub(in crate::bridge) fn end_denied(&self, holds: impl Fn(&Principal) -> Result<(), Denial>) {
        for open in self.shelf().open.values_mut() {
            if let Err(denial) = holds(&open.principal) {
                open.end(Refusal::Denied(denial));
            }
        }
    }

    /// Ends those on which nothing was heard for `limit`. Who listens waits for as long as nothing changes.
    pub(in crate::bridge) fn end_silent(&self, limit: Duration) {
        let mut shelf = self.shelf();
        let silent = shelf.open.values_mut().filter(|open| !open.listens && open.heard.elapsed() >= limit);
        silent.for_each(|open| open.end(Refusal::Silent(limit.as_secs())));
    }

    /// Ends all.
    pub(in crate::bridge) fn end_all(&self) {
        self.shelf().open.values_mut().for_each(|open| open.end(Refusal::Draining));
    }

    // No panic happens while the lock is held.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn end(&mut self, why: Refusal) {
        // One that is just being answered hears it no more.
        drop(self.end.take().map(|end| end.send(why)));
    }
}

impl Place {
    /// Takes note that the server was heard.
    pub(super) fn heard(&self) {
        if let Some(open) = self.table.shelf().open.get_mut(&self.number) {
            open.heard = Instant::now();
        }
    }

    /// Waits until the exchange is to end, and says why.
    pub(super) async fn ended(&mut self) -> Refusal {
        std::future::poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// As [`Self::ended`], polled.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        // The table holds the other end for as long as there is the place.
        self.ended.poll_unpin(cx).map(|why| why.unwrap_or(Refusal::Draining))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shelf = self.table.shelf();
        shelf.open.remove(&self.number);
        if let Some(taken) = shelf.taken.get_mut(&self.caller) {
            *taken -= 1;
            if *taken == 0 {
                shelf.taken.remove(&self.caller);
            }
        }
    }
}
