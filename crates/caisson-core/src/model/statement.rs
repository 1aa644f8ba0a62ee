use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use ts_rs::TS;

use super::{Digest, is_mistakable};

/// A request whose answer tells what a server is, and with it what a model reads before it calls anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `initialize`: its instructions.
    Beginning,
    /// `server/discover`: the same, from MCP 2026-07-28 on.
    Discovery,
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/templates/list`.
    Templates,
}

/// What is pinned of a server, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PinKind {
    /// What it tells models of itself as a whole. There is one, without a name.
    Instructions,
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A template of resources' addresses.
    Template,
}

/// One of the things in a statement.
#[derive(Clone, Debug)]
pub struct Stated<'a> {
    /// What it is.
    pub kind: PinKind,
    /// What it is called, or for a template, its address.
    pub name: String,
    /// The digest of all that is said of it, whichever order its members stand in.
    pub digest: Digest,
    /// What is said, as it came.
    pub said: &'a RawValue,
}

impl Statement {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Beginning, Self::Discovery, Self::Tools, Self::Prompts, Self::Templates];

    /// The statement that a request asks for.
    pub fn asked_by(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|statement| statement.method() == method)
    }

    /// The request that asks for it.
    pub fn method(self) -> &'static str {
        match self {
            Self::Beginning => "initialize",
            Self::Discovery => "server/discover",
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The member of its result that holds what is pinned.
    pub fn member(self) -> &'static str {
        match self {
            Self::Beginning | Self::Discovery => "instructions",
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Templates => "resourceTemplates",
        }
    }

    /// What is pinned of it.
    pub fn kind(self) -> PinKind {
        match self {
            Self::Beginning | Self::Discovery => PinKind::Instructions,
            Self::Tools => PinKind::Tool,
            Self::Prompts => PinKind::Prompt,
            Self::Templates => PinKind::Template,
        }
    }

    /// What a result of it says, in its order. None when it cannot be read as one.
    pub fn read(self, result: &RawValue) -> Option<Vec<Stated<'_>>> {
        if is_mistakable(result, self.member()) {
            return None;
        }
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(result.get()).ok()?;
        let Some(said) = members.get(self.member()) else { return Some(Vec::new()) };
        match self.kind() {
            PinKind::Instructions => Some(vec![Stated::new(PinKind::Instructions, said)?]),
            kind @ (PinKind::Tool | PinKind::Prompt | PinKind::Template) => {
                let list: Vec<&RawValue> = serde_json::from_str(said.get()).ok()?;
                list.into_iter().map(|said| Stated::new(kind, said)).collect()
            }
        }
    }

    /// Whether a result of it is the last of its pages.
    pub fn is_last(result: &RawValue) -> bool {
        let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(result.get()).ok();
        members.is_some_and(|members| !members.contains_key("nextCursor"))
    }
}

impl<'a> Stated<'a> {
    fn new(kind: PinKind, said: &'a RawValue) -> Option<Self> {
        let value: Value = serde_json::from_str(said.get()).ok()?;
        let name = match kind {
            PinKind::Instructions => "",
            PinKind::Tool | PinKind::Prompt => value["name"].as_str().unwrap_or_default(),
            // Names of templates are for people: two may share one.
            PinKind::Template => value["uriTemplate"].as_str().unwrap_or_default(),
        };
        let name = name.to_owned();
        Some(Self { kind, name, digest: Digest::of(canonical(&value).as_bytes()), said })
    }
}

/// JSON without blanks, each object's members in the order of their names.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let members: Vec<String> = sorted
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

impl PinKind {
    /// What people call one of this kind: there is one that has no name.
    pub fn title(self, name: &str) -> String {
        if self == Self::Instructions { self.to_string() } else { format!("{self} {name}") }
    }
}

impl std::fmt::Display for PinKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Instructions => "instructions",
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Template => "resource template",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn what_is_said_is_the_same_in_any_order() {
        let (one, other, changed) = (
            raw(r#"{"tools":[{"name":"a","inputSchema":{"x":1,"y":[{"p":1,"q":2}]}}],"_meta":{}}"#),
            raw(r#"{"tools": [ {"inputSchema":{"y":[{"q":2,"p":1}],"x":1}, "name":"\u0061"} ]}"#),
            raw(r#"{"tools":[{"name":"a","inputSchema":{"x":1,"y":[{"p":1,"q":3}]}}]}"#),
        );
        let digest = |result: &RawValue| Statement::Tools.read(result).unwrap()[0].digest.clone();
        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&changed));
    }

    #[test]
    fn each_statement_is_read_from_its_own_member() {
        for (statement, result, names) in [
            (Statement::Beginning, r#"{"instructions":"x"}"#, Some(vec![""])),
            (Statement::Discovery, r#"{"supportedVersions":[]}"#, Some(vec![])),
            (Statement::Tools, r#"{"tools":[{"name":"a"},{"name":"b"},{"x":1}]}"#, Some(vec!["a", "b", ""])),
            (Statement::Prompts, r#"{"prompts":[{"name":"a"}],"tools":[{"name":"b"}]}"#, Some(vec!["a"])),
            (Statement::Templates, r#"{"resourceTemplates":[]}"#, Some(vec![])),
            (Statement::Tools, r#"{"tools":{}}"#, None),
            (Statement::Tools, "[]", None),
        ] {
            let result = raw(result);
            let read = statement.read(&result);
            let found = read.map(|read| read.into_iter().map(|stated| stated.name).collect::<Vec<_>>());
            assert_eq!(found, names.map(|names| names.into_iter().map(str::to_owned).collect()));
        }
        assert_eq!(Statement::asked_by("tools/list"), Some(Statement::Tools));
        assert_eq!(Statement::asked_by("tools/call"), None);
    }
}
