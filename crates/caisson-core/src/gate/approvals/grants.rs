//! What a person has allowed for longer than once.

use std::{
    fmt,
    sync::{PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ApprovalError, Asking};
use crate::{
    gate::principal::{SessionNumber, Visit},
    model::{Digest, Lasting, ServerName, utc},
    registry::{State, StateError},
};

/// The longest a grant for a time lasts.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// Grants for a session that are remembered: those of ended sessions are among them, and of no use.
const MOST_OF_SESSIONS: usize = 1000;

/// The number of a grant. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct GrantId(#[ts(type = "number")] pub u64);

/// What a person has allowed: one client, one tool as it was defined then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Grant {
    /// Its number.
    pub id: GrantId,
    /// Who may call, as the user knows it.
    pub client: String,
    /// The server.
    pub server: ServerName,
    /// The tool.
    pub tool: String,
    /// When it was granted, in seconds since 1970 (UTC).
    #[ts(type = "number")]
    pub granted_at: u64,
    /// Until when it holds, in seconds since 1970; none means until it is taken back.
    #[ts(type = "number | null")]
    pub until: Option<u64>,
    /// Whether it is for one session alone.
    pub session: bool,
}

#[derive(Clone)]
struct Kept {
    grant: Grant,
    definition: Option<Digest>,
    session: Option<SessionNumber>,
}

pub(super) struct Grants {
    state: State,
    kept: RwLock<Vec<Kept>>,
}

impl Grants {
    pub(super) fn open(state: State, now: SystemTime) -> Result<Self, StateError> {
        let kept = state.with(|db| {
            db.execute("DELETE FROM grants WHERE until <= ?1", [utc::whole_seconds(now)])?;
            let mut rows = db.prepare(
                "SELECT id, client, server, tool, definition, granted_at, until FROM grants ORDER BY id",
            )?;
            rows.query_map([], kept)?.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self { state, kept: RwLock::new(kept) })
    }

    pub(super) fn add(
        &self,
        asking: &Asking,
        lasting: Lasting,
        now: SystemTime,
    ) -> Result<(), ApprovalError> {
        let granted_at = utc::whole_seconds(now);
        let (session, until) = match lasting {
            Lasting::Once => return Ok(()),
            Lasting::Session => (true, None),
            Lasting::Time { seconds } if seconds == 0 || seconds > LONGEST.as_secs() => {
                return Err(ApprovalError::Lifetime);
            }
            Lasting::Time { seconds } => (false, Some(granted_at.saturating_add(seconds))),
            Lasting::Always => (false, None),
        };
        let id = self.state.with(|db| {
            // Those of a session are not kept, and have a number all the same.
            db.execute(
                "INSERT INTO grants (client, server, tool, definition, granted_at, until) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    &*asking.visit.client,
                    asking.server.as_str(),
                    asking.tool,
                    asking.definition.as_ref().map(Digest::as_str),
                    granted_at,
                    until
                ],
            )?;
            let id = db.last_insert_rowid();
            if session {
                db.execute("DELETE FROM grants WHERE id = ?1", [id])?;
            }
            Ok(id)
        })?;
        let grant = Grant {
            id: GrantId(u64::try_from(id).unwrap_or_default()),
            client: asking.visit.client.to_string(),
            server: asking.server.clone(),
            tool: asking.tool.clone(),
            granted_at,
            until,
            session,
        };
        let session = session.then_some(asking.visit.session);
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        all.push(Kept { grant, definition: asking.definition.clone(), session });
        if all.iter().filter(|kept| kept.session.is_some()).count() > MOST_OF_SESSIONS
            && let Some(oldest) = all.iter().position(|kept| kept.session.is_some())
        {
            all.remove(oldest);
        }
        Ok(())
    }

    pub(super) fn covering(
        &self,
        visit: &Visit,
        server: &ServerName,
        tool: &str,
        definition: Option<&Digest>,
        now: SystemTime,
    ) -> Option<GrantId> {
        let now = utc::whole_seconds(now);
        let all = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let covers = |kept: &&Kept| {
            kept.grant.holds(now)
                && *kept.grant.client == *visit.client
                && kept.grant.server == *server
                && kept.grant.tool == tool
                && kept.definition.as_ref() == definition
                && kept.session.is_none_or(|session| session == visit.session)
        };
        all.iter().find(covers).map(|kept| kept.grant.id)
    }

    pub(super) fn list(&self, now: SystemTime) -> Vec<Grant> {
        let all = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|kept| kept.grant.clone())
            .filter(|grant| grant.holds(utc::whole_seconds(now)))
            .collect()
    }

    pub(super) fn revoke(&self, id: GrantId) -> Result<Option<Grant>, StateError> {
        self.state.with(|db| db.execute("DELETE FROM grants WHERE id = ?1", [id.0]))?;
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|kept| kept.grant.id == id);
        Ok(at.map(|at| all.remove(at).grant))
    }

    pub(super) fn forget(&self, server: &ServerName) -> Result<(), StateError> {
        self.state.with(|db| db.execute("DELETE FROM grants WHERE server = ?1", [server.as_str()]))?;
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|kept| kept.grant.server != *server);
        Ok(())
    }
}

impl Grant {
    /// One from the future holds no more than one whose time is over: a clock was turned back.
    fn holds(&self, now: u64) -> bool {
        self.granted_at <= now && self.until.is_none_or(|until| now < until)
    }
}

/// A row as a grant; none when it cannot be read, which then grants nothing.
fn kept(row: &Row<'_>) -> rusqlite::Result<Option<Kept>> {
    let (server, definition): (String, Option<String>) = (row.get(2)?, row.get(4)?);
    let definition = definition.map(|digest| digest.parse::<Digest>()).transpose();
    let (Ok(server), Ok(definition)) = (server.parse(), definition) else { return Ok(None) };
    let grant = Grant {
        id: GrantId(row.get(0)?),
        client: row.get(1)?,
        server,
        tool: row.get(3)?,
        granted_at: row.get(5)?,
        until: row.get(6)?,
        session: false,
    };
    Ok(Some(Kept { grant, definition, session: None }))
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
