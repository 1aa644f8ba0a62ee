//! Questions that only a person answers. Silence is a no, so is a desk with too many of them; and whoever asked and
//! goes away takes the question along.

mod asking;
mod desk;
mod grants;
pub(super) mod render;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

pub(super) use asking::Asking;
pub use grants::{Grant, GrantId};

use self::{desk::Desk, grants::Grants};
use super::{Clock, principal::Visit};
use crate::{
    model::{Digest, Event, EventSender, Lasting, Outcome, Question, QuestionId, ServerName, Settled},
    registry::{State, StateError},
};

/// Under what it is kept that everything is refused.
const LOCKED: &str = "locked";

/// The questions there are, and what was granted before. Cheap to clone.
#[derive(Clone)]
pub struct Approvals(Arc<Shared>);

struct Shared {
    desk: Mutex<Desk>,
    grants: Grants,
    state: State,
    locked: watch::Sender<bool>,
    events: EventSender,
    clock: Clock,
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// It was answered, withdrawn, or never asked.
    #[error("question {0} waits for no answer; `caisson approvals list` shows those that do")]
    Unknown(QuestionId),
    /// There is no such grant.
    #[error("there is no grant {0}; `caisson approvals grants` shows those there are")]
    NoGrant(GrantId),
    /// A grant that would last for no time.
    #[error("a grant lasts at least a second, and at most a year")]
    Lifetime,
    /// It could not be kept. Nothing was changed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Somebody who waits for the answer to a question. Dropped, it waits no longer.
pub(super) struct Waiting {
    approvals: Approvals,
    id: QuestionId,
    deadline: Instant,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Approvals {
    /// What was granted, kept in `state`, and no question.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn open(state: State, events: EventSender, clock: Clock) -> Result<Self, StateError> {
        let grants = Grants::open(state.clone(), clock())?;
        let (locked, _) = watch::channel(state.value(LOCKED)?.is_some());
        Ok(Self(Arc::new(Shared { desk: Mutex::default(), grants, state, locked, events, clock })))
    }

    /// Asks, or joins those who wait for the answer to the same question. None when there are too many.
    pub(super) fn ask(&self, asking: Asking, patience: Duration) -> Option<Waiting> {
        let now = (self.0.clock)();
        let (question, waiting) = {
            let mut desk = self.desk();
            let (id, question) = desk.put(asking, now, patience)?;
            let (deadline, outcome) = desk.wait(id)?;
            (question, Waiting { approvals: self.clone(), id, deadline, outcome })
        };
        if let Some(question) = question {
            self.tell(Event::Asked { question: Box::new(question) });
        }
        Some(waiting)
    }

    /// The questions that wait for an answer, the oldest first.
    pub fn list(&self) -> Vec<Question> {
        self.desk().list()
    }

    /// The questions that were settled last, the newest first.
    pub fn history(&self) -> Vec<Settled> {
        self.desk().history()
    }

    /// Lets the calls through that wait for this answer, and those like them for as long as it lasts.
    ///
    /// # Errors
    /// When there is no such question, or the grant cannot be kept; then it still waits.
    pub fn allow(&self, id: QuestionId, lasting: Lasting) -> Result<Question, ApprovalError> {
        let asking = self.desk().asking(id).ok_or(ApprovalError::Unknown(id))?;
        if lasting != Lasting::Once {
            self.0.grants.add(&asking, lasting, (self.0.clock)())?;
        }
        self.settle(id, Outcome::Allowed { lasting }).ok_or(ApprovalError::Unknown(id))
    }

    /// Refuses the calls that wait for this answer.
    ///
    /// # Errors
    /// When there is no such question.
    pub fn deny(&self, id: QuestionId) -> Result<Question, ApprovalError> {
        self.settle(id, Outcome::Denied).ok_or(ApprovalError::Unknown(id))
    }

    /// What was granted and still holds, the oldest first.
    pub fn grants(&self) -> Vec<Grant> {
        self.0.grants.list((self.0.clock)())
    }

    /// Takes a grant back.
    ///
    /// # Errors
    /// When there is no such grant, or that cannot be kept; then it still holds.
    pub fn revoke(&self, id: GrantId) -> Result<Grant, ApprovalError> {
        self.0.grants.revoke(id)?.ok_or(ApprovalError::NoGrant(id))
    }

    /// Takes back what was granted for a server that is removed: a later one of that name is another one.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn forget(&self, server: &ServerName) -> Result<(), StateError> {
        self.0.grants.forget(server)
    }

    /// The grant that covers a call.
    pub(super) fn granted(
        &self,
        visit: &Visit,
        server: &ServerName,
        tool: &str,
        definition: Option<&Digest>,
    ) -> Option<GrantId> {
        self.0.grants.covering(visit, server, tool, definition, (self.0.clock)())
    }

    /// Refuses everything from here on, also what waits for an answer; or lets things take their course again. Kept
    /// over a restart.
    ///
    /// # Errors
    /// When it cannot be kept. A lock holds all the same until Caisson ends; one that was to be taken off still holds.
    pub fn lock(&self, locked: bool) -> Result<(), StateError> {
        if locked {
            self.set_locked(true);
            for question in self.list() {
                self.settle(question.id, Outcome::Locked);
            }
            return self.0.state.set_value(LOCKED, "true");
        }
        self.0.state.remove_value(LOCKED)?;
        self.set_locked(false);
        Ok(())
    }

    /// Whether everything is refused.
    pub fn is_locked(&self) -> bool {
        *self.0.locked.borrow()
    }

    fn set_locked(&self, locked: bool) {
        if self.0.locked.send_replace(locked) != locked {
            self.tell(Event::Locked { locked });
        }
    }

    fn settle(&self, id: QuestionId, outcome: Outcome) -> Option<Question> {
        let question = self.desk().settle(id, outcome, (self.0.clock)())?;
        self.tell(Event::Answered { id, outcome });
        Some(question)
    }

    fn tell(&self, event: Event) {
        // Nobody watching is fine.
        drop(self.0.events.send(event));
    }

    // No panic happens while the lock is held.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The question's id.
    pub(super) fn id(&self) -> QuestionId {
        self.id
    }

    /// The answer; when nobody gives one in time, that.
    pub(super) async fn outcome(&mut self) -> Outcome {
        let answered = timeout_at(self.deadline, self.outcome.wait_for(Option::is_some)).await;
        match answered.map(|answered| answered.ok().and_then(|outcome| *outcome)) {
            // The desk holds the other end for as long as somebody waits.
            Ok(outcome) => outcome.unwrap_or(Outcome::Withdrawn),
            Err(_) => {
                // The answer may have come at the last moment.
                self.approvals.settle(self.id, Outcome::Unanswered);
                self.outcome.borrow().unwrap_or(Outcome::Unanswered)
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let is_last = self.approvals.desk().leave(self.id);
        if is_last {
            self.approvals.settle(self.id, Outcome::Withdrawn);
        }
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").finish_non_exhaustive()
    }
}
