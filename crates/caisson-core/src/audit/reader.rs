//! Reads the record, each time on a connection of its own: whoever writes waits for no question.

use rusqlite::{Connection, OptionalExtension as _, params_from_iter};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Anchor, AuditCheck, AuditEntry, AuditError, AuditFault, AuditQuery, ExportedEntry, Take,
    chain::{Hash, follow},
    file::{Place, beginning},
};
use crate::model::Digest;

/// A connection that reads.
pub(super) struct Reader {
    place: Place,
    db: Connection,
}

impl Reader {
    pub(super) fn open(place: Place) -> Result<Self, AuditError> {
        Ok(Self { db: place.reader()?, place })
    }

    /// The entries that the query asks for, the oldest first.
    pub(super) fn read(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, AuditError> {
        let (sql, values) = query.statement("entry");
        let read = (|| {
            let mut statement = self.db.prepare(&sql)?;
            let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
            rows.collect::<Result<Vec<String>, _>>()
        })();
        let mut texts = read.map_err(|error: rusqlite::Error| self.fault(error))?;
        in_order(&mut texts, query.take);
        texts.iter().map(|text| serde_json::from_str(text).map_err(|error| self.fault(error))).collect()
    }

    /// As [`Self::read`], each as it is written, with its hash.
    pub(super) fn export(&self, query: &AuditQuery) -> Result<Vec<ExportedEntry>, AuditError> {
        let (sql, values) = query.statement("seq, entry, hash");
        let read = (|| {
            let mut statement = self.db.prepare(&sql)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let rows = statement.query_map(params_from_iter(values), row)?;
            rows.collect::<Result<Vec<(u64, String, Hash)>, _>>()
        })();
        let mut rows = read.map_err(|error: rusqlite::Error| self.fault(error))?;
        in_order(&mut rows, query.take);
        let exported = |(seq, text, hash): (u64, String, Hash)| {
            let entry = RawValue::from_string(text).map_err(|error| self.fault(error))?;
            Ok(ExportedEntry { seq, entry, hash: Digest::of_hash(&hash) })
        };
        rows.into_iter().map(exported).collect()
    }

    /// Whether what an anchor says is so. None when the entry it names was taken away since, as old ones are.
    pub(super) fn holds(&self, anchor: &Anchor) -> Result<Option<bool>, AuditError> {
        let held = (|| {
            let at = "SELECT hash FROM entries WHERE seq = ?1";
            let hash: Option<Hash> = self.db.query_row(at, [anchor.entry], |row| row.get(0)).optional()?;
            if let Some(hash) = hash {
                return Ok(Some(Digest::of_hash(&hash) == anchor.hash));
            }
            let first: Option<u64> =
                self.db.query_row("SELECT min(seq) FROM entries", [], |row| row.get(0))?;
            match first.filter(|first| anchor.entry < *first) {
                Some(first) if anchor.entry + 1 == first => {
                    Ok(Some(Digest::of_hash(&beginning(&self.db)?) == anchor.hash))
                }
                Some(_) => Ok(None),
                None => Ok(Some(anchor.entry == 0)),
            }
        })();
        held.map_err(|error: rusqlite::Error| self.fault(error))
    }

    /// Goes through the whole chain, and holds it against the anchors.
    pub(super) fn check(&self, anchors: &[Anchor]) -> Result<AuditCheck, AuditError> {
        // In one transaction, so that what is written or taken away meanwhile is not half seen.
        let transaction = self.db.unchecked_transaction().map_err(|error| self.fault(error))?;
        let mut check = self.walk().map_err(|error| self.fault(error))?;
        for anchor in anchors {
            match self.holds(anchor)? {
                Some(true) => check.anchors += 1,
                None => {}
                Some(false) => {
                    let anchored = anchor.entry;
                    check.fault.get_or_insert(match check.last {
                        last if last < anchored => AuditFault::CutOff { last, anchored },
                        _ => AuditFault::NotAnchored { entry: anchored },
                    });
                }
            }
        }
        drop(transaction);
        Ok(check)
    }

    fn walk(&self) -> rusqlite::Result<AuditCheck> {
        let mut hash = beginning(&self.db)?;
        let mut all = self.db.prepare("SELECT seq, entry, hash FROM entries ORDER BY seq")?;
        let mut rows = all.query([])?;
        let mut check = AuditCheck::default();
        let mut latest = 0;
        while let Some(row) = rows.next()? {
            let (seq, text, says): (u64, String, Hash) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let at = serde_json::from_str(&text).map_or(latest, |Noted { at }| at);
            hash = follow(&hash, &text);
            let follows = check.entries == 0 || seq == check.last + 1;
            if (hash != says || !follows) && check.fault.is_none() {
                check.fault = Some(AuditFault::Changed { entry: seq });
            }
            // Those after a changed one are held against what it says.
            hash = says;
            check.clock_set_back += u64::from(at < latest);
            latest = at;
            check.last = seq;
            check.entries += 1;
        }
        Ok(check)
    }

    fn fault(&self, why: impl ToString) -> AuditError {
        self.place.fault(why)
    }
}

/// When an entry says that it was made.
#[derive(Deserialize)]
struct Noted {
    at: u64,
}

fn in_order<T>(rows: &mut [T], take: Take) {
    match take {
        Take::Latest => rows.reverse(),
        Take::Earliest => {}
    }
}
