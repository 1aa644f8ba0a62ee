//! What is known of one server: in memory, for each call, and in the state file, for good.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::{Accepted, difference::changes};
use crate::{
    model::{Digest, PinKind, Quarantined, ServerName, Stated},
    registry::{State, StateError},
};

/// The most things in quarantine that are kept of one server, and the most bytes of each. What is beyond is kept from
/// clients too, and forgotten.
const MOST_WAITING: usize = 1000;
const LONGEST: usize = 1 << 20;

/// What the user has decided on something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Accepted,
    Waiting,
    Refused,
}

/// What is known of one server.
pub(super) struct Shelf {
    server: ServerName,
    known: HashMap<(PinKind, String), Vec<(Digest, Standing)>>,
    /// What was heard to its end.
    closed: HashSet<PinKind>,
    waiting: usize,
    instructions: Option<String>,
}

const KINDS: [(PinKind, &str); 4] = [
    (PinKind::Instructions, "instructions"),
    (PinKind::Tool, "tool"),
    (PinKind::Prompt, "prompt"),
    (PinKind::Template, "template"),
];

fn word(kind: PinKind) -> &'static str {
    KINDS.into_iter().find(|(known, _)| *known == kind).map(|(_, word)| word).unwrap_or_default()
}

fn kind(word: &str) -> Option<PinKind> {
    KINDS.into_iter().find(|(_, known)| *known == word).map(|(kind, _)| kind)
}

impl Standing {
    const ALL: [(Self, &str); 3] =
        [(Self::Accepted, "accepted"), (Self::Waiting, "waiting"), (Self::Refused, "refused")];

    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map(|(_, word)| word).unwrap_or_default()
    }

    /// What is no word for one was not accepted.
    fn of(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|(_, known)| *known == word);
        known.map_or(Self::Refused, |(standing, _)| standing)
    }
}

/// A row of the state file.
struct Row {
    server: String,
    kind: String,
    name: String,
    digest: String,
    said: String,
    standing: Standing,
    since: u64,
}

fn rows(db: &Connection, server: Option<&ServerName>) -> rusqlite::Result<Vec<Row>> {
    let mut found = db.prepare(
        "SELECT server, kind, name, digest, said, standing, since FROM reviewed \
         WHERE ?1 IS NULL OR server = ?1 ORDER BY server, kind, name, since",
    )?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Row {
            server: row.get(0)?,
            kind: row.get(1)?,
            name: row.get(2)?,
            digest: row.get(3)?,
            said: row.get(4)?,
            standing: Standing::of(&row.get::<_, String>(5)?),
            since: row.get(6)?,
        })
    };
    found.query_map([server.map(ServerName::as_str)], row)?.collect()
}

impl Shelf {
    pub(super) fn empty(server: &ServerName) -> Self {
        let (known, closed) = (HashMap::new(), HashSet::new());
        Self { server: server.clone(), known, closed, waiting: 0, instructions: None }
    }

    pub(super) fn read(state: &State, server: &ServerName) -> Result<Self, StateError> {
        let (rows, closed) = state.with(|db| {
            let mut heard = db.prepare("SELECT kind FROM heard WHERE server = ?1")?;
            let closed = heard.query_map([server.as_str()], |row| row.get::<_, String>(0))?;
            Ok((rows(db, Some(server))?, closed.collect::<rusqlite::Result<Vec<_>>>()?))
        })?;
        let mut shelf = Self::empty(server);
        shelf.closed = closed.iter().filter_map(|word| kind(word)).collect();
        for row in rows {
            let (Some(kind), Ok(digest)) = (kind(&row.kind), row.digest.parse()) else { continue };
            shelf.remember(kind, row.name, digest, row.standing, &row.said);
        }
        Ok(shelf)
    }

    fn remember(&mut self, kind: PinKind, name: String, digest: Digest, standing: Standing, said: &str) {
        if standing == Standing::Accepted && kind == PinKind::Instructions {
            self.instructions = Some(said.to_owned());
        }
        self.waiting += usize::from(standing != Standing::Accepted);
        self.known.entry((kind, name)).or_default().push((digest, standing));
    }

    /// What was decided on exactly this.
    pub(super) fn standing(&self, stated: &Stated<'_>) -> Option<Standing> {
        let known = self.known.get(&(stated.kind, stated.name.clone()))?;
        known.iter().find(|(digest, _)| *digest == stated.digest).map(|(_, standing)| *standing)
    }

    /// Whether anything of this name was accepted.
    pub(super) fn has_accepted(&self, kind: PinKind, name: &str) -> bool {
        self.any(kind, name, |standing| standing == Standing::Accepted)
    }

    /// Whether anything of this name is kept from clients.
    pub(super) fn holds_back(&self, kind: PinKind, name: &str) -> bool {
        self.any(kind, name, |standing| standing != Standing::Accepted)
    }

    fn any(&self, kind: PinKind, name: &str, is: impl Fn(Standing) -> bool) -> bool {
        let known = self.known.get(&(kind, name.to_owned()));
        known.is_some_and(|known| known.iter().any(|(_, standing)| is(*standing)))
    }

    /// What it may tell models of itself, as JSON.
    pub(super) fn accepted_instructions(&self) -> Option<String> {
        self.instructions.clone()
    }

