//! The tables, as a list of steps. A step that was released is never changed; a new one is added at the end.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Each step takes the schema from its index to the next number, kept in SQLite's `user_version`.
const STEPS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// The schema this program writes.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// What became of a file's schema.
pub(super) enum Migrated {
    /// It is [`NEWEST`].
    Current,
    /// It is beyond that; nothing was touched.
    Newer { found: i64 },
}

/// Takes the schema to [`NEWEST`], in one transaction: all steps or none.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<Migrated> {
    // Immediate: two processes that open the file at once must not both migrate it.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let done = match usize::try_from(found) {
        Ok(done) if done <= STEPS.len() => done,
        Ok(_) | Err(_) => return Ok(Migrated::Newer { found }),
    };
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()?;
    Ok(Migrated::Current)
}

fn version(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction.query_row("PRAGMA user_version", [], |row| row.get(0))
}
