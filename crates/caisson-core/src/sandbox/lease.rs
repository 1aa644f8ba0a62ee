use tokio::sync::mpsc;

use super::supervisor::Note;

/// While it lives, the server is in use and is not stopped for idleness.
#[derive(Debug)]
pub(super) struct Lease {
    run: u64,
    notes: mpsc::UnboundedSender<Note>,
}

impl Lease {
    /// The lease of one session in container number `run`. The supervisor counts it as it makes it.
    pub(super) fn new(run: u64, notes: mpsc::UnboundedSender<Note>) -> Self {
        Self { run, notes }
    }

    /// Tells that the server has shown to work.
    pub(super) fn healthy(&self) {
        drop(self.notes.send(Note::Healthy { run: self.run }));
    }

    /// Tells that the session's process failed before it did anything.
    pub(super) fn failed(&self, reason: String) {
        drop(self.notes.send(Note::Failed { run: self.run, reason }));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A supervisor that is gone counts nothing.
        drop(self.notes.send(Note::Closed { run: self.run }));
    }
}
