use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The longest name of a kind, in bytes.
const LONGEST: usize = 80;

/// What sort of thing was found: `credential.github-token`, `personal.iban`.
///
/// Lower-case ASCII letters, digits and `-`, in parts with a `.` between them; at most 80 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(Arc<str>);

/// The kinds a rule is for: one (`personal.iban`), all under a name (`personal.*`), or all (`*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KindPattern(Pattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    All,
    Under(Kind),
    One(Kind),
}

/// Why a text names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a kind: lower-case letters, digits and \"-\", with \".\" between parts", .0.escape_debug())]
pub struct KindError(String);

impl Kind {
    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        if text.len() <= LONGEST && text.split('.').all(is_part) {
            Ok(Self(text.into()))
        } else {
            Err(KindError(text.chars().take(LONGEST).collect()))
        }
    }
}

impl TryFrom<String> for Kind {
    type Error = KindError;

    fn try_from(text: String) -> Result<Self, KindError> {
        text.parse()
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.0.as_ref().to_owned()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KindPattern {
    /// Whether it is for this kind.
    pub fn has(&self, kind: &Kind) -> bool {
        match &self.0 {
            Pattern::All => true,
            Pattern::One(one) => one == kind,
            Pattern::Under(name) => {
                kind.as_str().strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }
}

impl FromStr for KindPattern {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        Ok(Self(match (text, text.strip_suffix(".*")) {
            ("*", _) => Pattern::All,
            (_, Some(name)) => Pattern::Under(name.parse()?),
            (one, None) => Pattern::One(one.parse()?),
        }))
    }
}

impl TryFrom<String> for KindPattern {
    type Error = KindError;

    fn try_from(text: String) -> Result<Self, KindError> {
        text.parse()
    }
}

impl From<KindPattern> for String {
    fn from(pattern: KindPattern) -> Self {
        let text: Cow<'_, str> = match &pattern.0 {
            Pattern::All => "*".into(),
            Pattern::Under(name) => format!("{name}.*").into(),
            Pattern::One(one) => one.as_str().into(),
        };
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_kinds_a_pattern_has() {
        let kind: Kind = "credential.github-token".parse().unwrap();
        for (pattern, has) in [
            ("*", true),
            ("credential.*", true),
            ("credential.github-token", true),
            ("credential.github-token.*", false),
            ("credential", false),
            ("cred.*", false),
            ("personal.*", false),
        ] {
            let parsed: KindPattern = pattern.parse().unwrap();
            assert_eq!(parsed.has(&kind), has, "{pattern}");
            assert_eq!(String::from(parsed), pattern);
        }
        for wrong in ["", ".", "a.", "A", "a b", "*.a", "a.**", &"a".repeat(81)] {
            assert!(wrong.parse::<KindPattern>().is_err(), "{wrong}");
        }
    }
}
