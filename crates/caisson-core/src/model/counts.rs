use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What became of calls, since Caisson started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CallCounts {
    /// Those that were let through.
    pub calls: u64,
    /// Those that were not: by the user's rules, by a person, or since something was wrong with them.
    pub denied: u64,
    /// Of those let through, those that were answered with an error.
    pub failed: u64,
    /// Of those let through, those that had no answer, or whose client did not wait for it.
    pub unanswered: u64,
    /// Of those let through, those since midnight, where the user is.
    pub today: u64,
}

impl CallCounts {
    /// These and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            denied: self.denied + other.denied,
            failed: self.failed + other.failed,
            unanswered: self.unanswered + other.unanswered,
            today: self.today + other.today,
        }
    }
}
