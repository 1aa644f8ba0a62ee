//! What becomes of a message: it may pass, it may not, or a person is asked.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, interval_at};

use super::{
    Denial, Expected, Permit,
    approvals::{Asking, Waiting},
    ledger::{Entry, Ledger},
};
use crate::model::{By, Outcome, RequestId};

/// How often a client is told that its call is still waited for.
const ALIVE: Duration = Duration::from_secs(5);
/// How much progress that is: far less than what a server reports, which begins after it.
const STEP: f64 = 1e-6;

/// What becomes of a message.
#[derive(Debug)]
#[must_use = "a message without a permit must not pass"]
pub enum Admission {
    /// It may pass.
    Permitted(Permit),
    /// It may not.
    Denied(Denial),
    /// A person is asked.
    Asked(Box<Asked>),
}

/// A call that waits for a person's answer. Dropped, the question is withdrawn.
pub struct Asked {
    pub(super) waiting: Waiting,
    pub(super) asking: Asking,
    pub(super) ledger: Ledger,
    pub(super) permit: Permit,
    /// The arguments, as they came.
    pub(super) arguments: String,
    pub(super) id: Option<RequestId>,
    pub(super) progress: Option<RequestId>,
    pub(super) patience: Duration,
}

impl Admission {
    /// The permit. Where a person is asked, their answer is waited for, and the client is not told meanwhile.
    ///
    /// # Errors
    /// When it may not pass.
    pub async fn settle(self) -> Result<Permit, Denial> {
        match self {
            Self::Permitted(permit) => Ok(permit),
            Self::Denied(denial) => Err(denial),
            Self::Asked(asked) => asked.settle(|_| {}).await,
        }
    }
}

impl Asked {
    /// The id of the call; none when it wants no answer.
    pub fn id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }

    /// Waits for the answer. Meanwhile `keep_alive` is handed notifications for the client, when it has asked for
    /// progress, so that it does not give up.
    ///
    /// # Errors
    /// When the answer is a no, or there is none in time.
    pub async fn settle(mut self, mut keep_alive: impl FnMut(Bytes)) -> Result<Permit, Denial> {
        let mut ticks = interval_at(Instant::now() + ALIVE, ALIVE);
        let mut progress = 0.0;
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = self.waiting.outcome() => break outcome,
                _ = ticks.tick() => {
                    progress += STEP;
                    if let Some(token) = &self.progress {
                        keep_alive(waits(token, progress));
                    }
                }
            }
        };
        let Self { waiting, asking, ledger, permit, arguments, id, patience, .. } = self;
        let Asking { visit, server, tool, .. } = &asking;
        ledger.settled(visit, server, tool, (waiting.id(), outcome));
        let denial = match outcome {
            Outcome::Allowed { lasting } => {
                let shown = ledger.kept(|| asking.arguments.clone());
                let entry = Entry { visit, server, tool, arguments: &arguments, shown };
                let call = ledger.begin(entry, id, &By::Person { lasting });
                return Ok(permit.expecting(Expected::Call(call)));
            }
            Outcome::Denied => Denial::Person,
            Outcome::Unanswered => Denial::Silence { seconds: patience.as_secs() },
            Outcome::Withdrawn => Denial::Withdrawn,
            Outcome::Locked => Denial::Locked,
        };
        ledger.refuse(visit, server, tool, &denial);
        Err(denial)
    }
}

/// A notification that a request is worked on (MCP 2025-11-25, "Progress").
fn waits(token: &RequestId, progress: f64) -> Bytes {
    let params = json!({
        "progressToken": token, "progress": progress, "message": "waiting for a person to allow this call",
    });
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}).to_string().into()
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("question", &self.waiting.id()).finish_non_exhaustive()
    }
}
