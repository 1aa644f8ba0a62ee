//! Changes a file where the value it says changed, and nowhere else.
//!
//! Three values meet: the text, what it says (`base`), and what it shall say (`target`). Only where the two
//! values differ is the text touched, so comments, order, spacing and spelled-out defaults survive.

use serde::{Serialize, de::DeserializeOwned};
use toml::Value as Plain;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::text::{self, Broken};
use crate::model::Server;

type PlainTable = toml::map::Map<String, Plain>;

/// The file of a server that has none yet, before its values are filled in.
const TEMPLATE: &str = include_str!("template.toml");

/// Why a file could not be rewritten.
#[derive(Debug)]
pub(super) enum RewriteError {
    /// The text that is there is broken.
    Broken(Broken),
    /// There is a value that no TOML file can hold, such as a path that is no Unicode.
    Unwritable(String),
}

impl From<Broken> for RewriteError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// A new file for `server`, with comments that explain it.
pub(super) fn fresh(server: &Server) -> Result<String, RewriteError> {
    rewrite(TEMPLATE, server)
}

/// `text`, changed so that it says `target`.
pub(super) fn rewrite<T>(text: &str, target: &T) -> Result<String, RewriteError>
where
    T: Serialize + DeserializeOwned + PartialEq,
{
    let said: T = text::parse(text)?;
    if said == *target {
        return Ok(text.to_owned());
    }
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        Broken::new(text, error.span().map_or(0, |span| span.start), error.message())
    })?;
    merge(document.as_table_mut(), &plain(&said)?, &plain(target)?, Place::Root)?;
    let rewritten = document.to_string();
    match text::parse::<T>(&rewritten) {
        Ok(says) if says == *target => Ok(rewritten),
        Ok(_) | Err(_) => Err(unwritable("the file would not say what it should")),
    }
}

fn unwritable(why: impl ToString) -> RewriteError {
    RewriteError::Unwritable(why.to_string())
}

fn plain(value: &impl Serialize) -> Result<PlainTable, RewriteError> {
    PlainTable::try_from(value).map_err(unwritable)
}

/// Where a table stands: at the root new tables get a `[header]`, deeper ones are written inline.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Inside,
}

fn merge(
    document: &mut dyn TableLike,
    base: &PlainTable,
    target: &PlainTable,
    place: Place,
) -> Result<(), RewriteError> {
    for key in base.keys().filter(|key| !target.contains_key(*key)) {
        document.remove(key);
    }
    for (key, wanted) in target {
        let said = base.get(key);
        if said == Some(wanted) {
            continue;
        }
        if let (Some(Plain::Table(said)), Plain::Table(wanted)) = (said, wanted) {
            // The text may leave a table out whose defaults apply.
            if document.get(key).is_none() {
                document.insert(key, empty_table(place));
            }
            if let Some(inner) = document.get_mut(key).and_then(Item::as_table_like_mut) {
                merge(inner, said, wanted, Place::Inside)?;
                continue;
            }
        }
        if let (Some(Plain::Array(said)), Plain::Array(wanted)) = (said, wanted) {
            match document.get_mut(key) {
                Some(Item::Value(Value::Array(array))) => {
                    merge_array(array, said, wanted)?;
                    continue;
                }
                Some(Item::ArrayOfTables(tables)) => {
                    merge_tables(tables, said, wanted)?;
                    continue;
                }
                Some(_) | None => {}
            }
        }
        set(document, key, wanted, place)?;
    }
    Ok(())
}

/// Puts a value in place of another, with the same space and comment around it, or adds it.
fn set(document: &mut dyn TableLike, key: &str, wanted: &Plain, place: Place) -> Result<(), RewriteError> {
    let mut new = value(wanted)?;
    match document.get_mut(key) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(_) | None => {
            let item = match new {
                Value::InlineTable(inline) if place == Place::Root && flat(&inline) => {
                    Item::Table(inline.into_table())
                }
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_)
                | Value::InlineTable(_) => Item::Value(new),
            };
            document.insert(key, item);
        }
    }
    Ok(())
}

