//! The chain that entries make: the hash of each follows from the hash before it and from its text.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::Digest;

pub(super) type Hash = [u8; 32];

/// The hash of an entry with this text, which stands after the one with the hash `before`.
pub(super) fn follow(before: &Hash, text: &str) -> Hash {
    Sha256::new().chain_update(before).chain_update(text).finalize().into()
}

/// A place in the record: that this entry stood there, and by its hash all before it.
///
/// Kept apart from the record, it shows later that nothing up to there was changed or cut off. As text it is
/// `NUMBER:HASH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Anchor {
    /// The number of the entry; 0 before the first.
    pub entry: u64,
    /// Its hash.
    pub hash: Digest,
}

/// The text is no anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no anchor: it wants a number, a colon, and 64 hexadecimal digits, as `caisson audit anchor` prints them", .0.escape_debug())]
pub struct AnchorError(String);

impl Anchor {
    pub(super) fn new(entry: u64, hash: &Hash) -> Self {
        Self { entry, hash: Digest::of_hash(hash) }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entry, self.hash.hex())
    }
}

impl FromStr for Anchor {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<Self, AnchorError> {
        let anchor = || {
            let (entry, hash) = text.trim().split_once(':')?;
            Some(Self { entry: entry.parse().ok()?, hash: hash.parse().ok()? })
        };
        anchor().ok_or_else(|| AnchorError(text.to_owned()))
    }
}

impl TryFrom<String> for Anchor {
    type Error = AnchorError;

    fn try_from(text: String) -> Result<Self, AnchorError> {
        text.parse()
    }
}

impl From<Anchor> for String {
    fn from(anchor: Anchor) -> Self {
        anchor.to_string()
    }
}
