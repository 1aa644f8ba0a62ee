use std::{slice, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Action, Kind};

/// So many findings of one message are told in full; the rest are counted.
const MOST: usize = 256;

/// Something that was found, and never what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of thing.
    pub kind: Kind,
    /// What people call it.
    pub title: Arc<str>,
    /// What is done with it.
    pub action: Action,
    /// Where it stands: a JSON pointer (RFC 6901) into the message. Names that are long or hold something that was
    /// found are shown as `…`. Empty for a line of text.
    pub at: String,
    /// How many bytes of the string it takes.
    pub length: usize,
    /// How it was encoded, the outermost first.
    pub encoded: Vec<Encoding>,
}

/// A way something was hidden within a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Base64, of either alphabet.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// Compressed with gzip.
    Gzip,
    /// `%41`.
    Percent,
    /// `\u0041`.
    Escaped,
    /// Characters that are not seen, or seen as others.
    Unicode,
    /// Parts of it stand in several blocks of text.
    Split,
}

/// The findings of one message: the first of them, and how many more there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    told: Vec<Finding>,
    more: usize,
    gravest: Option<Action>,
}

impl Findings {
    /// The findings that are told.
    pub fn iter(&self) -> slice::Iter<'_, Finding> {
        self.told.iter()
    }

    /// How many were found besides.
    pub fn more(&self) -> usize {
        self.more
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The most that is to be done with any.
    pub fn gravest(&self) -> Option<Action> {
        self.gravest
    }

    /// Keeps what else had to be taken out of the same message. What passes was told before.
    pub(super) fn add(&mut self, more: Self) {
        for finding in more.told.into_iter().filter(|finding| finding.action >= Action::Redact) {
            self.push(finding.action, || finding);
        }
    }

    /// Keeps one. When there are many, a grave one takes the place of a slight one.
    pub(super) fn push(&mut self, action: Action, finding: impl FnOnce() -> Finding) {
        self.gravest = self.gravest.max(Some(action));
        if self.told.len() < MOST {
            self.told.push(finding());
            return;
        }
        self.more += 1;
        if action >= Action::Redact
            && let Some(slight) = self.told.iter_mut().rev().find(|told| told.action < action)
        {
            *slight = finding();
        }
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
