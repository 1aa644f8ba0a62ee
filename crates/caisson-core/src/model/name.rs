use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The longest name: it must fit, with a prefix, into a container's name and a URL path segment.
const LONGEST: usize = 64;

/// What a server is called: in its file's name, its URL path, its container's name.
///
/// Lower-case ASCII letters, digits, `-`, `_` and `.`; begins with a letter or digit; at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct ServerName(String);

/// What a group of servers is called: in its table in `groups.toml` and its URL path. Written as a server's name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct GroupName(String);

/// What a secret is called: also the environment variable or the file it may become.
///
/// ASCII letters, digits and `_`; does not begin with a digit; at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct SecretName(String);

/// What a snapshot of a workspace is called: in its volume's name, together with its server's.
///
/// Lower-case ASCII letters, digits, `-` and `_`; begins with a letter or digit; at most 64 characters. No `.`: the
/// first one in a volume's name ends the snapshot's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct SnapshotName(String);

/// Why a text is no name. The text is shown escaped: it may hold terminal escapes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a name for a {what}: {why}", shown(.text))]
pub struct NameError {
    what: &'static str,
    text: String,
    why: &'static str,
}

fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect::<String>().escape_debug().collect();
    if text.chars().count() > LONGEST {
        short.push('…');
    }
    short
}

impl ServerName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SecretName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GroupName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        path_segment("server", text).map(Self)
    }
}

impl FromStr for GroupName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        path_segment("group", text).map(Self)
    }
}

impl SnapshotName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SnapshotName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = path_segment("snapshot", text)?;
        if name.contains('.') {
            return Err(NameError { what: "snapshot", text: name, why: "no '.' may stand in it" });
        }
        Ok(Self(name))
    }
}

/// A name that can stand in a path and is never percent-encoded there.
fn path_segment(what: &'static str, text: &str) -> Result<String, NameError> {
    let fault = |why| Err(NameError { what, text: text.to_owned(), why });
    let mut bytes = text.bytes();
    match bytes.next() {
        None => return fault("it is empty"),
        Some(b'a'..=b'z' | b'0'..=b'9') => {}
        Some(_) => return fault("it must begin with a lower-case letter or a digit"),
    }
    if !bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')) {
        return fault("only lower-case letters, digits, '-', '_' and '.' may stand in it");
    }
    if text.len() > LONGEST {
        return fault("it is longer than 64 characters");
    }
    Ok(text.to_owned())
}

impl FromStr for SecretName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fault = |why| Err(NameError { what: "secret", text: text.to_owned(), why });
        let mut bytes = text.bytes();
        match bytes.next() {
            None => return fault("it is empty"),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => {}
            Some(_) => return fault("it must begin with a letter or '_'"),
        }
        if !bytes.all(|b| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_')) {
            return fault("only letters, digits and '_' may stand in it");
        }
        if text.len() > LONGEST {
            return fault("it is longer than 64 characters");
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_value {
    ($name:ty) => {
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}
text_value!(ServerName);
text_value!(GroupName);
text_value!(SecretName);
text_value!(SnapshotName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "0", "github", "my-server_2.x", &"a".repeat(64)] {
            assert_eq!(good.parse::<ServerName>().map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "A", ".hidden", "-x", "a/b", "../x", "a b", "a\u{1b}[31m", "é", &"a".repeat(65)] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad:?}");
        }
        let error = "A".parse::<GroupName>().unwrap_err().to_string();
        assert!(error.starts_with("\"A\" is not a name for a group"), "{error}");
        assert!("before-2".parse::<SnapshotName>().is_ok() && "before.2".parse::<SnapshotName>().is_err());
        for bad in ["", "1A", "A-B", "A=B", "A B"] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_shows_no_terminal_escape() {
        let error = "\u{1b}]0;owned\u{7}".parse::<ServerName>().unwrap_err().to_string();
        assert!(!error.contains('\u{1b}') && !error.contains('\u{7}'), "{error:?}");
    }
}
