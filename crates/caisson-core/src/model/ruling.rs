use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Lasting;

/// What is done about a call, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// It is let through.
    Allow,
    /// A person is asked.
    Ask,
    /// It is refused.
    Deny,
}

/// What is done about calls that no rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Each is asked about.
    AskForEverything,
    /// What the pinned definition marks as read-only is allowed; all else is asked about.
    #[default]
    AskForChanges,
    /// All are allowed.
    NeverAsk,
}

/// How a tool's definition marks it (MCP 2025-11-25, "ToolAnnotations"), with the specification's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[expect(clippy::struct_excessive_bools, reason = "they are the specification's four hints")]
pub struct Marks {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// The same call again changes nothing more.
    pub idempotent: bool,
    /// It reaches beyond what the server itself holds.
    pub open_world: bool,
}

impl Default for Marks {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

/// What was decided, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Ruling {
    /// What is done.
    pub verb: Verb,
    /// By what.
    pub by: By,
}

/// What has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum By {
    /// A rule of `policy.toml`.
    Rule {
        /// Its line.
        #[ts(type = "number")]
        line: usize,
        /// Why, in the words of whoever wrote it.
        why: Option<String>,
    },
    /// No rule is about the call.
    Preset {
        /// The preset.
        preset: Preset,
        /// Whether the tool is marked as read-only.
        read_only: bool,
    },
    /// The same call came again and again.
    Loop {
        /// Beyond this rate.
        beyond: String,
    },
    /// The call carries what a person should hear of.
    Carries {
        /// What.
        what: String,
    },
    /// A person was asked.
    Person {
        /// For how long they have allowed it.
        lasting: Lasting,
    },
    /// A person has allowed it before.
    Grant {
        /// The grant.
        #[ts(type = "number")]
        id: u64,
    },
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AskForEverything => "ask for everything",
            Self::AskForChanges => "ask for changes",
            Self::NeverAsk => "never ask",
        })
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { line, why: Some(why) } => write!(f, "line {line} of policy.toml: {why}"),
            Self::Rule { line, why: None } => write!(f, "line {line} of policy.toml"),
            Self::Preset { preset: preset @ Preset::AskForChanges, read_only } => {
                let marked = if *read_only { "is marked as read-only" } else { "is not marked as read-only" };
                write!(f, "the preset \"{preset}\", and the tool {marked}")
            }
            Self::Preset { preset, .. } => write!(f, "the preset \"{preset}\""),
            Self::Loop { beyond } => write!(f, "the same call came more often than {beyond}"),
            Self::Carries { what } => write!(f, "it carries: {what}"),
            Self::Person { lasting } => write!(f, "a person has allowed it {lasting}"),
            Self::Grant { id } => write!(f, "it was allowed before (grant {id})"),
        }
    }
}
