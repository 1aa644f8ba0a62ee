use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// So many calls within a time, written `30/minute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    calls: u32,
    per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Per {
    Second,
    Minute,
    Hour,
    Day,
}

/// Why a text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no rate: write a number up to {MOST} and second, minute, hour or day, as in 30/minute", .0.escape_debug())]
pub struct RateError(String);

/// Of each call within the time its moment is kept.
const MOST: u32 = 10_000;

impl Rate {
    /// So many calls a minute.
    pub(super) const fn per_minute(calls: u32) -> Self {
        Self { calls, per: Per::Minute }
    }

    /// How many calls.
    pub fn calls(self) -> usize {
        usize::try_from(self.calls).unwrap_or(usize::MAX)
    }

    /// Within what time.
    pub fn window(self) -> Duration {
        Duration::from_secs(match self.per {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
            Per::Day => 24 * 3600,
        })
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let wrong = || RateError(text.to_owned());
        let (calls, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = match per.trim() {
            "second" => Per::Second,
            "minute" => Per::Minute,
            "hour" => Per::Hour,
            "day" => Per::Day,
            _ => return Err(wrong()),
        };
        let calls = calls.trim().parse().ok().filter(|calls| *calls <= MOST).ok_or_else(wrong)?;
        Ok(Self { calls, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => "second",
            Per::Minute => "minute",
            Per::Hour => "hour",
            Per::Day => "day",
        };
        write!(f, "{}/{per}", self.calls)
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}
