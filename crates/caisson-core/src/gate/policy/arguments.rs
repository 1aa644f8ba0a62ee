//! A call's arguments, read so that no two readers can understand them differently.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use crate::model::passes_for;

/// A call's arguments. In none of their objects a name stands twice: readers differ on which of the two counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments(Value);

/// What stands at a place among the arguments.
pub(super) enum Found<'a> {
    /// These values; none when nothing stands there.
    Values(Vec<&'a Value>),
    /// A careless server may take something else for it.
    Mistakable,
}

impl Arguments {
    /// Reads `params.arguments` of a call; those of one that has none are null.
    ///
    /// # Errors
    /// When a name stands twice in an object, or it is no JSON.
    pub fn read(arguments: Option<&RawValue>) -> Result<Self, serde_json::Error> {
        let Some(arguments) = arguments else { return Ok(Self::default()) };
        let mut reader = serde_json::Deserializer::from_str(arguments.get());
        let Once(value) = Once::deserialize(&mut reader)?;
        reader.end()?;
        Ok(Self(value))
    }

    /// As a value.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// What stands at `pointer` (RFC 6901), in which `*` stands for each item of a list or field of an object.
    pub(super) fn at(&self, pointer: &[String]) -> Found<'_> {
        let mut values = vec![&self.0];
        for step in pointer {
            let mut next = Vec::new();
            for value in values {
                match value {
                    Value::Array(items) if step == "*" => next.extend(items),
                    Value::Object(fields) if step == "*" => next.extend(fields.values()),
                    Value::Array(items) => next.extend(step.parse().ok().and_then(|at: usize| items.get(at))),
                    Value::Object(fields) => {
                        if fields.keys().any(|key| passes_for(key, step)) {
                            return Found::Mistakable;
                        }
                        next.extend(fields.get(step));
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
                }
            }
            values = next;
        }
        Found::Values(values)
    }
}

/// A value in whose objects no name stands twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Once(value))) = fields.next_entry::<String, _>()? {
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("a name stands twice in an object"));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Arguments, serde_json::Error> {
        Arguments::read(Some(&RawValue::from_string(json.to_owned()).unwrap()))
    }

    fn at(json: &str, pointer: &str) -> Option<Vec<Value>> {
        let steps: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
        match read(json).unwrap().at(&steps) {
            Found::Values(values) => Some(values.into_iter().cloned().collect()),
            Found::Mistakable => None,
        }
    }

    #[test]
    fn a_name_stands_once() {
        for twice in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert!(read(twice).unwrap_err().to_string().contains("twice"), "{twice}");
        }
        let plain = r#"{"a":[1,-2,0.5,"x",true,null,{"a":18446744073709551615}]}"#;
        assert_eq!(read(plain).unwrap().value(), &serde_json::from_str::<Value>(plain).unwrap());
        assert_eq!(Arguments::read(None).unwrap().value(), &Value::Null);
    }

    #[test]
    fn places() {
        let json = r#"{"a":{"b":[{"c":1},{"c":2}]},"x":{"Path":1}}"#;
        assert_eq!(at(json, "/a/b/0/c"), Some(vec![1.into()]));
        assert_eq!(at(json, "/a/b/*/c"), Some(vec![1.into(), 2.into()]));
        assert_eq!(at(json, "/a/*/1/c"), Some(vec![2.into()]));
        assert_eq!(at(json, "/a/z"), Some(vec![]));
        assert_eq!(at(json, "/x/path"), None);
    }
}
