use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Why a request failed, for people and for programs: what happened, why, what to do.
///
/// Every text may quote what a server or a registry said: show it escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ApiError {
    /// The kind, stable across versions.
    pub code: ErrorCode,
    /// What happened.
    pub what: String,
    /// Why, where more than `what` is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the user can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The kinds of failure a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself is wrong: a name, a value, a combination.
    Invalid,
    /// No such server, secret, token, client, ticket, package or version.
    NotFound,
    /// Something of that name exists already.
    Exists,
    /// Something else is being done to the same thing.
    Busy,
    /// A rule of Caisson's forbids it: a dangerous folder, a token without that right.
    Refused,
    /// No container engine answers, or it cannot do what is needed.
    Engine,
    /// The keychain is locked or absent.
    Keychain,
    /// A registry, an image or an install step failed.
    Install,
    /// The server failed: it exited, timed out, or answered nonsense.
    Server,
    /// A file could not be read or written.
    Storage,
    /// A client's configuration could not be read or changed.
    Client,
    /// Caisson is paused and starts nothing.
    Paused,
    /// The request was cancelled.
    Cancelled,
    /// No Caisson process answers, or it speaks another version of this API.
    Daemon,
    /// None of the above: a fault in Caisson.
    Internal,
    /// A kind this version does not know.
    #[serde(other)]
    Unknown,
}

impl ApiError {
    /// An error that says what happened.
    pub fn new(code: ErrorCode, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: None, fix: None }
    }

    /// The same, saying why.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The same, saying what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        if let Some(fix) = &self.fix {
            write!(f, " ({fix})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}
