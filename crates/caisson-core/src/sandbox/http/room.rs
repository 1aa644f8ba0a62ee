//! How much one caller may take of what all callers of an HTTP server share: its sessions, and the places for streams
//! that its container's pipe has, of which each connection takes one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use caisson_wire::MOST_OPENED;

use super::super::{SessionError, link::MOST_SESSIONS};
use crate::gate::CallerId;

/// The room before one server.
#[derive(Debug)]
pub(in crate::sandbox) struct Room {
    sessions: Arc<Shares>,
    places: Arc<Shares>,
}

/// A session's right to be there, until it is dropped.
#[derive(Debug)]
pub(in crate::sandbox) struct Guest {
    session: Share,
    places: Arc<Shares>,
}

/// So many of one thing, and how many each caller has.
#[derive(Debug)]
struct Shares {
    most: usize,
    taken: Mutex<HashMap<Option<CallerId>, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    caller: Option<CallerId>,
}

impl Room {
    /// Lets a session in, of `caller` or of whoever comes.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub(in crate::sandbox) fn enter(&self, caller: Option<CallerId>) -> Result<Guest, SessionError> {
        let session = self.sessions.take(caller).map_err(SessionError::Full)?;
        Ok(Guest { session, places: Arc::clone(&self.places) })
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { sessions: Shares::new(MOST_SESSIONS), places: Shares::new(MOST_OPENED) }
    }
}

impl Guest {
    /// Takes a place for a connection.
    ///
    /// # Errors
    /// When there is none for this caller.
    pub(super) fn take_place(&self) -> Result<Share, SessionError> {
        self.places.take(self.session.caller.clone()).map_err(|_| SessionError::Crowded)
    }
}

impl Shares {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// Takes one. A caller has no more than it leaves free, so that there are always some for one who comes later;
    /// what is for all callers is shared out elsewhere. Otherwise, says how many are taken.
    fn take(self: &Arc<Self>, caller: Option<CallerId>) -> Result<Share, usize> {
        let mut shares = self.taken();
        let taken = shares.values().sum();
        let free = self.most.saturating_sub(taken);
        let mine = shares.get(&caller).copied().unwrap_or_default();
        let may = if caller.is_some() { mine < free } else { free > 0 };
        if !may {
            return Err(taken);
        }
        shares.insert(caller.clone(), mine + 1);
        Ok(Share { shares: Arc::clone(self), caller })
    }

    // No panic happens while the lock is held.
    fn taken(&self) -> MutexGuard<'_, HashMap<Option<CallerId>, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        if let Some(mine) = taken.get_mut(&self.caller) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(shares: &Arc<Shares>, caller: Option<&str>) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(caller.map(CallerId::for_test)).ok()).collect()
    }

    #[test]
    fn a_caller_leaves_as_much_as_it_takes() {
        let shares = Shares::new(100);
        let mut first = all(&shares, Some("first"));
        let second = all(&shares, Some("second"));
        let third = all(&shares, Some("third"));
        assert_eq!([first.len(), second.len(), third.len()], [50, 25, 13]);
        // What is given back is there for others.
        first.clear();
        assert_eq!(all(&shares, Some("fourth")).len(), 31);
        drop((second, third));
        assert!(shares.taken().is_empty());
    }

    #[test]
    fn what_is_for_all_may_be_all_there_is() {
        let shares = Shares::new(100);
        let shared = all(&shares, None);
        assert_eq!(shared.len(), 100);
        assert_eq!(shares.take(Some(CallerId::for_test("late"))).err(), Some(100));
    }

    #[test]
    fn the_sessions_of_one_caller_share_its_places() {
        let room = Room::default();
        let of = |name: &str| room.enter(Some(CallerId::for_test(name)));
        let (one, another) = (of("greedy").unwrap(), of("greedy").unwrap());
        let places: Vec<_> = std::iter::from_fn(|| one.take_place().ok()).collect();
        assert_eq!(places.len(), MOST_OPENED / 2);
        assert!(matches!(another.take_place(), Err(SessionError::Crowded)));
        of("modest").unwrap().take_place().unwrap();
        let more: Vec<_> = std::iter::from_fn(|| of("greedy").ok()).collect();
        assert_eq!(more.len() + 2, MOST_SESSIONS / 2);
        assert!(matches!(of("greedy"), Err(SessionError::Full(50))));
        of("modest").unwrap();
    }
}
