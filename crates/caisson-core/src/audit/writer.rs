use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio::sync::{mpsc, oneshot};

use super::{AuditCheck, AuditEntry, AuditError, AuditQuery, Happening, Phase, store::Store};
use crate::model::utc;

/// Entries written in one go.
const BATCH: usize = 256;
/// Entries kept; beyond them the oldest go.
const MOST_KEPT: u64 = 1_000_000;

/// What the thread is asked for.
pub(super) enum Work {
    Append(Box<AuditEntry>),
    Read(AuditQuery, oneshot::Sender<Result<Vec<AuditEntry>, AuditError>>),
    Check(oneshot::Sender<Result<AuditCheck, AuditError>>),
}

/// The one who writes.
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) lost: Arc<AtomicU64>,
    pub(super) clock: fn() -> SystemTime,
}

impl Writer {
    /// Writes until everybody has let go of the record.
    pub(super) fn run(mut self, mut work: mpsc::Receiver<Work>) {
        while let Some(first) = work.blocking_recv() {
            let mut entries = Vec::new();
            let mut next = Some(first);
            let mut question = None;
            while let Some(one) = next.take() {
                match one {
                    Work::Append(entry) => entries.push(*entry),
                    Work::Read(..) | Work::Check(_) => {
                        question = Some(one);
                        break;
                    }
                }
                if entries.len() < BATCH {
                    next = work.try_recv().ok();
                }
            }
            self.append(entries);
            // Whoever asked may be gone.
            match question {
                Some(Work::Read(query, reply)) => drop(reply.send(self.store.read(&query))),
                Some(Work::Check(reply)) => drop(reply.send(self.store.check())),
                Some(Work::Append(_)) | None => {}
            }
        }
    }

    fn append(&mut self, mut entries: Vec<AuditEntry>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let happening = Happening::Lost { entries: lost };
            let at = utc::millis((self.clock)());
            entries.insert(0, AuditEntry { seq: 0, at, server: None, phase: Phase::Run, happening });
        }
        if entries.is_empty() {
            return;
        }
        let written = self.store.append(&entries).and_then(|()| self.store.prune(MOST_KEPT));
        if let Err(error) = written {
            tracing::error!(%error, "what happened could not be noted");
            let unwritten = entries.len() as u64 - u64::from(lost > 0);
            self.lost.fetch_add(lost + unwritten, Ordering::Relaxed);
        }
    }
}
