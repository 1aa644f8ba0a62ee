//! The rows of the record, as the one who writes sees them.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Anchor, AuditEntry, AuditError, Retention,
    chain::{Hash, follow},
    file::{Place, beginning},
};
use crate::model::ServerName;

/// So many rows are taken away at once at most: meanwhile nothing is written.
const PRUNED_AT_ONCE: u64 = 10_000;

/// The file of the record.
pub(super) struct Store {
    place: Place,
    db: Connection,
    /// The number and hash of the last entry.
    last: (u64, Hash),
}

impl Store {
    pub(super) fn open(place: Place) -> Result<Self, AuditError> {
        let db = place.writer()?;
        let last = (|| {
            let last = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1";
            let last = db.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            last.map_or_else(|| Ok((0, beginning(&db)?)), Ok)
        })();
        let last = last.map_err(|error: rusqlite::Error| place.fault(error))?;
        Ok(Self { place, db, last })
    }

    /// Where the record ends.
    pub(super) fn head(&self) -> Anchor {
        Anchor::new(self.last.0, &self.last.1)
    }

    /// Appends entries, all or none, and gives them their numbers.
    pub(super) fn append<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a AuditEntry>,
    ) -> Result<(), AuditError> {
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

    /// Brings all that was appended safely to the disk, so that not even a power cut takes it.
    pub(super) fn settle(&self) -> Result<(), AuditError> {
        let settled = self.db.query_row("PRAGMA wal_checkpoint", [], |_| Ok(()));
        settled.map_err(|error| self.fault(error))
    }

    /// Takes the oldest away that are beyond what is kept; not all at once, where they are many. The last entry stays.
    pub(super) fn prune(&mut self, retention: Retention) -> Result<(), AuditError> {
        let pruned = (|| {
            let mut upto = self.last.0.saturating_sub(retention.entries.max(1));
            if let Some(days) = retention.days {
                upto = upto.max(self.older_than(days)?);
            }
            let first: Option<u64> =
                self.db.query_row("SELECT min(seq) FROM entries", [], |row| row.get(0))?;
            let Some(first) = first.filter(|first| *first <= upto) else { return Ok(()) };
            let upto = upto.min(first.saturating_add(PRUNED_AT_ONCE - 1));
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

    /// The last of those that are all older than so many days before the latest entry: what was noted before a machine
    /// was away for long is still there when it comes back.
    fn older_than(&self, days: u32) -> rusqlite::Result<u64> {
        let kept = u64::try_from(Duration::from_hours(24).saturating_mul(days).as_millis());
        let kept = i64::try_from(kept.unwrap_or(u64::MAX)).unwrap_or(i64::MAX);
        let oldest = "SELECT min(seq) FROM entries WHERE at >= (SELECT at FROM entries WHERE seq = ?1) - ?2";
        let oldest: Option<u64> = self.db.query_row(oldest, params![self.last.0, kept], |row| row.get(0))?;
        Ok(oldest.map_or(0, |oldest| oldest - 1))
    }

    fn fault(&self, why: impl ToString) -> AuditError {
        self.place.fault(why)
    }

    #[cfg(test)]
    pub(super) fn db(&self) -> &Connection {
        &self.db
    }
}
