//! A group that shows two tools in place of all: one finds tools by what they do, the other calls one. For clients whose
//! context is small.

use std::borrow::Cow;

use bm25::{Document, SearchEngineBuilder, Tokenizer};
use rust_stemmers::{Algorithm, Stemmer};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    call,
    front::{Asked, Front, INVALID_PARAMS, Params},
    lists,
};
use crate::{
    model::{Group, Splice},
    sandbox::{Exchange, SandboxError},
};

const FIND: &str = "find_tools";
const CALL: &str = "call_tool";
/// So many tools are found where the client does not say.
const FOUND: usize = 8;
/// So many at the most.
const MOST_FOUND: usize = 50;
/// The longest text that is searched for, in bytes.
const LONGEST_QUERY: usize = 1024;

/// Whether a name is one of the two tools'. A server's are shown with two underscores, these have none.
pub(super) fn is_own(name: Option<&str>) -> bool {
    matches!(name, Some(FIND | CALL))
}

/// Answers `tools/list`.
pub(super) fn list(asked: &Asked) -> Exchange {
    let tools = json!([
        {
            "name": FIND,
            "title": "Find tools",
            "description": "Finds tools by what they do. Returns each with the description and the schema of its \
                arguments. Use it before saying that something cannot be done, then call what it finds with call_tool.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "What the tool should do, in a few words"},
                    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": FOUND},
                },
                "required": ["query"],
            },
            "annotations": {"readOnlyHint": true, "openWorldHint": false},
        },
        {
            "name": CALL,
            "title": "Call a tool",
            "description": "Calls a tool that find_tools has found, and returns what it returns.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "The tool's name, as find_tools gives it"},
                    "arguments": {"type": "object", "description": "Its arguments, as its schema wants them"},
                },
                "required": ["name"],
            },
        },
    ]);
    asked.answered(&lists::private(&json!({"tools": tools}).to_string(), serde_json::Map::new()))
}

/// Calls one of the two.
pub(super) async fn call(
    front: &Front,
    group: &Group,
    asked: Asked,
    params: &Params<'_>,
) -> Result<Exchange, SandboxError> {
    if params.name.as_deref() == Some(FIND) {
        return Ok(find(front, &asked, params).await);
    }
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        arguments: Option<&'a RawValue>,
    }
    let arguments = params.arguments.and_then(|arguments| serde_json::from_str(arguments.get()).ok());
    let Some(Arguments { name, arguments }) = arguments else {
        return Ok(asked.refuse(INVALID_PARAMS, "call_tool wants the name of a tool, and its arguments"));
    };
    let Some(mut splice) = Splice::of(&asked.message) else {
        return Ok(asked.refuse(INVALID_PARAMS, "params must be an object"));
    };
    splice.set(&["params", "name"], &json!(name).to_string());
    splice.set(&["params", "arguments"], arguments.map_or("{}", RawValue::get));
    let asked = Asked { id: asked.id.clone(), message: splice.done().into() };
    let message = asked.message.clone();
    match Params::of(&message) {
        Some(params) => call::by_name(front, group, asked, &params).await,
        None => Ok(asked.refuse(INVALID_PARAMS, "params must be an object")),
    }
}

async fn find(front: &Front, asked: &Asked, params: &Params<'_>) -> Exchange {
    #[derive(Deserialize)]
    struct Arguments {
        query: String,
        limit: Option<usize>,
    }
    let arguments = params.arguments.and_then(|arguments| serde_json::from_str(arguments.get()).ok());
    let Some(Arguments { query, limit }) = arguments else {
        return asked.refuse(INVALID_PARAMS, "find_tools wants a query, a text");
    };
    if query.len() > LONGEST_QUERY {
        return asked.refuse(INVALID_PARAMS, "the query is longer than 1024 bytes");
    }
    let lists = lists::gather(front, "tools/list", "tools", params.meta).await;
    let tools: Vec<Tool> = lists
        .into_iter()
        .flat_map(|said| {
            let tools = said.answer.unwrap_or_default();
            tools.into_iter().filter_map(move |tool| {
                let tool: Tool = serde_json::from_str(tool.get()).ok()?;
                Some(Tool { name: Group::shown(&said.server, &tool.name), ..tool })
            })
        })
        .collect();
    let found = best(&tools, &query, limit.unwrap_or(FOUND).clamp(1, MOST_FOUND));
    let result = json!({"tools": found});
    let text = match found.len() {
        0 => format!("Nothing of the {} tools is like that. Try other words.", tools.len()),
        _ => result.to_string(),
    };
    let content = json!({"content": [{"type": "text", "text": text}], "structuredContent": result});
    asked.answered(&complete(&content))
}

