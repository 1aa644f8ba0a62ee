//! Who may have a session, and which one. A caller has so many at most; the others of its requests wait in line.
//! A session that rests is for its own client alone.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

use super::{client::Client, outlet::Job};
use crate::gate::CallerId;

/// Sessions of one caller that run or rest.
const MOST_SESSIONS: usize = 16;
/// Requests of one caller that wait for a session.
const MOST_WAITING: usize = 1024;

/// The sessions of one server's callers.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<HashMap<CallerId, Caller>>);

#[derive(Debug, Default)]
struct Caller {
    /// Slots that are taken.
    open: usize,
    last_rest: u64,
    /// Sessions that rest, the most recently used last.
    resting: Vec<Resting>,
    /// Requests that wait. Nothing rests while there are any, but what is about to make room.
    line: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Resting {
    rest: u64,
    client: Client,
    session: oneshot::Sender<Job>,
}

#[derive(Debug)]
struct Waiting {
    client: Client,
    seat: oneshot::Sender<Seat>,
}

/// What a request may run in.
#[derive(Debug)]
pub(super) enum Seat {
    /// A session that takes it. When it hands it back, that session has just ended.
    Rested(oneshot::Sender<Job>),
    /// Room for a new session.
    Vacant(Slot),
}

/// The right to keep one session, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    pool: Arc<Pool>,
    caller: CallerId,
}

impl Pool {
    /// Gets a seat, waiting in line for one. None when too many wait. Dropped, it leaves the line.
    pub(super) async fn seat(self: &Arc<Self>, client: &Client) -> Option<Seat> {
        let waiting = match self.seat_or_line(client) {
            Ok(seat) => return Some(seat),
            Err(waiting) => waiting?,
        };
        // It is dropped with the pool alone, which this holds.
        waiting.await.ok()
    }

    fn seat_or_line(self: &Arc<Self>, client: &Client) -> Result<Seat, Option<oneshot::Receiver<Seat>>> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = callers.entry(client.caller().clone()).or_default();
        if let Some(at) = caller.resting.iter().rposition(|resting| resting.client == *client) {
            return Ok(Seat::Rested(caller.resting.remove(at).session));
        }
        if caller.open < MOST_SESSIONS {
            caller.open += 1;
            return Ok(Seat::Vacant(self.slot(client.caller())));
        }
        caller.line.retain(|waiting| !waiting.seat.is_closed());
        if caller.line.len() >= MOST_WAITING {
            return Err(None);
        }
        let (seat, waiting) = oneshot::channel();
        caller.line.push_back(Waiting { client: client.clone(), seat });
        if !caller.resting.is_empty() {
            // One of another client's makes room: the one that rests longest. It ends, and gives its slot back.
            drop(caller.resting.remove(0));
        }
        Err(Some(waiting))
    }

    /// Lets a session rest until a request comes by `session`. When that is dropped, it is to end. The number is
    /// for [`Self::withdraw`].
    pub(super) fn rest(&self, client: &Client, session: oneshot::Sender<Job>) -> u64 {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = callers.entry(client.caller().clone()).or_default();
        caller.last_rest += 1;
        let mut session = session;
        while let Some(waiting) = caller.line.pop_front() {
            if waiting.seat.is_closed() {
                continue;
            }
            if waiting.client != *client {
                // It needs another session. This one ends and gives its slot to the first in line.
                caller.line.push_front(waiting);
                return caller.last_rest;
            }
            match waiting.seat.send(Seat::Rested(session)) {
                Ok(()) => return caller.last_rest,
                Err(Seat::Rested(back)) => session = back,
                Err(Seat::Vacant(_)) => return caller.last_rest,
            }
        }
        caller.resting.push(Resting { rest: caller.last_rest, client: client.clone(), session });
        caller.last_rest
    }

    /// Ends a rest, if it has not ended yet.
    pub(super) fn withdraw(&self, client: &Client, rest: u64) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = callers.get_mut(client.caller()) {
            caller.resting.retain(|resting| resting.rest != rest);
        }
    }

    /// A slot for a session that gave up its own while its request waited for input. There is always one: as
    /// many sessions as may wait that way may run besides the others.
    pub(super) fn regain(self: &Arc<Self>, client: &Client) -> Slot {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.entry(client.caller().clone()).or_default().open += 1;
        self.slot(client.caller())
    }

    fn slot(self: &Arc<Self>, caller: &CallerId) -> Slot {
        Slot { pool: self.clone(), caller: caller.clone() }
    }

    /// Hands a slot on to the first in line, or takes it back.
    fn vacate(self: &Arc<Self>, caller: &CallerId) {
        let (next, slot) = {
            let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(state) = callers.get_mut(caller) else { return };
            state.line.retain(|waiting| !waiting.seat.is_closed());
            let next = if state.open <= MOST_SESSIONS { state.line.pop_front() } else { None };
            let Some(next) = next else {
                state.open = state.open.saturating_sub(1);
                if state.open == 0 && state.line.is_empty() {
                    callers.remove(caller);
                }
                return;
            };
            (next, self.slot(caller))
        };
        // Where nobody waits any more, the slot comes back here as it is dropped.
        drop(next.seat.send(Seat::Vacant(slot)));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.vacate(&self.caller);
    }
}
