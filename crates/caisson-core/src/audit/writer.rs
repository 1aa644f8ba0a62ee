use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{Anchor, AuditEntry, AuditError, Happening, Phase, store::Store};
use crate::model::utc;

/// Entries written in one go.
const BATCH: usize = 256;

/// How much of the record is kept. Beyond it the oldest entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// So many entries.
    pub entries: u64,
    /// Those of so many days, counted back from the latest; none means of any age.
    pub days: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { entries: 1_000_000, days: None }
    }
}

/// Ready when an entry is written, or counted as lost.
#[derive(Debug, Default)]
pub struct Written(Option<oneshot::Receiver<()>>);

/// An entry that is to be written.
#[derive(Debug)]
pub(super) struct Note {
    entry: AuditEntry,
    /// Dropped when that is done.
    _done: oneshot::Sender<()>,
}

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Work {
    Append(Box<Note>),
    Head(oneshot::Sender<Anchor>),
    /// Where the record ends, when it is safe on the disk up to there.
    Settle(oneshot::Sender<Result<Anchor, AuditError>>),
}

/// The one who writes.
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) retention: Retention,
    pub(super) told: watch::Sender<u64>,
    pub(super) lost: Arc<AtomicU64>,
    pub(super) clock: fn() -> SystemTime,
}

impl Note {
    pub(super) fn new(entry: AuditEntry) -> (Self, Written) {
        let (done, written) = oneshot::channel();
        (Self { entry, _done: done }, Written(Some(written)))
    }
}

impl Future for Written {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(written) => Pin::new(written).poll(cx).map(drop),
            None => Poll::Ready(()),
        }
    }
}

impl Writer {
    /// Writes until everybody has let go of the record.
    pub(super) fn run(mut self, mut work: mpsc::Receiver<Work>) {
        while let Some(first) = work.blocking_recv() {
            let mut notes = Vec::new();
            let mut next = Some(first);
            let mut asked = None;
            while let Some(one) = next.take() {
                match one {
                    Work::Append(note) => notes.push(*note),
                    Work::Head(_) | Work::Settle(_) => {
                        asked = Some(one);
                        break;
                    }
                }
                if notes.len() < BATCH {
                    next = work.try_recv().ok();
                }
            }
            self.append(&notes);
            // Whoever asked may be gone.
            match asked {
                Some(Work::Head(reply)) => drop(reply.send(self.store.head())),
                Some(Work::Settle(reply)) => {
                    drop(reply.send(self.store.settle().map(|()| self.store.head())));
                }
                Some(Work::Append(_)) | None => {}
            }
        }
    }

    fn append(&mut self, notes: &[Note]) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let loss = (lost > 0).then(|| AuditEntry {
            seq: 0,
            at: utc::millis((self.clock)()),
            server: None,
            phase: Phase::Run,
            happening: Happening::Lost { entries: lost },
        });
        if loss.is_none() && notes.is_empty() {
            return;
        }
        let entries = loss.iter().chain(notes.iter().map(|note| &note.entry));
        match self.store.append(entries) {
            Ok(()) => {
                self.told.send_replace(self.store.head().entry);
                if let Err(error) = self.store.prune(self.retention) {
                    tracing::warn!(%error, "old entries of the audit were not taken away");
                }
            }
            Err(error) => {
                tracing::error!(%error, "what happened could not be noted");
                self.lost.fetch_add(lost + notes.len() as u64, Ordering::Relaxed);
            }
        }
    }
}
