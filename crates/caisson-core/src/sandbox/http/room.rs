//! How much of one container's pipe its HTTP server may take, and each caller of it. Every connection takes one of
//! the pipe's places for streams, and all callers share those.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use caisson_wire::MOST_OPENED;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::{SessionError, link::MOST_SESSIONS};
use crate::gate::CallerId;

/// The room before one server.
#[derive(Debug)]
pub(in crate::sandbox) struct Room {
    sessions: Arc<Semaphore>,
    taken: Mutex<HashMap<Option<CallerId>, usize>>,
}

/// A session's right to be there, until it is dropped.
#[derive(Debug)]
pub(in crate::sandbox) struct Guest {
    room: Arc<Room>,
    caller: Option<CallerId>,
    _session: OwnedSemaphorePermit,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    caller: Option<CallerId>,
}

impl Room {
    /// Lets a session in, of `caller` or of all of them.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub(in crate::sandbox) fn enter(
        self: &Arc<Self>,
        caller: Option<CallerId>,
    ) -> Result<Guest, SessionError> {
        let session = Arc::clone(&self.sessions).try_acquire_owned();
        let session = session.map_err(|_| SessionError::Full(MOST_SESSIONS))?;
        Ok(Guest { room: Arc::clone(self), caller, _session: session })
    }

    // No panic happens while the lock is held.
    fn taken(&self) -> MutexGuard<'_, HashMap<Option<CallerId>, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { sessions: Arc::new(Semaphore::new(MOST_SESSIONS)), taken: Mutex::default() }
    }
}

impl Guest {
    /// Takes a place. A caller has no more of them than it leaves free for others, so that there are always some
    /// for one who comes later. What all callers share is limited where it is shared.
    ///
    /// # Errors
    /// When the caller has its share.
    pub(super) fn take_place(&self) -> Result<Place, SessionError> {
        let mut taken = self.room.taken();
        let free = MOST_OPENED.saturating_sub(taken.values().sum());
        let mine = taken.get(&self.caller).copied().unwrap_or_default();
        if self.caller.is_some() && mine >= free {
            return Err(SessionError::Crowded);
        }
        taken.insert(self.caller.clone(), mine + 1);
        Ok(Place { room: Arc::clone(&self.room), caller: self.caller.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
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

    fn places(guest: &Guest) -> Vec<Place> {
        std::iter::from_fn(|| guest.take_place().ok()).collect()
    }

    #[test]
    fn a_caller_leaves_as_much_as_it_takes() {
        let room = Arc::new(Room::default());
        let of = |name: &str| room.enter(Some(CallerId::for_test(name))).unwrap();
        let (greedy, again) = (of("greedy"), of("greedy"));
        let mut first = places(&greedy);
        assert_eq!(first.len(), MOST_OPENED / 2);
        assert!(again.take_place().is_err(), "another session of its own has the same share");
        let second = places(&of("second"));
        assert_eq!(second.len(), MOST_OPENED / 4);
        assert!(!places(&of("third")).is_empty());
        // What is given back is there for others.
        first.clear();
        assert!(places(&of("fourth")).len() > MOST_OPENED / 4);
        drop(second);
        assert!(room.taken().is_empty());
    }

    #[test]
    fn a_session_that_all_share_is_held_back_by_the_pipe_alone() {
        let room = Arc::new(Room::default());
        let shared = room.enter(None).unwrap();
        let places: Vec<_> = (0..=MOST_OPENED).map(|_| shared.take_place().unwrap()).collect();
        assert!(room.enter(Some(CallerId::for_test("late"))).unwrap().take_place().is_err());
        drop(places);
        assert!(room.taken().is_empty());
    }

    #[test]
    fn a_server_has_so_many_sessions_and_no_more() {
        let room = Arc::new(Room::default());
        let mut guests: Vec<_> = (0..MOST_SESSIONS).map(|_| room.enter(None).unwrap()).collect();
        assert!(matches!(room.enter(None), Err(SessionError::Full(MOST_SESSIONS))));
        guests.pop();
        room.enter(None).unwrap();
    }
}
