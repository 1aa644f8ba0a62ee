//! Changes single fields of a message and leaves every other byte as it came: what Caisson does not know
//! crosses unchanged, in its order and its spelling.

use std::{collections::HashMap, ops::Range};

use serde::Deserialize;
use serde_json::value::RawValue;

/// An object's members, each value unread. A key that comes twice counts where it comes last, as most readers
/// have it.
#[derive(Deserialize)]
struct Members<'a>(#[serde(borrow)] HashMap<std::borrow::Cow<'a, str>, &'a RawValue>);

/// A message, and the changes to be made to it.
#[derive(Debug)]
pub struct Splice<'a> {
    message: &'a str,
    changes: Vec<(Range<usize>, String)>,
}

impl<'a> Splice<'a> {
    /// Begins with `message`, which is a JSON object. None when it is not text.
    pub fn of(message: &'a [u8]) -> Option<Self> {
        let message = std::str::from_utf8(message).ok()?.trim_matches(|c: char| c.is_ascii_whitespace());
        message.starts_with('{').then(|| Self { message, changes: Vec::new() })
    }

    /// The value at a path of object keys, as it stands in the message that was begun with.
    pub fn get(&self, path: &[&str]) -> Option<&'a RawValue> {
        let mut value: &'a str = self.message;
        let mut found = None;
        for key in path {
            let Members(members) = serde_json::from_str(value).ok()?;
            let member: &'a RawValue = members.get(*key).copied()?;
            value = member.get();
            found = Some(member);
        }
        found
    }

    /// Puts `json` at a path of object keys: in place of what stands there, or as a last member. Objects on the
    /// way that are missing are made. Of changes that overlap, the outcome is not JSON: change each place once.
    pub fn set(&mut self, path: &[&str], json: &str) {
        let mut object = self.message;
        for (depth, key) in path.iter().enumerate() {
            let member = serde_json::from_str::<Members<'a>>(object).ok();
            let member = member.and_then(|Members(members)| members.get(*key).copied());
            match member {
                Some(found) if depth + 1 < path.len() && found.get().starts_with('{') => object = found.get(),
                Some(found) => {
                    let value = nest(&path[depth + 1..], json);
                    self.changes.push((self.range(found.get()), value));
                    return;
                }
                None => {
                    let end = self.range(object).end - 1;
                    let is_empty = object[1..object.len() - 1].trim().is_empty();
                    let comma = if is_empty { "" } else { "," };
                    let key = serde_json::Value::from(*key);
                    let value = nest(&path[depth + 1..], json);
                    self.changes.push((end..end, format!("{comma}{key}:{value}")));
                    return;
                }
            }
        }
    }

    /// Puts members into the object at `path`, each as [`Self::set`] does. A missing object is made with all of
    /// them.
    pub fn merge(&mut self, path: &[&str], members: &[(&str, &str)]) {
        if self.get(path).is_some_and(|object| object.get().starts_with('{')) {
            for (key, json) in members {
                self.set(&[path, &[*key]].concat(), json);
            }
        } else {
            let members: Vec<String> = members
                .iter()
                .map(|(key, json)| format!("{}:{json}", serde_json::Value::from(*key)))
                .collect();
            self.set(path, &format!("{{{}}}", members.join(",")));
        }
    }

    /// The changed message.
    pub fn done(mut self) -> Vec<u8> {
        // Stable: members added to one object stay in their order.
        self.changes.sort_by_key(|(range, _)| range.start);
        let added: usize = self.changes.iter().map(|(_, json)| json.len()).sum();
        let mut message = Vec::with_capacity(self.message.len() + added);
        let mut rest = 0;
        let mut last_insert = None;
        for (range, json) in self.changes {
            message.extend_from_slice(&self.message.as_bytes()[rest.min(range.start)..range.start]);
            // Two members added to one object that was empty need a comma between them.
            let follows = range.is_empty() && last_insert == Some(range.start);
            if follows && !json.starts_with(',') {
                message.push(b',');
            }
            last_insert = range.is_empty().then_some(range.start);
            message.extend_from_slice(json.as_bytes());
            rest = range.end;
        }
        message.extend_from_slice(&self.message.as_bytes()[rest..]);
        message
    }

    /// Where a part of the message stands in it. `part` is borrowed from the message.
    fn range(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr() as usize - self.message.as_ptr() as usize;
        start..start + part.len()
    }
}

/// `json` within an object for each key of `path`.
fn nest(path: &[&str], json: &str) -> String {
    path.iter()
        .rev()
        .fold(json.to_owned(), |inner, key| format!("{{{}:{inner}}}", serde_json::Value::from(*key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(message: &str, changes: &[(&[&str], &str)]) -> String {
        let mut splice = Splice::of(message.as_bytes()).unwrap();
        for (path, json) in changes {
            splice.set(path, json);
        }
        String::from_utf8(splice.done()).unwrap()
    }

    #[test]
    fn only_what_is_named_changes() {
        let message =
            r#" {"id" : 1 ,"params":{ "_meta" :{"progressToken":"t","x":1e400}, "y" : [ {"id":9} ]} } "#;
        assert_eq!(
            spliced(message, &[(&["params", "_meta", "progressToken"], "7"), (&["id"], "7")]),
            r#"{"id" : 7 ,"params":{ "_meta" :{"progressToken":7,"x":1e400}, "y" : [ {"id":9} ]} }"#,
        );
    }

    #[test]
    fn what_is_missing_is_made() {
        assert_eq!(spliced("{}", &[(&["a", "b"], "1")]), r#"{"a":{"b":1}}"#);
        assert_eq!(spliced("{ }", &[(&["a"], "1"), (&["b"], "2")]), r#"{ "a":1,"b":2}"#);
        assert_eq!(
            spliced(r#"{"m":1,"p":{}}"#, &[(&["p", "a"], "1"), (&["p", "b"], "2"), (&["z"], "3")]),
            r#"{"m":1,"p":{"a":1,"b":2},"z":3}"#,
        );
        assert_eq!(spliced(r#"{"p":null}"#, &[(&["p", "a"], "1")]), r#"{"p":{"a":1}}"#);
        assert_eq!(spliced(r#"{"p":{"q\"":2}}"#, &[(&["p", "q\""], "1")]), r#"{"p":{"q\"":1}}"#);
    }

    #[test]
    fn members_are_merged() {
        let merged = |message: &str| {
            let mut splice = Splice::of(message.as_bytes()).unwrap();
            splice.merge(&["params", "_meta"], &[("a", "1"), ("b", "2")]);
            String::from_utf8(splice.done()).unwrap()
        };
        assert_eq!(merged(r#"{"id":1}"#), r#"{"id":1,"params":{"_meta":{"a":1,"b":2}}}"#);
        assert_eq!(merged(r#"{"params":{"x":0}}"#), r#"{"params":{"x":0,"_meta":{"a":1,"b":2}}}"#);
        assert_eq!(merged(r#"{"params":{"_meta":{"b":0}}}"#), r#"{"params":{"_meta":{"b":2,"a":1}}}"#);
    }

    #[test]
    fn values_are_found() {
        let splice = Splice::of(br#"{"params":{"_meta":{"a/b":[1, 2]}}}"#).unwrap();
        assert_eq!(splice.get(&["params", "_meta", "a/b"]).unwrap().get(), "[1, 2]");
        assert!(splice.get(&["params", "a"]).is_none());
        assert!(Splice::of(b"[]").is_none());
        assert!(Splice::of(b"\xff").is_none());
    }
}
