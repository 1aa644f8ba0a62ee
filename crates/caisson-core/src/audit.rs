//! What happened, kept in an order that nobody can quietly change: each entry holds the hash of all before it.
//!
//! SQLite, append-only, written by one thread, so that nobody waits for a disk, and read on other connections, so that
//! whoever writes waits for no question. No result or secret stands in it, and arguments only where the user has asked for
//! that. When it cannot be written, what is lost is counted, and the count is the next entry.

mod chain;
mod check;
mod entry;
mod file;
mod query;
mod reader;
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

use tokio::sync::{mpsc, oneshot, watch};

pub use chain::{Anchor, AnchorError};
pub use check::{AuditCheck, AuditFault};
pub use entry::{AuditEntry, ExportedEntry, Happening, KINDS, Part, Phase};
pub use query::{AuditQuery, Take};
pub use writer::{Retention, Written};

use self::{
    file::Place,
    reader::Reader,
    store::Store,
    writer::{Note, Work, Writer},
};
use crate::model::{ServerName, utc};

/// Entries that may wait to be written.
const WAITING: usize = 4096;

/// The record. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    place: Place,
    writer: mpsc::Sender<Work>,
    /// The number of the last entry.
    length: watch::Receiver<u64>,
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

impl Audit {
    /// Opens the record in this file, which is made where there is none, readable by the user alone.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, retention: Retention, clock: fn() -> SystemTime) -> Result<Self, AuditError> {
        Self::start(Place::File(path.to_owned()), retention, clock)
    }

    /// A record in memory, which ends with the process: for tests.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub fn in_memory(clock: fn() -> SystemTime) -> Result<Self, AuditError> {
        Self::start(Place::memory(), Retention::default(), clock)
    }

    fn start(place: Place, retention: Retention, clock: fn() -> SystemTime) -> Result<Self, AuditError> {
        let store = Store::open(place.clone())?;
        let (writer, work) = mpsc::channel(WAITING);
        let (told, length) = watch::channel(store.head().entry);
        let lost = Arc::new(AtomicU64::new(0));
        let writing = Writer { store, retention, told, lost: lost.clone(), clock };
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writing.run(work));
        thread.map_err(|_| place.fault("its thread cannot be started"))?;
        Ok(Self { place, writer, length, lost, clock })
    }

    /// Notes that something happened to a server, or by it. Never waits.
    pub fn note(&self, server: &ServerName, phase: Phase, happening: Happening) {
        drop(self.append(Some(server.clone()), phase, happening));
    }

    /// As [`Self::note`], for who has to know when it is written.
    pub fn note_watched(&self, server: &ServerName, phase: Phase, happening: Happening) -> Written {
        self.append(Some(server.clone()), phase, happening)
    }

    /// Notes that the record is not what it was.
    pub fn tampered(&self, reason: String) {
        drop(self.append(None, Phase::Run, Happening::Tampered { reason }));
    }

    /// Notes that the user has changed what holds: of this server, or of none.
    pub fn configured(&self, server: Option<&ServerName>, part: Part, name: &str, change: &str) {
        let happening = Happening::Configured { part, name: name.to_owned(), change: change.to_owned() };
        drop(self.append(server.cloned(), Phase::Run, happening));
    }

    fn append(&self, server: Option<ServerName>, phase: Phase, happening: Happening) -> Written {
        let entry = AuditEntry { seq: 0, at: utc::millis((self.clock)()), server, phase, happening };
        let (note, written) = Note::new(entry);
        if self.writer.try_send(Work::Append(Box::new(note))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    /// Reads entries, the oldest first. Those noted before are among them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, AuditError> {
        self.reading(move |reader| reader.read(&query)).await
    }

    /// As [`Self::read`], each as it is written, with its hash: for who wants to check the chain themselves.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn export(&self, query: AuditQuery) -> Result<Vec<ExportedEntry>, AuditError> {
        self.reading(move |reader| reader.export(&query)).await
    }

    /// Goes through the whole record, to see whether each entry follows from those before it, and whether what these
    /// anchors say is so.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn check(&self, anchors: Vec<Anchor>) -> Result<AuditCheck, AuditError> {
        let head = self.head().await?;
        self.reading(move |reader| reader.check(&[&[head], anchors.as_slice()].concat())).await
    }

    /// Whether what an anchor says is so. None when the entry it names was taken away since, as old ones are.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn holds(&self, anchor: Anchor) -> Result<Option<bool>, AuditError> {
        self.reading(move |reader| reader.holds(&anchor)).await
    }

    /// Where the record ends, with all that was noted before.
    ///
    /// # Errors
    /// When the record is closed.
    pub async fn head(&self) -> Result<Anchor, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.writer.send(Work::Head(reply)).await.map_err(|_| AuditError::Closed)?;
        answer.await.map_err(|_| AuditError::Closed)
    }

    /// As [`Self::head`], when the record is safe on the disk up to there.
    ///
    /// # Errors
    /// When it cannot be brought there.
    pub async fn settled_head(&self) -> Result<Anchor, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.writer.send(Work::Settle(reply)).await.map_err(|_| AuditError::Closed)?;
        answer.await.unwrap_or(Err(AuditError::Closed))
    }

    /// The number of the last entry, which changes when more are written.
    pub fn length(&self) -> watch::Receiver<u64> {
        self.length.clone()
    }

    async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(Reader) -> Result<T, AuditError> + Send + 'static,
    ) -> Result<T, AuditError> {
        // What was noted before is written by then.
        self.head().await?;
        let place = self.place.clone();
        let done = tokio::task::spawn_blocking(move || read(Reader::open(place)?)).await;
        done.unwrap_or(Err(AuditError::Closed))
    }
}

#[cfg(test)]
mod tests;
