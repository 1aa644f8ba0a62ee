//! Arguments that a call repeats in headers, `Mcp-Param-*`, because the tool's input schema asks for it with
//! `x-mcp-header` (MCP 2026-07-28, "Custom Headers from Tool Parameters"). A header and its argument are there
//! together and say the same, or are both absent.

use std::{borrow::Cow, collections::HashMap};

use hyper::{HeaderMap, header::HeaderName};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::header::{decoded, differs, one};
use crate::bridge::refusal::Refusal;

/// What marks a property in a schema.
const MARK: &str = "x-mcp-header";

/// Keywords of JSON Schema 2020-12 whose value is a schema.
const SCHEMA: [&str; 11] = [
    "items",
    "contains",
    "unevaluatedItems",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
];
/// Those whose value is a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Those whose value is an object of schemas.
const NAMED: [&str; 4] = ["patternProperties", "dependentSchemas", "$defs", "definitions"];

/// An argument that is repeated in a header.
struct Repeated<'s> {
    header: &'s str,
    /// The properties that lead to it.
    path: Vec<&'s str>,
    is_integer: bool,
}

/// Whether the headers say what the arguments say, where `schema` asks for it. A schema that asks in a way it
/// must not asks for nothing: clients do not offer its tool.
pub(super) fn check(schema: &str, arguments: Option<&RawValue>, headers: &HeaderMap) -> Result<(), Refusal> {
    // Few schemas ask, and a search is cheaper than reading them. An escape may hide the mark.
    if !schema.contains(MARK) && !schema.contains('\\') {
        return Ok(());
    }
    let schema = serde_json::from_str(schema).unwrap_or_default();
    for repeated in repeated(&schema).unwrap_or_default() {
        repeated.check(arguments, headers)?;
    }
    Ok(())
}

/// The arguments that a schema wants repeated; none when it asks in a way it must not.
fn repeated(schema: &Value) -> Option<Vec<Repeated<'_>>> {
    let mut found = Vec::new();
    walk(schema, Some(Vec::new()), &mut found)?;
    Some(found)
}

/// Looks at a schema and those within it. `path` leads here by `properties` alone; none when something else
/// does, where no mark may stand.
fn walk<'s>(schema: &'s Value, path: Option<Vec<&'s str>>, found: &mut Vec<Repeated<'s>>) -> Option<()> {
    let Value::Object(keywords) = schema else { return Some(()) };
    if let Some(mark) = keywords.get(MARK) {
        found.push(marked(mark, keywords, path.clone()?, found)?);
    }
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    let path = path.as_ref().map(|path| [path, &[name.as_str()][..]].concat());
                    walk(property, path, found)?;
                }
            }
            (keyword, schema) if SCHEMA.contains(&keyword) => walk(schema, None, found)?,
            (keyword, Value::Array(schemas)) if LIST.contains(&keyword) => {
                schemas.iter().try_for_each(|schema| walk(schema, None, found))?;
            }
            (keyword, Value::Object(schemas)) if NAMED.contains(&keyword) => {
                schemas.values().try_for_each(|schema| walk(schema, None, found))?;
            }
            _ => {}
        }
    }
    Some(())
}

/// What a mark asks for; none when it must not stand there.
fn marked<'s>(
    mark: &'s Value,
    keywords: &'s Map<String, Value>,
    path: Vec<&'s str>,
    others: &[Repeated<'_>],
) -> Option<Repeated<'s>> {
    let header = mark.as_str().filter(|header| !header.is_empty() && header.bytes().all(is_token))?;
    let kind = keywords.get("type")?.as_str()?;
    let is_new = !others.iter().any(|other| other.header.eq_ignore_ascii_case(header));
    let may = !path.is_empty() && is_new && matches!(kind, "string" | "integer" | "boolean");
    may.then(|| Repeated { header, path, is_integer: kind == "integer" })
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Repeated<'_> {
    fn check(&self, arguments: Option<&RawValue>, headers: &HeaderMap) -> Result<(), Refusal> {
        let shown = format!("Mcp-Param-{}", self.header);
        // A token with this before it is a header's name.
        let Ok(name) = HeaderName::try_from(&shown) else { return Ok(()) };
        let header = one(headers, &name, &shown)?;
        match (header, self.argument(arguments)) {
            (None, None) => Ok(()),
            (Some(_), None) => Err(differs(&shown, "says what no argument says")),
            (None, Some(_)) => Err(differs(&shown, "is missing")),
            (Some(header), Some(argument)) => {
                let header = decoded(header).ok_or_else(|| differs(&shown, "has base64 that is none"))?;
                let same = header == argument
                    || self.is_integer
                        && integer(&header).is_some_and(|own| integer(&written_out(&argument)) == Some(own));
                if same { Ok(()) } else { Err(differs(&shown, "does not say what the argument says")) }
            }
        }
    }

    /// The argument, as a header would say it; none when it is absent, or nothing a header says.
    fn argument<'a>(&self, arguments: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
        let value = self.path.iter().try_fold(arguments?, |value, key| {
            let mut members: HashMap<Key<'a>, &'a RawValue> = serde_json::from_str(value.get()).ok()?;
            members.remove(*key)
        })?;
        match value.get() {
            "null" => None,
            text if text.starts_with('"') => serde_json::from_str(text).ok().map(|Key(text)| text),
            nested if nested.starts_with(['{', '[']) => None,
            plain => Some(Cow::Borrowed(plain)),
        }
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::borrow::Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A number of JSON without its exponent, as far as a double holds it exactly.
fn written_out(number: &str) -> Cow<'_, str> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let exponent = number.contains(['e', 'E']).then(|| number.parse::<f64>().ok()).flatten();
    match exponent {
        Some(value) if value.abs() < EXACT => Cow::Owned(value.to_string()),
        Some(_) | None => Cow::Borrowed(number),
    }
}

/// The integer that a number is, as its sign and digits, however large: 42, 42.0 and 042 are the same.
fn integer(number: &str) -> Option<(bool, &str)> {
    let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_integer = !whole.is_empty()
        && whole.bytes().all(|digit| digit.is_ascii_digit())
        && !fraction.is_empty()
        && fraction.bytes().all(|digit| digit == b'0');
    let digits = whole.trim_start_matches('0');
    is_integer.then_some((is_negative && !digits.is_empty(), digits))
}

#[cfg(test)]
mod tests;
