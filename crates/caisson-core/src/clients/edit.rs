//! Changes JSON with comments as a person would: the lines concerned, and no others.

use std::collections::{BTreeMap, BTreeSet};

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstObject, CstRootNode},
};
use serde_json::Value;

use crate::model::Endpoint;

/// An entry as it is written: keys in the order people expect.
pub(super) type Entry = Vec<(String, CstInputValue)>;

/// Why a client's file cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not JSON.
    #[error("it is broken in line {line}, column {column}: {message}. Correct it and try again")]
    Broken {
        /// The line, from 1.
        line: usize,
        /// The character in it, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Something in it is not the object it must be.
    #[error("{0} is not an object in braces. Correct it and try again")]
    NotAnObject(String),
    /// A key stands in it twice, and programs differ in which one counts.
    #[error("\"{0}\" stands in it twice. Remove one and try again")]
    Twice(String),
    /// The parser would not give back the same text.
    #[error(
        "it is written in a way that cannot be changed safely. Add the servers by hand: `caisson token issue` gives address and token"
    )]
    Unfaithful,
}

/// The entries under `key`; none when the text or the key is empty or missing.
pub(super) fn entries(text: &str, key: &str) -> Result<BTreeMap<String, Value>, Fault> {
    let root = parse(text)?;
    let Some(servers) = find(&root, key)? else { return Ok(BTreeMap::new()) };
    let mut entries = BTreeMap::new();
    for property in servers.properties() {
        let name = property.decoded_name().unwrap_or_default();
        let value = property.to_serde_value().unwrap_or_default();
        if entries.insert(name.clone(), value).is_some() {
            return Err(Fault::Twice(shown(&name)));
        }
    }
    Ok(entries)
}

/// `text` with these entries under `key`. In one that is there already, only what differs is changed.
pub(super) fn put(text: &str, key: &str, wanted: &[(Endpoint, Entry)]) -> Result<String, Fault> {
    let root = parse(text)?;
    find(&root, key)?;
    let object = root.object_value_or_create().ok_or_else(not_an_object)?;
    let servers = object.object_value_or_create(key).ok_or_else(|| Fault::NotAnObject(quoted(key)))?;
    for (server, entry) in wanted {
        match servers.get(server.name()) {
            None => drop(servers.append(server.name(), CstInputValue::Object(entry.clone()))),
            Some(property) => match property.object_value() {
                Some(found) => update(&found, entry),
                None => property.set_value(CstInputValue::Object(entry.clone())),
            },
        }
    }
    Ok(root.to_string())
}

/// `text` without these entries under `key`.
pub(super) fn take(text: &str, key: &str, gone: &BTreeSet<Endpoint>) -> Result<String, Fault> {
    let root = parse(text)?;
    if let Some(servers) = find(&root, key)? {
        for server in gone {
            if let Some(property) = servers.get(server.name()) {
                property.remove();
            }
        }
    }
    Ok(root.to_string())
}

fn parse(text: &str) -> Result<CstRootNode, Fault> {
    // Comments and trailing commas, as editors take them; nothing looser, which clients would not read.
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let root = CstRootNode::parse(text, &options).map_err(|error| Fault::Broken {
        line: error.line_display(),
        column: error.column_display(),
        message: shown(&error.kind().to_string().to_lowercase()),
    })?;
    if root.to_string() == text { Ok(root) } else { Err(Fault::Unfaithful) }
}

/// The object under `key`, if there is one.
fn find(root: &CstRootNode, key: &str) -> Result<Option<CstObject>, Fault> {
    if root.value().is_none() {
        return Ok(None);
    }
    let object = root.object_value().ok_or_else(not_an_object)?;
    let mut found = object.properties().into_iter().filter(|p| p.decoded_name().as_deref() == Some(key));
    let Some(property) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(Fault::Twice(shown(key)));
    }
    property.object_value().map(Some).ok_or_else(|| Fault::NotAnObject(quoted(key)))
}

/// What the user added to our entry, such as `"disabled": true`, stays.
fn update(found: &CstObject, wanted: &Entry) {
    for (key, value) in wanted {
        match (found.get(key), value) {
            (None, _) => drop(found.append(key, value.clone())),
            (Some(property), CstInputValue::Object(inner)) if property.object_value().is_some() => {
                if let Some(object) = property.object_value() {
                    update(&object, inner);
                }
            }
            (Some(property), _) => {
                if property.to_serde_value().as_ref() != Some(&plain(value)) {
                    property.set_value(value.clone());
                }
            }
        }
    }
}

/// The value as other programs would read it.
pub(super) fn plain(value: &CstInputValue) -> Value {
    match value {
        CstInputValue::Null => Value::Null,
        CstInputValue::Bool(value) => Value::Bool(*value),
        CstInputValue::Number(text) => text.parse().map_or(Value::Null, Value::Number),
        CstInputValue::String(text) => Value::String(text.clone()),
        CstInputValue::Array(values) => Value::Array(values.iter().map(plain).collect()),
        CstInputValue::Object(values) => {
            Value::Object(values.iter().map(|(key, value)| (key.clone(), plain(value))).collect())
        }
    }
}

fn not_an_object() -> Fault {
    Fault::NotAnObject("it".into())
}

fn quoted(key: &str) -> String {
    format!("\"{key}\" in it")
}

/// Text from the file, safe and short enough to show.
fn shown(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
