//! The results that a client of 2025-11-25 cannot read as they come. There a tool's structured content, and its
//! schema, are objects (MCP 2025-11-25, "Tools: Structured Content"); since 2026-07-28 they may be anything.
//! A client that checks would lose the whole result over it, for `tools/list` every tool.
//!
//! Fields that are new, such as `resultType` or `ttlMs`, stay: a client leaves alone what it does not know.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Splice;

/// The schema that every structured content fits which [`call`] lets pass.
const ANY_OBJECT: &str = r#"{"type":"object"}"#;

/// The response to `method`, as a client of 2025-11-25 can read it.
pub(super) fn readable(method: &str, response: Bytes) -> Bytes {
    let changed = match method {
        "tools/call" => call(&response),
        "tools/list" => list(&response),
        _ => None,
    };
    changed.map_or(response, Bytes::from)
}

/// Puts structured content that is no object into one.
fn call(response: &[u8]) -> Option<Vec<u8>> {
    const CONTENT: &[&str] = &["result", "structuredContent"];
    let mut splice = Splice::of(response)?;
    let content = splice.get(CONTENT)?.get();
    if content.starts_with('{') {
        return None;
    }
    splice.set(CONTENT, &format!(r#"{{"result":{content}}}"#));
    Some(splice.done())
}

/// Widens output schemas that are not those of an object.
fn list(response: &[u8]) -> Option<Vec<u8>> {
    const TOOLS: &[&str] = &["result", "tools"];
    let mut splice = Splice::of(response)?;
    let tools: Vec<&RawValue> = serde_json::from_str(splice.get(TOOLS)?.get()).ok()?;
    if !tools.iter().any(|tool| has_other_schema(tool)) {
        return None;
    }
    let tools: Vec<Cow<'_, str>> = tools.into_iter().map(|tool| widened(tool)).collect();
    splice.set(TOOLS, &format!("[{}]", tools.join(",")));
    Some(splice.done())
}

fn has_other_schema(tool: &RawValue) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Tool<'a> {
        #[serde(borrow)]
        output_schema: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    let tool = serde_json::from_str::<Tool<'_>>(tool.get());
    tool.ok().and_then(|tool| tool.output_schema).is_some_and(|schema| {
        let schema = serde_json::from_str::<Schema<'_>>(schema.get());
        schema.ok().and_then(|schema| schema.kind).is_none_or(|kind| kind.get() != "\"object\"")
    })
}

fn widened(tool: &RawValue) -> Cow<'_, str> {
    let Some(mut splice) = Splice::of(tool.get().as_bytes()).filter(|_| has_other_schema(tool)) else {
        return tool.get().into();
    };
    splice.set(&["outputSchema"], ANY_OBJECT);
    String::from_utf8(splice.done()).map_or_else(|_| tool.get().into(), Cow::Owned)
}
