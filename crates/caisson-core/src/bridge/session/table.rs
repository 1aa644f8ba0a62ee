use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Carriage, Session, SessionId};
use crate::{bridge::refusal::Refusal, gate::Principal, model::Endpoint};

/// A session nobody has used for so long makes room for a new one of the same client.
const ABANDONED: Duration = Duration::from_secs(30);
/// From so many sessions with one server on, one that was abandoned makes room for a new one, whoever's it is. A
/// server has room for a few more (`sandbox/link.rs`).
const MANY: usize = 48;

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

    /// Takes a place for a session of `principal` with `endpoint`. When it has as many as it may, the one it has
    /// left alone for longest ends; when the endpoint has many, the one left alone there for longest, its own first.
    pub(in crate::bridge) fn take_place(
        self: &Arc<Self>,
        principal: &Principal,
        endpoint: &Endpoint,
    ) -> Result<Place, Refusal> {
        let mut shelf = self.shelf();
        let is_mine = |session: &Session| session.principal() == principal;
        let is_there = |session: &Session| session.endpoint() == endpoint;
        let taken = *shelf.count(principal);
        let abandoned = if taken >= self.most_per_principal {
            let mine =
                shelf.take_abandoned(is_mine).ok_or(Refusal::TooManySessions(self.most_per_principal))?;
            Some(mine)
        } else if shelf.sessions.values().filter(|session| is_there(session)).count() >= MANY {
            let mine = shelf.take_abandoned(|session| is_there(session) && is_mine(session));
            mine.or_else(|| shelf.take_abandoned(is_there))
        } else {
            None
        };
        *shelf.count(principal) += 1;
        drop(shelf);
        if let Some(session) = abandoned {
            session.end("nobody used it, and its place was wanted");
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
    /// Takes out the session left alone for longest, of those that `is_one` and were abandoned.
    fn take_abandoned(&mut self, is_one: impl Fn(&Session) -> bool) -> Option<Arc<Session>> {
        let left_alone = |session: &Session| {
            let one = is_one(session) && !session.is_awaited();
            session.unattended().filter(|since| one && *since >= ABANDONED)
        };
        let left = self.sessions.values().filter_map(|session| Some((left_alone(session)?, session.id())));
        let longest = left.max_by_key(|(since, _)| *since)?.1.clone();
        self.sessions.remove(&longest)
    }

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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use tokio::{sync::mpsc, time::advance};

    use super::*;
    use crate::{
        bridge::session,
        gate::{Gate, GateParts, LocalCaller, tokens::Tokens},
        registry::State,
        sandbox::{self, SessionError},
    };

    /// What plays the server of a session.
    type Far = (mpsc::Receiver<Bytes>, mpsc::Sender<Result<Bytes, SessionError>>);

    fn opened(table: &Arc<Table>, principal: &Principal, server: &Endpoint) -> (Arc<Session>, Far) {
        let place = table.take_place(principal, server).unwrap_or_else(|refusal| panic!("{refusal}"));
        let (carried, from_client, to_client) = sandbox::Session::for_test(server.clone());
        let (principal, server) = (principal.clone(), server.clone());
        let id = SessionId::random().unwrap();
        let ended = |_: &Session| drop(place);
        let session = session::open(id, principal, server, Carriage::ManyStreams, carried, ended);
        table.insert(&session);
        (session, (from_client, to_client))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_abandoned_makes_room_at_a_server_with_many() {
        let tokens = Tokens::open(State::in_memory().unwrap(), SystemTime::now()).unwrap();
        let gate = Gate::new(GateParts::for_test(tokens, Arc::new(SystemTime::now)));
        let (mine, other) = (gate.local(LocalCaller::Control), gate.local(LocalCaller::Shim));
        let (busy, quiet): (Endpoint, Endpoint) = ("busy".parse().unwrap(), "quiet".parse().unwrap());
        let table = Arc::new(Table::new(256));
        let elsewhere = opened(&table, &mine, &quiet);
        let others = opened(&table, &other, &busy);
        advance(Duration::from_secs(1)).await;
        let first = opened(&table, &mine, &busy);
        advance(ABANDONED).await;
        let _young: Vec<_> = (2..MANY).map(|_| opened(&table, &mine, &busy)).collect();
        assert!(first.0.ended().is_none());
        // One's own goes first, then another's; what is young stays, and what is elsewhere.
        let _another = opened(&table, &mine, &busy);
        assert!(first.0.ended().is_some() && others.0.ended().is_none());
        let _another = opened(&table, &mine, &busy);
        assert!(others.0.ended().is_some());
        let _another = opened(&table, &mine, &busy);
        assert!(elsewhere.0.ended().is_none());
        assert_eq!(table.all().len(), MANY + 2);
    }
}