/// Elements that stay keep what stands around them; new ones are written as their neighbours are.
///
/// What follows an element's comma on its line, such as a comment, is in the parser's eyes the beginning of the
/// next element. Here it goes where its own element goes.
fn merge_array(array: &mut Array, said: &[Plain], wanted: &[Plain]) -> Result<(), RewriteError> {
    let befores: Vec<String> =
        array.iter().map(|value| raw(value.decor().prefix())).chain([raw(Some(array.trailing()))]).collect();
    let mut old: Vec<Option<(usize, Value)>> = array.iter().cloned().enumerate().map(Some).collect();
    let last_before = befores.iter().rev().nth(1).map(|before| split(before).1.to_owned());
    let (opening, _) = befores.first().map_or(("", ""), |before| split(before));
    let (_, closing) = befores.last().map_or(("", ""), |before| split(before));
    let mut rest_of_line = opening.to_owned();
    array.clear();
    for element in wanted {
        let (mut new, before, rest) = match stays(said, &mut old, element) {
            Some((index, value)) => {
                let rest = befores.get(index + 1).map_or("", |before| split(before).0);
                (value, split(&befores[index]).1.to_owned(), rest.to_owned())
            }
            None => {
                let space = if array.is_empty() { "" } else { " " };
                let before = last_before.as_deref().map_or(space, indentation);
                (value(element)?, before.to_owned(), String::new())
            }
        };
        // The first and the others of one line differ: `["a", "b"]`.
        let before = if before.contains('\n') {
            before
        } else if array.is_empty() {
            before.trim_start().to_owned()
        } else {
            format!(" {}", before.trim_start())
        };
        new.decor_mut().set_prefix(joined(&rest_of_line, &before));
        rest_of_line = rest;
        array.push_formatted(new);
    }
    array.set_trailing(joined(&rest_of_line, closing));
    Ok(())
}

fn raw(text: Option<&toml_edit::RawString>) -> String {
    text.and_then(|raw| raw.as_str()).unwrap_or("").to_owned()
}

/// What stands before an element: the rest of the line of the one before it, if that is a comment, and the rest.
fn split(before: &str) -> (&str, &str) {
    match before.find('\n') {
        Some(end) if before[..end].contains('#') => before.split_at(end),
        Some(_) | None => ("", before),
    }
}

/// The line break and the space before an element, without comments above it.
fn indentation(before: &str) -> &str {
    before.rfind('\n').map_or(before, |newline| &before[newline..])
}

/// A comment ends at the end of its line and nowhere else.
fn joined(rest_of_line: &str, before: &str) -> String {
    let end = if rest_of_line.contains('#') && !before.contains('\n') { "\n" } else { "" };
    format!("{rest_of_line}{end}{before}")
}

fn merge_tables(tables: &mut ArrayOfTables, said: &[Plain], wanted: &[Plain]) -> Result<(), RewriteError> {
    let mut old: Vec<Option<Table>> = tables.iter().cloned().map(Some).collect();
    tables.clear();
    for element in wanted {
        let table = match stays(said, &mut old, element) {
            Some(table) => table,
            None => match value(element)? {
                Value::InlineTable(inline) => inline.into_table(),
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_) => return Err(unwritable("a list of tables holds tables alone")),
            },
        };
        tables.push(table);
    }
    Ok(())
}

/// Takes, from the elements of the text, the first not yet taken that says `wanted`.
fn stays<T>(said: &[Plain], old: &mut [Option<T>], wanted: &Plain) -> Option<T> {
    said.iter().zip(old).find_map(|(said, slot)| (said == wanted).then(|| slot.take()).flatten())
}

fn value(plain: &Plain) -> Result<Value, RewriteError> {
    plain.serialize(toml_edit::ser::ValueSerializer::new()).map_err(unwritable)
}

fn empty_table(place: Place) -> Item {
    match place {
        Place::Root => Item::Table(Table::new()),
        Place::Inside => Item::Value(Value::InlineTable(InlineTable::new())),
    }
}

fn flat(table: &InlineTable) -> bool {
    table.iter().all(|(_, value)| !value.is_inline_table())
}

#[cfg(test)]
mod tests;
