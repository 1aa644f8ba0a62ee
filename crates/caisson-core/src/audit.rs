//! What happened, kept in an order that nobody can quietly change: each entry holds the hash of all before it.
//!
//! SQLite, append-only, written by one thread, so that nobody waits for a disk. No argument, result or secret stands
//! in it. When it cannot be written, what is lost is counted, and the count is the next entry.

mod entry;
mod store;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio::sync::{mpsc, oneshot};

pub use entry::{AuditEntry, Happening, Phase};

use self::{store::Store, writer::Work};
use crate::model::{ServerName, utc};

/// Entries that may wait to be written.
const WAITING: usize = 4096;

/// The record. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    writer: mpsc::Sender<Work>,
    /// Entries for which there was no room, not yet told of.
    lost: Arc<AtomicU64>,
    clock: fn() -> SystemTime,
}

/// Why the record cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditError {
    /// Its file cannot be opened, read or written.
    #[error("the audit {path} cannot be used: {why}")]
    File {
        /// The file.
        path: String,
        /// What SQLite or the system said.
        why: String,
    },
    /// The thread that writes has ended.
    #[error("the audit is closed")]
    Closed,
}

/// Which entries to read.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this server alone.
    pub server: Option<ServerName>,
    /// Those after this number.
    pub after: Option<u64>,
    /// So many, the latest; at most 10 000.
    pub last: u32,
}

/// Whether the record is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCheck {
    /// Entries looked at.
    pub entries: u64,
    /// The first that does not follow from those before it.
    pub broken_at: Option<u64>,
}

impl Audit {
    /// Opens the record in this file, which is made where there is none, readable by the user alone.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, clock: fn() -> SystemTime) -> Result<Self, AuditError> {
        Self::start(Store::open(path)?, clock)
    }

    /// A record in memory, which ends with the process: for tests.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub fn in_memory(clock: fn() -> SystemTime) -> Result<Self, AuditError> {
        Self::start(Store::in_memory()?, clock)
    }

    fn start(store: Store, clock: fn() -> SystemTime) -> Result<Self, AuditError> {
        let (writer, work) = mpsc::channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let unstarted = store.fault("its thread cannot be started");
        let writing = writer::Writer { store, lost: lost.clone(), clock };
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writing.run(work));
        thread.map_err(|_| unstarted)?;
        Ok(Self { writer, lost, clock })
    }

    /// Notes that something happened. Never waits.
    pub fn note(&self, server: &ServerName, phase: Phase, happening: Happening) {
        let entry = AuditEntry {
            seq: 0,
            at: utc::millis((self.clock)()),
            server: Some(server.clone()),
            phase,
            happening,
        };
        if self.writer.try_send(Work::Append(Box::new(entry))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads entries, the oldest first. Those noted before are among them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, AuditError> {
        self.ask(|reply| Work::Read(query, reply)).await
    }

    /// Goes through the whole record, to see whether each entry follows from those before it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn check(&self) -> Result<AuditCheck, AuditError> {
        self.ask(Work::Check).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(oneshot::Sender<Result<T, AuditError>>) -> Work,
    ) -> Result<T, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.writer.send(work(reply)).await.map_err(|_| AuditError::Closed)?;
        answer.await.unwrap_or(Err(AuditError::Closed))
    }
}

#[cfg(test)]
mod tests;
