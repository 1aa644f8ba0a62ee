//! What a rule asks of a call's arguments.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::{
    arguments::{Arguments, Found},
    path,
    pattern::AnyOf,
};
use crate::model::HostRule;

/// Whether something is so. What is unclear counts against the call: it does not match a rule that allows, and matches
/// one that asks or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Is {
    No,
    Unclear,
    Yes,
}

/// One thing asked of the arguments: what stands `at` a place passes every test that is written here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(super) struct Condition {
    written: Written,
    steps: Vec<String>,
}

/// A condition as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Where, as a JSON Pointer (RFC 6901). `*` as a step stands for each item.
    at: String,
    /// Whether anything stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<bool>,
    /// It is this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    is: Option<Value>,
    /// It is a text of this pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<AnyOf>,
    /// It is a path to this folder, or to something in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<String>,
    /// It is a URL, or a host, that this rule names: `api.example.com`, `*.example.com`, `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<HostRule>,
    /// It is a number, and at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least: Option<Number>,
    /// It is a number, and at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<Number>,
}

/// Why something written is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConditionError {
    #[error("`at` is a JSON Pointer and begins with a slash, as in \"/path\" or \"/files/*/name\"")]
    Pointer,
    #[error("a condition says what must stand there: present, is, like, below, host, at_least or at_most")]
    Nothing,
    #[error("`below` is an absolute path without `..`, as in \"/workspace/output\"")]
    Folder,
}

impl TryFrom<Written> for Condition {
    type Error = ConditionError;

    fn try_from(written: Written) -> Result<Self, ConditionError> {
        let Written { at, present, is, like, below, host, at_least, at_most } = &written;
        let steps = at.strip_prefix('/').ok_or(ConditionError::Pointer)?;
        let steps = steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let says = present.is_some()
            || is.is_some()
            || like.as_ref().is_some_and(|like| !like.is_empty())
            || below.is_some()
            || host.is_some()
            || at_least.is_some()
            || at_most.is_some();
        if !says {
            return Err(ConditionError::Nothing);
        }
        if below.as_ref().is_some_and(|below| path::resolve(below).as_deref() != Some(below)) {
            return Err(ConditionError::Folder);
        }
        Ok(Self { written, steps })
    }
}

impl From<Condition> for Written {
    fn from(condition: Condition) -> Self {
        condition.written
    }
}

impl Condition {
    /// Whether the arguments are what it asks. Where several values stand, all have to be, to be sure.
    pub(super) fn test(&self, arguments: &Arguments) -> Is {
        let Found::Values(values) = arguments.at(&self.steps) else { return Is::Unclear };
        if let Some(present) = self.written.present
            && present == values.is_empty()
        {
            return Is::No;
        }
        let tests = values.iter().map(|value| self.written.of(value));
        match (tests.clone().min(), tests.max()) {
            (None, _) => Is::when(self.written.present == Some(false)),
            (Some(least), Some(most)) if least != most => Is::Unclear,
            (Some(same), _) => same,
        }
    }
}

impl Written {
    fn of(&self, value: &Value) -> Is {
        let number = |bound: &Number| bound.as_f64().zip(value.as_f64());
        let tests = [
            self.is.as_ref().map(|is| Is::when(is == value)),
            self.like.as_ref().map(|like| Is::when(value.as_str().is_some_and(|text| like.matches(text)))),
            self.below.as_ref().map(|folder| below(value, folder)),
            self.host.as_ref().map(|rule| host(value, rule)),
            self.at_least
                .as_ref()
                .map(|least| Is::when(number(least).is_some_and(|(least, it)| it >= least))),
            self.at_most.as_ref().map(|most| Is::when(number(most).is_some_and(|(most, it)| it <= most))),
        ];
        tests.into_iter().flatten().min().unwrap_or(Is::Yes)
    }
}

impl Is {
    pub(super) fn when(condition: bool) -> Self {
        if condition { Self::Yes } else { Self::No }
    }
}

