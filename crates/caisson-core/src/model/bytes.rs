use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An amount of memory in bytes, written as people do: `512MiB`, `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct MemorySize(u64);

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl MemorySize {
    /// So many mebibytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The amount in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// The text is not a number with `KiB`, `MiB` or `GiB`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not an amount of memory: write it as 512MiB or 2GiB", .0.escape_debug())]
pub struct MemorySizeError(String);

impl FromStr for MemorySize {
    type Err = MemorySizeError;

    fn from_str(text: &str) -> Result<Self, MemorySizeError> {
        UNITS
            .iter()
            .find_map(|(unit, factor)| {
                let count: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
                count.checked_mul(*factor).filter(|bytes| *bytes > 0)
            })
            .map(Self)
            .ok_or_else(|| MemorySizeError(text.to_owned()))
    }
}

impl TryFrom<String> for MemorySize {
    type Error = MemorySizeError;

    fn try_from(text: String) -> Result<Self, MemorySizeError> {
        text.parse()
    }
}

impl From<MemorySize> for String {
    fn from(size: MemorySize) -> Self {
        size.to_string()
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, factor)| self.0.is_multiple_of(*factor));
        match whole {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [("512MiB", 512 << 20), ("2GiB", 2 << 30), ("64KiB", 64 << 10)] {
            let size: MemorySize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string()), (bytes, text.to_owned()));
        }
        for bad in ["", "0MiB", "512", "-1MiB", "99999999999999GiB", "MiB"] {
            assert!(bad.parse::<MemorySize>().is_err(), "{bad:?}");
        }
    }
}
