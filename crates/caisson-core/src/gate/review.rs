//! What servers say of themselves, held against what was accepted. A server that shows a model another tool than the
//! user has installed, or other words on the same one, is not heard: what is new or changed is taken out of its lists and cannot be
//! called, until the user accepts it. The rest goes on.
//!
//! What a server says when it is installed is accepted with the install. Of one that could not be asked then, what it says
//! first.

mod difference;
mod shelf;
#[cfg(test)]
mod tests;
mod warnings;

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use serde_json::value::RawValue;

pub(crate) use warnings::{Tools, warnings};

use self::shelf::{Shelf, Standing};
use super::{Clock, Denial};
use crate::{
    model::{
        Digest, Envelope, EnvelopeKind, Event, EventSender, PinKind, PinMode, Quarantined, ServerName,
        Splice, Stated, Statement, utc,
    },
    registry::{State, StateError},
};

/// What was accepted of all servers. Cheap to clone.
#[derive(Clone)]
pub struct Review(Arc<Shared>);

struct Shared {
    state: State,
    clock: Clock,
    events: EventSender,
    /// What is known of servers that were asked about since Caisson started.
    shelves: Mutex<HashMap<ServerName, Shelf>>,
}

/// What may be said of a server in a message.
pub(super) struct Reviewed {
    /// The message, without what is kept from clients.
    pub(super) message: Bytes,
    /// What was found out by it: what it is, what it is called, whether it is new.
    pub(super) fresh: Vec<(PinKind, String, bool)>,
}