/// A path that is not absolute leads wherever the server begins to look.
fn below(value: &Value, folder: &str) -> Is {
    let Some(text) = value.as_str() else { return Is::Unclear };
    path::resolve(text).map_or(Is::Unclear, |path| Is::when(path::is_below(&path, folder)))
}

fn host(value: &Value, rule: &HostRule) -> Is {
    let Some(text) = value.as_str() else { return Is::Unclear };
    // Blanks and backslashes are what readers of URLs differ on most.
    if text.chars().any(|letter| letter.is_whitespace() || letter.is_control() || letter == '\\') {
        return Is::Unclear;
    }
    let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    match url::Url::parse(&url) {
        Ok(url) if url.username().is_empty() && url.password().is_none() => {
            let host = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
            match host.zip(url.port_or_known_default()) {
                Some((host, port)) => Is::when(rule.matches(host, port)),
                None => Is::Unclear,
            }
        }
        Ok(_) | Err(_) => Is::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, value::to_raw_value};

    fn test(condition: &str, arguments: &Value) -> Is {
        let condition: Condition = toml::from_str(condition).unwrap();
        condition.test(&Arguments::read(Some(&to_raw_value(arguments).unwrap())).unwrap())
    }

    #[test]
    fn conditions() {
        let path = r#"{"at": "/path"}"#;
        assert!(serde_json::from_str::<Condition>(path).unwrap_err().to_string().contains("what must stand"));
        let below = "at = '/path'\nbelow = '/workspace/output'";
        let host = "at = '/url'\nhost = '*.example.com'";
        let each = "at = '/files/*/name'\nlike = ['a*', 'b']";
        for (condition, arguments, expected) in [
            (below, json!({"path": "/workspace/output/a/../b"}), Is::Yes),
            (below, json!({"path": "/workspace/output"}), Is::Yes),
            (below, json!({"path": "/workspace/output/../input"}), Is::No),
            (below, json!({"path": "/workspace/outputs"}), Is::No),
            (below, json!({"path": "a"}), Is::Unclear),
            (below, json!({"path": 1}), Is::Unclear),
            (below, json!({"path": "file:///workspace/output/x"}), Is::Unclear),
            (below, json!({"Path": "/etc", "path": "/workspace/output"}), Is::Unclear),
            (below, json!({}), Is::No),
            (host, json!({"url": "https://api.example.com/x"}), Is::Yes),
            (host, json!({"url": "api.example.com:443"}), Is::Yes),
            (host, json!({"url": "https://evil.test/?x=api.example.com"}), Is::No),
            (host, json!({"url": "https://api.example.com@evil.test/"}), Is::Unclear),
            (host, json!({"url": "https://evil.test\\.example.com/"}), Is::Unclear),
            (each, json!({"files": [{"name": "ax"}, {"name": "b"}]}), Is::Yes),
            (each, json!({"files": [{"name": "ax"}, {"name": "c"}]}), Is::Unclear),
            (each, json!({"files": [{"name": "c"}]}), Is::No),
            (each, json!({"files": []}), Is::No),
            ("at = '/n'\nat_most = 10", json!({"n": 10}), Is::Yes),
            ("at = '/n'\nat_most = 10", json!({"n": 10.5}), Is::No),
            ("at = '/n'\nat_least = 1\nat_most = 10", json!({"n": 0}), Is::No),
            ("at = '/n'\nat_most = 10", json!({"n": "1"}), Is::No),
            ("at = '/x'\nis = true", json!({"x": true}), Is::Yes),
            ("at = '/x'\npresent = false", json!({"x": 1}), Is::No),
            ("at = '/x'\npresent = false", json!({}), Is::Yes),
            ("at = '/x'\npresent = true", json!({"x": null}), Is::Yes),
        ] {
            assert_eq!(test(condition, &arguments), expected, "{condition} {arguments}");
        }
        for wrong in ["at = 'path'\nis = 1", "at = '/p'\nbelow = 'x'", "at = '/p'\nbelow = '/x/..'"] {
            assert!(toml::from_str::<Condition>(wrong).is_err(), "{wrong}");
        }
    }
}
