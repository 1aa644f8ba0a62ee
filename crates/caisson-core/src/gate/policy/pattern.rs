use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The longest pattern, in bytes.
const LONGEST: usize = 1000;

/// A text in which `*` stands for any characters, also none. Letters are compared as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It would match nothing that has a name.
    #[error("a pattern is not empty; * matches everything")]
    Empty,
    /// It is longer than any name.
    #[error("a pattern has at most {LONGEST} characters")]
    TooLong,
}

impl Pattern {
    /// Whether `text` as a whole is what the pattern says.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > LONGEST {
            return Err(PatternError::TooLong);
        }
        let parts: Vec<String> = text.split('*').map(regex::escape).collect();
        let regex = Regex::new(&format!("(?s)^{}$", parts.join(".*"))).map_err(|_| PatternError::TooLong)?;
        Ok(Self { text, regex })
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One pattern, or several of which one suffices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum AnyOf {
    One(Pattern),
    Several(Vec<Pattern>),
}

impl AnyOf {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::One(pattern) => pattern.matches(text),
            Self::Several(patterns) => patterns.iter().any(|pattern| pattern.matches(text)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Several(patterns) if patterns.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let matches =
            |pattern: &str, text: &str| Pattern::try_from(pattern.to_owned()).unwrap().matches(text);
        for (pattern, text) in
            [("*", ""), ("*", "a\nb"), ("get_*", "get_"), ("a*b*c", "a.*b(c"), ("x.y", "x.y")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("get_*", "Get_x"), ("x.y", "xzy"), ("a", "ab"), ("a", "ba"), ("a*b", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert_eq!(Pattern::try_from(String::new()), Err(PatternError::Empty));
        assert_eq!(Pattern::try_from("*".repeat(1001)), Err(PatternError::TooLong));
    }
}
