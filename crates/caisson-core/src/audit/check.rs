use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Whether the record is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AuditCheck {
    /// Entries looked at.
    #[ts(type = "number")]
    pub entries: u64,
    /// The number of the last; 0 when there is none.
    #[ts(type = "number")]
    pub last: u64,
    /// Anchors that were found to be so, the end of the record as the one who writes knows it being one.
    pub anchors: u32,
    /// How often an entry says that it was made before the one it follows: the clock was set back. Their order is known
    /// all the same.
    #[ts(type = "number")]
    pub clock_set_back: u64,
    /// What is wrong with it first.
    pub fault: Option<AuditFault>,
}

/// What is wrong with a record that is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum AuditFault {
    /// An entry does not follow from those before it: it, or one before it, was changed, taken away, or put elsewhere.
    Changed {
        /// Its number.
        #[ts(type = "number")]
        entry: u64,
    },
    /// The record was longer.
    CutOff {
        /// The number of its last entry.
        #[ts(type = "number")]
        last: u64,
        /// The number of one that is known to have been there.
        #[ts(type = "number")]
        anchored: u64,
    },
    /// An entry is not the one that is known to have stood there: it, or one before it, was replaced.
    NotAnchored {
        /// Its number.
        #[ts(type = "number")]
        entry: u64,
    },
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { entry } => write!(f, "entry {entry} does not follow from those before it"),
            Self::CutOff { last, anchored } => {
                write!(f, "it ends with entry {last}, and had entry {anchored} before")
            }
            Self::NotAnchored { entry } => {
                write!(f, "entry {entry} is not the one that stood there before")
            }
        }
    }
}
