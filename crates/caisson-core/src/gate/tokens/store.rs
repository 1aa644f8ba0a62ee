//! The tokens' table in the state file. Times are kept in whole seconds since 1970.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, Row, params};

use super::{Token, TokenId, text::TokenHash};
use crate::registry::{State, StateError};

/// Tokens that expired are shown for so long.
const SHOWN: Duration = Duration::from_secs(7 * 24 * 3600);

/// Every token that is kept. Forgets those that were revoked, or expired long before `now`.
pub(super) fn load(state: &State, now: SystemTime) -> Result<Vec<(TokenHash, Token)>, StateError> {
    let long_ago = now.checked_sub(SHOWN).map_or(0, seconds);
    state.with(|db| {
        db.execute("DELETE FROM tokens WHERE revoked = 1 OR expires < ?1", [long_ago])?;
        let mut rows =
            db.prepare("SELECT hash, id, subject, scope, created, expires, last_used FROM tokens")?;
        rows.query_map([], token)?.filter_map(Result::transpose).collect()
    })
}

/// Keeps a new token.
pub(super) fn insert(state: &State, hash: &TokenHash, token: &Token) -> Result<(), StateError> {
    state.with(|db| insert_into(db, hash, token))
}

/// Keeps a new token in the place of `old`, which ends at `end`, or at once; both or neither. Says whether they
/// were: not when `old` was revoked meanwhile.
pub(super) fn replace(
    state: &State,
    old: &TokenId,
    end: Option<SystemTime>,
    (hash, new): (&TokenHash, &Token),
) -> Result<bool, StateError> {
    state.with(|db| {
        let transaction = db.transaction()?;
        let was_there = match end {
            None => revoke_in(&transaction, old)?,
            Some(end) => transaction.execute(
                "UPDATE tokens SET expires = ?2 WHERE id = ?1 AND revoked = 0",
                params![old.as_str(), seconds(end)],
            )?,
        } > 0;
        if was_there {
            insert_into(&transaction, hash, new)?;
        }
        transaction.commit()?;
        Ok(was_there)
    })
}

fn insert_into(db: &Connection, hash: &TokenHash, token: &Token) -> rusqlite::Result<()> {
    let scope = serde_json::to_string(&*token.scope)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.execute(
        "INSERT INTO tokens (id, hash, subject, scope, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            token.id.as_str(),
            hash.as_bytes(),
            &*token.subject,
            scope,
            seconds(token.created),
            token.expires.map(seconds)
        ],
    )
    .map(drop)
}

/// Keeps that tokens were revoked.
pub(super) fn revoke(state: &State, ids: &[TokenId]) -> Result<(), StateError> {
    each(state, ids, revoke_in)
}

fn revoke_in(db: &Connection, id: &TokenId) -> rusqlite::Result<usize> {
    db.execute("UPDATE tokens SET revoked = 1 WHERE id = ?1 AND revoked = 0", [id.as_str()])
}

/// Keeps when tokens were last used.
pub(super) fn used(state: &State, uses: &[(TokenId, SystemTime)]) -> Result<(), StateError> {
    each(state, uses, |db, (id, when)| {
        db.execute("UPDATE tokens SET last_used = ?2 WHERE id = ?1", params![id.as_str(), seconds(*when)])
    })
}

/// Does something for each item, or for none.
fn each<T>(
    state: &State,
    items: &[T],
    work: impl Fn(&Connection, &T) -> rusqlite::Result<usize>,
) -> Result<(), StateError> {
    state.with(|db| {
        let transaction = db.transaction()?;
        for item in items {
            work(&transaction, item)?;
        }
        transaction.commit()
    })
}

/// A row as a token; none when its scope cannot be read, which is then nobody's.
fn token(row: &Row<'_>) -> rusqlite::Result<Option<(TokenHash, Token)>> {
    let (id, scope) = (row.get::<_, String>(1)?, row.get::<_, String>(3)?);
    let scope = match serde_json::from_str(&scope) {
        Ok(scope) => scope,
        Err(error) => {
            tracing::warn!(token = id, %error, "a token is not used, since its scope cannot be read");
            return Ok(None);
        }
    };
    let token = Token {
        id: id.as_str().into(),
        subject: row.get::<_, String>(2)?.into(),
        scope: Arc::new(scope),
        created: time(row.get(4)?),
        expires: row.get::<_, Option<i64>>(5)?.map(time),
        last_used: row.get::<_, Option<i64>>(6)?.map(time),
        revoked: false,
    };
    Ok(Some((TokenHash::kept(row.get(0)?), token)))
}

/// Seconds since 1970. A time before is 1970.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A time that no clock can show is 1970: long over.
fn time(seconds: i64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}
