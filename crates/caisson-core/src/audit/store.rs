//! The rows of the record, and the chain they make.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::{AuditCheck, AuditEntry, AuditError, AuditQuery};
use crate::{model::ServerName, registry::state::create_private};

/// How long a statement waits for another program that holds the file.
const BUSY: Duration = Duration::from_secs(5);
/// Entries given at once.
const MOST_READ: u32 = 10_000;

type Hash = [u8; 32];

/// The file of the record.
pub(super) struct Store {
    path: String,
    db: Connection,
    /// The number and hash of the last entry.
    last: (u64, Hash),
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        let shown = path.display().to_string();
        let fault = |why: String| AuditError::File { path: shown.clone(), why };
        create_private(path).map_err(|error| fault(error.to_string()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|error| fault(error.to_string()))?;
        Self::prepare(shown.clone(), db).map_err(|error| fault(error.to_string()))
    }

    pub(super) fn in_memory() -> Result<Self, AuditError> {
        let path = ":memory:".to_owned();
        let made = Connection::open_in_memory().and_then(|db| Self::prepare(path.clone(), db));
        made.map_err(|error| AuditError::File { path, why: error.to_string() })
    }

    fn prepare(path: String, db: Connection) -> rusqlite::Result<Self> {
        db.busy_timeout(BUSY)?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;")?;
        db.execute_batch(include_str!("schema.sql"))?;
        let last = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1";
        let last = db.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let last = match last {
            Some(last) => last,
            None => (0, anchor(&db)?),
        };
        Ok(Self { path, db, last })
    }

    /// Appends entries, all or none, and gives them their numbers.
    pub(super) fn append(&mut self, entries: &[AuditEntry]) -> Result<(), AuditError> {
        let mut last = self.last;
        let written = (|| {
            let transaction = self.db.transaction()?;
            {
                let add = "INSERT INTO entries (seq, server, entry, hash) VALUES (?1, ?2, ?3, ?4)";
                let mut add = transaction.prepare_cached(add)?;
                for entry in entries {
                    let entry = AuditEntry { seq: last.0 + 1, ..entry.clone() };
                    let text = serde_json::to_string(&entry)
                        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                    last = (entry.seq, follow(&last.1, &text));
                    add.execute(params![
                        entry.seq,
                        entry.server.as_ref().map(ServerName::as_str),
                        text,
                        last.1
                    ])?;
                }
            }
            transaction.commit()
        })();
        written.map_err(|error: rusqlite::Error| self.fault(error))?;
        self.last = last;
        Ok(())
    }

    /// Takes the oldest away, so that at most `most` are left.
    pub(super) fn prune(&mut self, most: u64) -> Result<(), AuditError> {
        let Some(upto) = self.last.0.checked_sub(most) else { return Ok(()) };
        let pruned = (|| {
            let transaction = self.db.transaction()?;
            let at = "SELECT hash FROM entries WHERE seq = ?1";
            let hash: Option<Hash> = transaction.query_row(at, [upto], |row| row.get(0)).optional()?;
            if let Some(hash) = hash {
                transaction.execute("UPDATE anchor SET hash = ?1", [hash])?;
                transaction.execute("DELETE FROM entries WHERE seq <= ?1", [upto])?;
            }
            transaction.commit()
        })();
        pruned.map_err(|error: rusqlite::Error| self.fault(error))
    }

    /// The latest entries that the query asks for, the oldest first.
    pub(super) fn read(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, AuditError> {
        let latest = "SELECT entry FROM entries WHERE (?1 IS NULL OR server = ?1) AND seq > ?2 \
            ORDER BY seq DESC LIMIT ?3";
        let read = (|| {
            let mut latest = self.db.prepare_cached(latest)?;
            let server = query.server.as_ref().map(ServerName::as_str);
            let rows = latest
                .query_map(params![server, query.after.unwrap_or(0), query.last.min(MOST_READ)], |row| {
                    row.get(0)
                })?;
            rows.collect::<Result<Vec<String>, _>>()
        })();
        let texts = read.map_err(|error: rusqlite::Error| self.fault(error))?;
        let entry = |text: &String| serde_json::from_str(text).map_err(|error| self.fault(error));
        texts.iter().rev().map(entry).collect()
    }

    /// Goes through the whole chain.
    pub(super) fn check(&self) -> Result<AuditCheck, AuditError> {
        let checked = (|| {
            let mut hash = anchor(&self.db)?;
            let mut all = self.db.prepare("SELECT seq, entry, hash FROM entries ORDER BY seq")?;
            let mut rows = all.query([])?;
            let (mut entries, mut before) = (0, None);
            while let Some(row) = rows.next()? {
                let (seq, text, says): (u64, String, Hash) = (row.get(0)?, row.get(1)?, row.get(2)?);
                hash = follow(&hash, &text);
                if hash != says || before.is_some_and(|before| seq != before + 1) {
                    return Ok(AuditCheck { entries, broken_at: Some(seq) });
                }
                before = Some(seq);
                entries += 1;
            }
            let whole = before.unwrap_or(self.last.0) == self.last.0 && hash == self.last.1;
            Ok(AuditCheck { entries, broken_at: (!whole).then_some(before.unwrap_or(0) + 1) })
        })();
        checked.map_err(|error: rusqlite::Error| self.fault(error))
    }

    pub(super) fn fault(&self, why: impl ToString) -> AuditError {
        AuditError::File { path: self.path.clone(), why: why.to_string() }
    }

    #[cfg(test)]
    pub(super) fn db(&self) -> &Connection {
        &self.db
    }
}

fn anchor(db: &Connection) -> rusqlite::Result<Hash> {
    db.query_row("SELECT hash FROM anchor", [], |row| row.get(0))
}

fn follow(before: &Hash, text: &str) -> Hash {
    Sha256::new().chain_update(before).chain_update(text).finalize().into()
}
