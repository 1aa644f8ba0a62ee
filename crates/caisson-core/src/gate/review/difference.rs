//! What is different between two things a server says, word by word.

use std::collections::BTreeMap;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::model::{Change, MemberChange, Words};

/// What of `now` is different from `before`, both JSON: one member after the other. Where there was nothing before, all of
/// it has come.
pub(super) fn changes(before: Option<&str>, now: &str) -> Vec<MemberChange> {
    let (before, now) = (before.map(members).unwrap_or_default(), members(now));
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let text =
        |members: &BTreeMap<String, String>, name: &String| members.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| (name, text(&before, name), text(&now, name)))
        .filter(|(_, before, now)| before != now)
        .map(|(name, before, now)| MemberChange { member: name.clone(), words: words(&before, &now) })
        .collect()
}

/// The members of an object, as texts for reading. What is no object is one member.
fn members(said: &str) -> BTreeMap<String, String> {
    match serde_json::from_str(said) {
        Ok(Value::Object(members)) => members.into_iter().map(|(name, value)| (name, text(&value))).collect(),
        Ok(other) => [("text".to_owned(), text(&other))].into(),
        Err(_) => [("text".to_owned(), said.to_owned())].into(),
    }
}

fn text(value: &Value) -> String {
    // A value can always be written.
    value.as_str().map_or_else(|| serde_json::to_string_pretty(value).unwrap_or_default(), str::to_owned)
}

fn words(before: &str, now: &str) -> Vec<Words> {
    let mut all: Vec<Words> = Vec::new();
    for piece in TextDiff::from_words(before, now).iter_all_changes() {
        let change = match piece.tag() {
            ChangeTag::Equal => Change::Same,
            ChangeTag::Delete => Change::Gone,
            ChangeTag::Insert => Change::Come,
        };
        match all.last_mut() {
            Some(last) if last.change == change => last.text.push_str(piece.value()),
            Some(_) | None => all.push(Words { change, text: piece.value().to_owned() }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: Option<&str>, now: &str) -> Vec<String> {
        let word = |words: &Words| match words.change {
            Change::Same => words.text.clone(),
            Change::Gone => format!("[-{}-]", words.text),
            Change::Come => format!("{{+{}+}}", words.text),
        };
        let change = |change: &MemberChange| {
            format!("{}: {}", change.member, change.words.iter().map(word).collect::<String>())
        };
        changes(before, now).iter().map(change).collect()
    }

    #[test]
    fn only_what_is_different_is_shown() {
        assert_eq!(
            shown(
                Some(r#"{"name":"add","description":"Adds two numbers.","x":1}"#),
                r#"{"x":1,"name":"add","description":"Adds three numbers.","annotations":{"readOnlyHint":true}}"#
            ),
            [
                "annotations: {+{\n  \"readOnlyHint\": true\n}+}",
                "description: Adds [-two-]{+three+} numbers.",
            ]
        );
        assert_eq!(shown(Some(r#""Be kind.""#), r#""Be quick.""#), ["text: Be [-kind.-]{+quick.+}"]);
        assert_eq!(shown(None, r#"{"name":"a"}"#), ["name: {+a+}"]);
        assert!(shown(Some(r#"{"a":1}"#), r#"{ "a": 1 }"#).is_empty());
    }
}