/// What a server says of itself, as far as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What it is.
    pub kind: PinKind,
    /// What it is called.
    pub name: String,
    /// What is said, as JSON.
    pub said: String,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Nothing of that name is in quarantine.
    #[error(
        "nothing called \"{}\" of {server} is in quarantine; `caisson pins` shows what is", .name.escape_debug()
    )]
    Unknown {
        /// The server.
        server: ServerName,
        /// What was named.
        name: String,
    },
    /// It is not what the user has looked at.
    #[error("{server} has changed it again; look once more with `caisson pins diff {server}`")]
    ChangedAgain {
        /// The server.
        server: ServerName,
    },
    /// It could not be kept. Nothing was changed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Review {
    /// What was accepted, as it is kept in `state`.
    pub fn new(state: State, events: EventSender, clock: Clock) -> Self {
        Self(Arc::new(Shared { state, clock, events, shelves: Mutex::default() }))
    }

    /// Accepts all that a server says of itself, when it is installed: `said`, and nothing else.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn begin(&self, server: &ServerName, said: &[(Statement, Box<RawValue>)]) -> Result<(), StateError> {
        let mut shelves = self.shelves();
        shelves.remove(server);
        Shelf::clear(&self.0.state, server)?;
        let now = self.now();
        let shelf = self.shelf(&mut shelves, server)?;
        for (statement, result) in said {
            for stated in statement.read(result).unwrap_or_default() {
                shelf.put(&self.0.state, &stated, Standing::Accepted, now)?;
            }
            shelf.close(&self.0.state, statement.kind())?;
        }
        Ok(())
    }

    /// Forgets a server.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn forget(&self, server: &ServerName) -> Result<(), StateError> {
        let mut shelves = self.shelves();
        shelves.remove(server);
        Shelf::clear(&self.0.state, server)
    }

    /// What of a message may reach a client, in which a server answers with `statement`.
    ///
    /// # Errors
    /// When what it says cannot be read, or not be held against what was accepted.
    pub(super) fn look(
        &self,
        server: &ServerName,
        statement: Statement,
        message: Bytes,
        mode: PinMode,
    ) -> Result<Reviewed, Denial> {
        let unchanged = |message| Reviewed { message, fresh: Vec::new() };
        let Ok((Envelope { result: Some(result), .. }, EnvelopeKind::Response)) = Envelope::read(&message)
        else {
            return Ok(unchanged(message));
        };
        if mode == PinMode::Off {
            return Ok(unchanged(message));
        }
        let unclear = || Denial::Unreviewed { why: "it cannot be read".to_owned() };
        let all = statement.read(result).ok_or_else(unclear)?;
        let mut fresh = Vec::new();
        let mut shelves = self.shelves();
        let shelf = self.shelf(&mut shelves, server)?;
        let mut passes = Vec::new();
        for stated in &all {
            if self.may_pass(shelf, stated, mode, &mut fresh)? {
                passes.push(stated.said.get());
            }
        }
        if Statement::is_last(result) {
            shelf.close(&self.0.state, statement.kind())?;
        }
        let rest = if passes.len() == all.len() {
            None
        } else {
            let rest = match statement.kind() {
                PinKind::Instructions => shelf.accepted_instructions().unwrap_or_else(|| "\"\"".to_owned()),
                PinKind::Tool | PinKind::Prompt | PinKind::Template => format!("[{}]", passes.join(",")),
            };
            let mut splice = Splice::of(&message).ok_or_else(unclear)?;
            splice.set(&["result", statement.member()], &rest);
            Some(splice.done().into())
        };
        drop(shelves);
        for (kind, name, is_new) in &fresh {
            let (server, kind, name, is_new) = (server.clone(), *kind, name.clone(), *is_new);
            self.tell(Event::Quarantined { server, kind, name, is_new });
        }
        Ok(Reviewed { message: rest.unwrap_or(message), fresh })
    }

    /// Whether one thing may be told; takes note of it, where it is not known yet.
    fn may_pass(
        &self,
        shelf: &mut Shelf,
        stated: &Stated<'_>,
        mode: PinMode,
        fresh: &mut Vec<(PinKind, String, bool)>,
    ) -> Result<bool, StateError> {
        let (state, now) = (&self.0.state, self.now());
        match shelf.standing(stated) {
            Some(Standing::Accepted) => {
                shelf.settle(state, stated)?;
                Ok(true)
            }
            Some(Standing::Waiting | Standing::Refused) => Ok(false),
            None => {
                let is_new = !shelf.has_accepted(stated.kind, &stated.name);
                let is_taken = !shelf.is_closed(stated.kind) || (is_new && mode == PinMode::Additive);
                if is_taken {
                    return shelf.put(state, stated, Standing::Accepted, now).map(|()| true);
                }
                shelf.put(state, stated, Standing::Waiting, now)?;
                fresh.push((stated.kind, stated.name.clone(), is_new));
                Ok(false)
            }
        }
    }

    /// Whether something of this name is kept from clients, so that it cannot be used either.
    pub(super) fn holds_back(&self, server: &ServerName, kind: PinKind, name: &str, mode: PinMode) -> bool {
        let mut shelves = self.shelves();
        // What cannot be read is not let through.
        mode != PinMode::Off
            && self.shelf(&mut shelves, server).map_or(true, |shelf| shelf.holds_back(kind, name))
    }

    /// What is kept from clients, of one server or all.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn quarantined(&self, server: Option<&ServerName>) -> Result<Vec<Quarantined>, StateError> {
        Shelf::quarantined(&self.0.state, server)
    }

    /// What was accepted of a server.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn accepted(&self, server: &ServerName) -> Result<Vec<Accepted>, StateError> {
        Shelf::accepted(&self.0.state, server)
    }

    /// Accepts what is in quarantine under this name, in place of what was accepted under it before; or refuses it.
    /// Without a name, everything of the server. `looked_at` is the digest of what the user has seen.
    ///
    /// # Errors
    /// When there is nothing of that name, it is not what was looked at, or the decision cannot be kept; then nothing was changed.
    pub fn decide(
        &self,
        server: &ServerName,
        name: Option<&str>,
        looked_at: Option<&Digest>,
        accept: bool,
    ) -> Result<Vec<Quarantined>, ReviewError> {
        let mut decided = self.quarantined(Some(server))?;
        decided.retain(|one| name.is_none_or(|name| one.name == name));
        if decided.is_empty()
            && let Some(name) = name
        {
            return Err(ReviewError::Unknown { server: server.clone(), name: name.to_owned() });
        }
        if let Some(digest) = looked_at {
            decided.retain(|one| one.digest == *digest);
            if decided.is_empty() {
                return Err(ReviewError::ChangedAgain { server: server.clone() });
            }
        }
        let mut shelves = self.shelves();
        Shelf::decide(&self.0.state, server, &decided, accept)?;
        shelves.remove(server);
        drop(shelves);
        self.tell(Event::Reviewed { server: server.clone() });
        Ok(decided)
    }

    fn shelf<'a>(
        &self,
        shelves: &'a mut HashMap<ServerName, Shelf>,
        server: &ServerName,
    ) -> Result<&'a mut Shelf, StateError> {
        Ok(match shelves.entry(server.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Shelf::read(&self.0.state, server)?),
        })
    }

    fn now(&self) -> u64 {
        utc::whole_seconds((self.0.clock)())
    }

    fn tell(&self, event: Event) {
        // Nobody watching is fine.
        drop(self.0.events.send(event));
    }

    // No panic happens while the lock is held.
    fn shelves(&self) -> MutexGuard<'_, HashMap<ServerName, Shelf>> {
        self.0.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What cannot be held against what was accepted does not pass.
impl From<StateError> for Denial {
    fn from(error: StateError) -> Self {
        Self::Unreviewed { why: error.to_string() }
    }
}

impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Review").finish_non_exhaustive()
    }
}
