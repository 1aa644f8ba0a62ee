use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Carriage, Session, SessionId};
use crate::{bridge::refusal::Refusal, gate::Principal, model::Endpoint};

/// A session nobody has used for so long makes room for a new one of the same client.
const ABANDONED: Duration = Duration::from_secs(30);

/// The sessions that are open.
pub(in crate::bridge) struct Table {
    most_per_principal: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    sessions: HashMap<SessionId, Arc<Session>>,
    /// How many sessions each has, those included that are being opened.
    taken: Vec<(Principal, usize)>,
}

/// A place for one session. Given back when dropped.
pub(in crate::bridge) struct Place {
    table: Arc<Table>,
    principal: Principal,
}

impl Table {
    pub(in crate::bridge) fn new(most_per_principal: usize) -> Self {
        Self { most_per_principal, shelf: Mutex::default() }
    }

    /// Takes a place for a session of `principal`. When it has as many as it may, the one it has left alone
    /// for longest ends.
    pub(in crate::bridge) fn take_place(self: &Arc<Self>, principal: &Principal) -> Result<Place, Refusal> {
        let mut shelf = self.shelf();
        let taken = shelf.count(principal);
        let abandoned = if *taken < self.most_per_principal {
            None
        } else {
            let left_alone = |session: &Arc<Session>| {
                let mine = session.principal() == principal && !session.is_awaited();
                session.unattended().filter(|since| mine && *since >= ABANDONED)
            };
            let longest = shelf.sessions.values().filter_map(|session| Some((left_alone(session)?, session)));
            let longest = longest.max_by_key(|(since, _)| *since).map(|(_, session)| session.id().clone());
            let longest = longest.and_then(|id| shelf.sessions.remove(&id));
            Some(longest.ok_or(Refusal::TooManySessions(self.most_per_principal))?)
        };
        *shelf.count(principal) += 1;
        drop(shelf);
        if let Some(session) = abandoned {
            session.end("nobody used it, and its client opened others");
        }
        Ok(Place { table: Arc::clone(self), principal: principal.clone() })
    }

    /// The session `id` of `principal` with `endpoint`, as it is carried. Another's session is no session.
    pub(in crate::bridge) fn get(
        &self,
        id: &str,
        principal: &Principal,
        endpoint: &Endpoint,
        carriage: Carriage,
    ) -> Option<Arc<Session>> {
        let session = self.shelf().sessions.get(id).cloned()?;
        let is_theirs = session.principal() == principal && session.endpoint() == endpoint;
        (is_theirs && session.carriage() == carriage).then_some(session)
    }

    pub(in crate::bridge) fn insert(&self, session: &Arc<Session>) {
        self.shelf().sessions.insert(session.id().clone(), Arc::clone(session));
    }

    pub(in crate::bridge) fn remove(&self, id: &SessionId) {
        self.shelf().sessions.remove(id);
    }

    pub(in crate::bridge) fn all(&self) -> Vec<Arc<Session>> {
        self.shelf().sessions.values().cloned().collect()
    }

    /// Whether there is no session, and none is being opened.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(in crate::bridge) fn is_empty(&self) -> bool {
        let shelf = self.shelf();
        shelf.sessions.is_empty() && shelf.taken.is_empty()
    }

    // No panic happens while the lock is held.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn count(&mut self, principal: &Principal) -> &mut usize {
        // Few clients are about at a time.
        let at = self.taken.iter().position(|(other, _)| other == principal).unwrap_or_else(|| {
            self.taken.push((principal.clone(), 0));
            self.taken.len() - 1
        });
        &mut self.taken[at].1
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shelf = self.table.shelf();
        let count = shelf.count(&self.principal);
        *count = count.saturating_sub(1);
        shelf.taken.retain(|(_, count)| *count > 0);
    }
}