    /// Whether all of a kind was heard once.
    pub(super) fn is_closed(&self, kind: PinKind) -> bool {
        self.closed.contains(&kind)
    }

    /// All of a kind was heard.
    pub(super) fn close(&mut self, state: &State, kind: PinKind) -> Result<(), StateError> {
        if self.closed.insert(kind) {
            state.with(|db| {
                db.execute(
                    "INSERT OR IGNORE INTO heard (server, kind) VALUES (?1, ?2)",
                    [self.server.as_str(), word(kind)],
                )
            })?;
        }
        Ok(())
    }

    /// Keeps what was said, with its standing.
    pub(super) fn put(
        &mut self,
        state: &State,
        stated: &Stated<'_>,
        standing: Standing,
        now: u64,
    ) -> Result<(), StateError> {
        let is_too_much = self.waiting >= MOST_WAITING || stated.said.get().len() > LONGEST;
        if standing != Standing::Accepted && is_too_much {
            return Ok(());
        }
        let (name, digest) = (stated.name.clone(), stated.digest.clone());
        if standing == Standing::Waiting {
            // It has changed again before anybody looked.
            self.settle(state, stated)?;
        }
        state.with(|db| {
            db.execute(
                "INSERT OR REPLACE INTO reviewed (server, kind, name, digest, said, standing, since) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    self.server.as_str(),
                    word(stated.kind),
                    stated.name,
                    stated.digest.as_str(),
                    stated.said.get(),
                    standing.word(),
                    now
                ],
            )
        })?;
        self.remember(stated.kind, name, digest, standing, stated.said.get());
        Ok(())
    }

    /// The server says something else under this name than what is in quarantine, which is over.
    pub(super) fn settle(&mut self, state: &State, stated: &Stated<'_>) -> Result<(), StateError> {
        if !self.holds_back(stated.kind, &stated.name) {
            return Ok(());
        }
        state.with(|db| {
            db.execute(
                "DELETE FROM reviewed WHERE server = ?1 AND kind = ?2 AND name = ?3 AND standing <> 'accepted'",
                params![self.server.as_str(), word(stated.kind), stated.name],
            )
        })?;
        if let Some(known) = self.known.get_mut(&(stated.kind, stated.name.clone())) {
            let before = known.len();
            known.retain(|(_, standing)| *standing == Standing::Accepted);
            self.waiting = self.waiting.saturating_sub(before - known.len());
        }
        Ok(())
    }

    /// Forgets a server.
    pub(super) fn clear(state: &State, server: &ServerName) -> Result<(), StateError> {
        state.with(|db| {
            db.execute("DELETE FROM reviewed WHERE server = ?1", [server.as_str()])?;
            db.execute("DELETE FROM heard WHERE server = ?1", [server.as_str()]).map(drop)
        })
    }

    /// What is kept from clients, each with what is different.
    pub(super) fn quarantined(
        state: &State,
        server: Option<&ServerName>,
    ) -> Result<Vec<Quarantined>, StateError> {
        let rows = state.with(|db| rows(db, server))?;
        let accepted = |like: &Row| {
            rows.iter().find(|row| {
                row.standing == Standing::Accepted
                    && (&row.server, &row.kind, &row.name) == (&like.server, &like.kind, &like.name)
            })
        };
        let quarantined = rows.iter().filter(|row| row.standing != Standing::Accepted).filter_map(|row| {
            let before = accepted(row);
            Some(Quarantined {
                server: row.server.parse().ok()?,
                kind: kind(&row.kind)?,
                name: row.name.clone(),
                digest: row.digest.parse().ok()?,
                is_new: before.is_none(),
                refused: row.standing == Standing::Refused,
                since: row.since,
                changes: changes(before.map(|before| before.said.as_str()), &row.said),
            })
        });
        Ok(quarantined.collect())
    }

    /// What was accepted of a server.
    pub(super) fn accepted(state: &State, server: &ServerName) -> Result<Vec<Accepted>, StateError> {
        let rows = state.with(|db| rows(db, Some(server)))?;
        let accepted = rows.into_iter().filter(|row| row.standing == Standing::Accepted);
        Ok(accepted
            .filter_map(|row| Some(Accepted { kind: kind(&row.kind)?, name: row.name, said: row.said }))
            .collect())
    }

    /// Accepts what is in quarantine under these names, or refuses it.
    pub(super) fn decide(
        state: &State,
        server: &ServerName,
        decided: &[Quarantined],
        accept: bool,
    ) -> Result<(), StateError> {
        state.with(|db| {
            let all = db.transaction()?;
            for one in decided {
                let of = params![server.as_str(), word(one.kind), one.name];
                if accept {
                    all.execute(
                        "DELETE FROM reviewed \
                         WHERE server = ?1 AND kind = ?2 AND name = ?3 AND standing = 'accepted'",
                        of,
                    )?;
                }
            }
            for one in decided {
                let standing = if accept { Standing::Accepted } else { Standing::Refused };
                all.execute(
                    "UPDATE reviewed SET standing = ?5 \
                     WHERE server = ?1 AND kind = ?2 AND name = ?3 AND digest = ?4",
                    params![server.as_str(), word(one.kind), one.name, one.digest.as_str(), standing.word()],
                )?;
            }
            all.commit()
        })
    }
}
