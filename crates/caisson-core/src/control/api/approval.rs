use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::{
    gate::approvals::{Grant, GrantId},
    model::{Lasting, Marks, Offer, Preset, Question, QuestionId, Ruling, ServerName, Settled},
};

/// What holds for tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ShowPolicy {}

/// The answer to [`ShowPolicy`], and to what changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PolicyView {
    /// The file it stands in.
    pub file: PathBuf,
    /// What is done about calls that no rule is about.
    pub preset: Preset,
    /// How many rules there are.
    pub rules: u32,
    /// After how many seconds silence is a no.
    #[ts(type = "number")]
    pub timeout: u64,
    /// What is wrong with the file, with line and column; what was in force before then stays.
    pub broken: Option<String>,
    /// Whether everything is refused.
    pub locked: bool,
}

/// Changes what is done about calls that no rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SetPreset {
    /// What is done.
    pub preset: Preset,
}

/// What would be done about a call. Nothing is called, counted or asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct CheckPolicy {
    /// The server.
    pub server: ServerName,
    /// The tool.
    pub tool: String,
    /// The arguments, an object.
    #[serde(default)]
    #[ts(as = "Option<Value>", optional)]
    pub arguments: Value,
    /// Who calls; you, when nobody is named.
    #[serde(default)]
    #[ts(optional)]
    pub client: Option<String>,
}

/// The answer to [`CheckPolicy`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CheckedPolicy {
    /// What would be done, and by what.
    pub ruling: Ruling,
    /// By what, in words.
    pub because: String,
    /// How the tool's pinned definition marks it; none when it is not known.
    pub marks: Option<Marks>,
}

/// The questions that wait for a person, those settled last, and what was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListApprovals {}

/// The answer to [`ListApprovals`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ApprovalList {
    /// Those that wait, the oldest first.
    pub waiting: Vec<Question>,
    /// Those that were settled since Caisson started, the newest first.
    pub settled: Vec<Settled>,
    /// What was granted and still holds, the oldest first.
    pub grants: Vec<Grant>,
    /// What servers are kept from and nobody has decided on. No call waits for these.
    pub offers: Vec<Offer>,
    /// Whether everything is refused.
    pub locked: bool,
}

/// Lets the calls through that wait for this answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AllowCall {
    /// The question.
    pub id: QuestionId,
    /// For how long calls like it are let through too.
    #[serde(default)]
    #[ts(as = "Option<Lasting>", optional)]
    pub lasting: Lasting,
}

/// Refuses the calls that wait for this answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DenyCall {
    /// The question.
    pub id: QuestionId,
}

/// Takes a grant back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RevokeGrant {
    /// The grant.
    pub id: GrantId,
}

/// Refuses every call from here on, over restarts, also those that wait; or lets things take their course again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LockCalls {
    /// Whether every call is refused.
    pub locked: bool,
}
