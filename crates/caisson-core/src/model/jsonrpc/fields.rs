//! Reads an envelope's fields by their exact names. A second field that some JSON reader would take for the
//! same one is refused: Go's standard reader ignores case and lets the last one win, so what Caisson decides
//! on and what the server acts on would differ.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::Envelope;

const KNOWN: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// Whether a careless reader would take `key` for `name`, though it is another: the case differs, also by the
/// two letters beyond ASCII whose other case lies within.
pub fn passes_for(key: &str, name: &str) -> bool {
    let plain = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key != name && key.chars().map(plain).eq(name.chars().map(plain))
}

/// Whether some reader of `object` may take another of its fields for `name` than Caisson does: one that passes for
/// it, or one of several that are called so.
pub fn is_mistakable(object: &RawValue, name: &str) -> bool {
    let mut fields = serde_json::Deserializer::from_str(object.get());
    fields.deserialize_map(Mistakable(name)).unwrap_or(false)
}

struct Mistakable<'n>(&'n str);

impl<'de> Visitor<'de> for Mistakable<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let (mut named, mut passing) = (0, false);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            named += usize::from(key == self.0);
            passing |= passes_for(&key, self.0);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(passing || named > 1)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text, likewise; none for null.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for Fields<'a> {
    type Value = Envelope<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'a>, A::Error> {
        let (mut jsonrpc, mut id, mut method) = (None, None, None);
        let (mut params, mut result, mut error) = (None, None::<&'de RawValue>, None);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            match &*key {
                "jsonrpc" => once(&mut jsonrpc, map.next_value::<Text<'de>>()?.0, "jsonrpc")?,
                "id" => once(&mut id, map.next_value()?, "id")?,
                "method" => once(&mut method, map.next_value::<Text<'de>>()?.0, "method")?,
                "params" => once(&mut params, map.next_value()?, "params")?,
                "result" => once(&mut result, map.next_value()?, "result")?,
                "error" => once(&mut error, map.next_value()?, "error")?,
                other => {
                    if let Some(known) = KNOWN.iter().find(|known| passes_for(other, known)) {
                        return Err(A::Error::custom(format_args!("a field may be taken for `{known}`")));
                    }
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let (method, error) = (method.flatten(), error.flatten());
        // A result may be null, but beside something else that is a field left empty.
        let result = result.filter(|result| result.get() != "null" || (method.is_none() && error.is_none()));
        Ok(Envelope {
            jsonrpc: jsonrpc.flatten(),
            id: id.flatten(),
            method,
            params: params.flatten(),
            result,
            error,
        })
    }
}

fn once<T, E: Error>(field: &mut Option<T>, value: T, name: &'static str) -> Result<(), E> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}