fn complete(result: &Value) -> String {
    let mut result = result.clone();
    result["resultType"] = "complete".into();
    result.to_string()
}

/// A tool, as far as a model needs to know it.
#[derive(serde::Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tool {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    input_schema: Box<RawValue>,
}

/// The tools most like `query`, the best first (BM25).
fn best<'a>(tools: &'a [Tool], query: &str, most: usize) -> Vec<&'a Tool> {
    let documents = tools.iter().enumerate().map(|(id, tool)| Document { id, contents: tool.words() });
    let documents: Vec<Document<usize>> = documents.collect();
    let engine =
        SearchEngineBuilder::<usize, u32, Words>::with_tokenizer_and_documents(Words::new(), documents);
    let found = engine.build().search(query, most);
    found.into_iter().filter_map(|found| tools.get(found.document.id)).collect()
}

impl Tool {
    /// What it is found by: its name twice, which tells most, what it says it does, and its arguments.
    fn words(&self) -> String {
        let schema: Value = serde_json::from_str(self.input_schema.get()).unwrap_or_default();
        let mut arguments = String::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            arguments.push_str(name);
            arguments.push(' ');
            arguments.push_str(property["description"].as_str().unwrap_or_default());
            arguments.push(' ');
        }
        let (title, description) = (self.title.as_deref(), self.description.as_deref());
        let (title, description) = (title.unwrap_or_default(), description.unwrap_or_default());
        [&self.name, &self.name, title, description, &arguments].join(" ")
    }
}

/// Words of any script, in small letters and, where they are English, without their endings; `readFile`, `read_file` and
/// `reading files` have two in common.
struct Words(Stemmer);

impl Words {
    fn new() -> Self {
        Self(Stemmer::create(Algorithm::English))
    }
}

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for run in text.split(|character: char| !character.is_alphanumeric()) {
            let mut word = String::new();
            let mut was_small = false;
            for character in run.chars() {
                if was_small && character.is_uppercase() {
                    words.push(std::mem::take(&mut word));
                }
                was_small = character.is_lowercase() || character.is_numeric();
                word.extend(character.to_lowercase());
            }
            words.push(word);
        }
        words.iter().filter(|word| !word.is_empty()).map(|word| self.0.stem(word).into_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, description: &str) -> Tool {
        let schema = r#"{"type":"object","properties":{"path":{"description":"where"}}}"#;
        Tool {
            name: name.to_owned(),
            title: None,
            description: Some(description.to_owned()),
            input_schema: RawValue::from_string(schema.to_owned()).unwrap(),
        }
    }

    #[test]
    fn tools_are_found_by_what_they_do() {
        let tools = [
            tool("fs__readTextFile", "Reads a file"),
            tool("fs__list_directory", "Lists what is in a folder"),
            tool("time__convert_time", "Converts a time between zones"),
            tool("git__status", "Shows the working tree"),
        ];
        let names = |query: &str, most| {
            best(&tools, query, most).iter().map(|tool| tool.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("read files", 1), ["fs__readTextFile"]);
        assert_eq!(names("converting times", 8), ["time__convert_time"]);
        assert_eq!(names("LIST", 8), ["fs__list_directory"]);
        assert_eq!(names("path", 2).len(), 2, "arguments are searched too");
        assert!(names("", 8).is_empty() && names("zebra", 8).is_empty());
        assert!(best(&[], "anything", 8).is_empty());
    }

    #[test]
    fn words() {
        let words = |text| Words::new().tokenize(text);
        assert_eq!(words("readTextFile v2 GitHub"), ["read", "text", "file", "v2", "git", "hub"]);
        assert_eq!(words("  ÜBER-größe\u{202e}数 "), ["über", "größe", "数"]);
        assert_eq!(words("reading FILES"), words("readFile"));
    }
}
