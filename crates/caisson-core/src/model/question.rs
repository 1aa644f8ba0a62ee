use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{By, Marks, ServerName};

/// The number of a question. Never used twice while Caisson runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct QuestionId(#[ts(type = "number")] pub u64);

/// Whether a tool may be called, as a person is asked. What a client or server has said is in it as it is, but for
/// `arguments`: show it escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Question {
    /// Its number.
    pub id: QuestionId,
    /// When it was asked, in seconds since 1970 (UTC).
    #[ts(type = "number")]
    pub asked_at: u64,
    /// When silence becomes a no.
    #[ts(type = "number")]
    pub until: u64,
    /// Who calls, as the user knows it.
    pub client: String,
    /// The server.
    pub server: ServerName,
    /// The tool, as the call names it.
    pub tool: String,
    /// How the tool's pinned definition marks it.
    pub marks: Marks,
    /// The arguments, for reading: JSON over several lines, with hidden characters shown as `\u{…}`.
    pub arguments: String,
    /// Why a person is asked.
    pub by: By,
    /// The same in words.
    pub because: String,
    /// How many calls wait for the answer.
    pub calls: u32,
}

/// How a question was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A person has allowed it.
    Allowed {
        /// For how long.
        lasting: Lasting,
    },
    /// A person has refused it.
    Denied,
    /// Nobody answered in time.
    Unanswered,
    /// Whoever called has gone.
    Withdrawn,
    /// Everything was refused, by one word.
    Locked,
}

/// For how long a yes holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Lasting {
    /// For the calls that wait for it.
    #[default]
    Once,
    /// Until the client's session ends. For a client that keeps none, until Caisson does.
    Session,
    /// For a time.
    Time {
        /// In seconds.
        #[ts(type = "number")]
        seconds: u64,
    },
    /// Until it is taken back, or the tool is defined otherwise.
    Always,
}

/// A question that was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Settled {
    /// What was asked.
    pub question: Question,
    /// When it was settled, in seconds since 1970 (UTC).
    #[ts(type = "number")]
    pub at: u64,
    /// How.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl fmt::Display for QuestionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::Session => f.write_str("for this session"),
            Self::Time { seconds } => write!(f, "for {seconds} seconds"),
            Self::Always => f.write_str("always"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { lasting } => write!(f, "allowed {lasting}"),
            Self::Denied => f.write_str("denied"),
            Self::Unanswered => f.write_str("denied, since nobody answered"),
            Self::Withdrawn => f.write_str("withdrawn, since the client has gone"),
            Self::Locked => f.write_str("denied, since everything is locked"),
        }
    }
}
