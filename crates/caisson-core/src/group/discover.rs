//! What a group says of itself: what its servers can do, taken together.

use futures::future::join_all;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::timeout;

use super::{
    front::{Asked, Front},
    lists::{self, Said},
};
use crate::{model::GroupName, sandbox::Exchange};

/// Extensions whose every part a group carries to the right server.
const EXTENSIONS: [&str; 3] =
    ["io.modelcontextprotocol/ui", "io.modelcontextprotocol/tasks", "io.modelcontextprotocol/skills"];
/// So many bytes of instructions of one server are passed on: they stand in a model's context.
const LONGEST_INSTRUCTIONS: usize = 4096;

/// Answers `server/discover`.
pub(super) async fn discover(front: &Front, asked: &Asked, meta: Option<&RawValue>) -> Exchange {
    let servers = front.servers();
    let said = join_all(servers.into_iter().map(|server| async {
        front.members.warm(&server);
        let asking = lists::ask(front, &server, "server/discover", Map::new(), meta);
        let answer = match timeout(lists::PATIENCE, asking).await {
            Ok(Ok(Some(result))) => {
                serde_json::from_str(result.get()).map_err(|_| "describes itself strangely".to_owned())
            }
            Ok(Ok(None)) => Err("does not describe itself".to_owned()),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(lists::late()),
        };
        Said { server, answer }
    }))
    .await;
    asked.answered(&described(&front.name, said))
}

/// The result of `server/discover`.
fn described(group: &GroupName, said: Vec<Said<Value>>) -> String {
    let mut capabilities = Map::new();
    let mut instructions = Vec::new();
    let mut missing = Map::new();
    for Said { server, answer } in said {
        match answer {
            Ok(said) => {
                add(&mut capabilities, &said["capabilities"]);
                if let Some(text) = said["instructions"].as_str().filter(|text| !text.trim().is_empty()) {
                    instructions.push(format!("## {server}\n\n{}", beginning(text)));
                }
            }
            Err(why) => drop(missing.insert(server.to_string(), why.into())),
        }
    }
    // Which servers there are may change, and with them every list.
    for list in ["tools", "prompts", "resources"] {
        if let Some(capability) = capabilities.get_mut(list) {
            capability["listChanged"] = true.into();
        }
    }
    let info =
        json!({"name": group, "title": format!("{group} (Caisson)"), "version": env!("CARGO_PKG_VERSION")});
    let mut result = json!({
        "supportedVersions": ["2026-07-28"],
        "capabilities": capabilities,
        "_meta": {"io.modelcontextprotocol/serverInfo": info},
    });
    if !instructions.is_empty() {
        result["instructions"] = instructions.join("\n\n").into();
    }
    lists::private(&result.to_string(), missing)
}

/// Adds what one server can do to what the group can.
fn add(all: &mut Map<String, Value>, capabilities: &Value) {
    for (name, capability) in capabilities.as_object().into_iter().flatten() {
        let known = match name.as_str() {
            "tools" | "prompts" | "resources" | "completions" | "logging" => capability.as_object(),
            "extensions" => capability.as_object(),
            _ => None,
        };
        let Some(known) = known else { continue };
        let Some(there) = all.entry(name.clone()).or_insert_with(|| json!({})).as_object_mut() else {
            continue;
        };
        for (key, value) in known {
            if name == "extensions" && !EXTENSIONS.contains(&&**key) {
                continue;
            }
            // Of what several say, the one who can do it counts.
            if *value == Value::Bool(true) || !there.contains_key(key) {
                there.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The beginning of a text, whole characters of it.
fn beginning(text: &str) -> &str {
    let end = (0..=LONGEST_INSTRUCTIONS.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_can_do_is_added_up() {
        let said = |server: &str, answer: Value| Said { server: server.parse().unwrap(), answer: Ok(answer) };
        let result = described(
            &"work".parse().unwrap(),
            vec![
                said(
                    "a",
                    json!({"capabilities": {"tools": {}, "resources": {"subscribe": false}, "strange": {}}}),
                ),
                said(
                    "b",
                    json!({
                        "capabilities": {
                            "resources": {"subscribe": true},
                            "extensions": {"io.modelcontextprotocol/ui": {"x": 1}, "com.example/own": {}},
                        },
                        "instructions": "Be brief.",
                    }),
                ),
                Said { server: "c".parse().unwrap(), answer: Err("ended".to_owned()) },
            ],
        );
        let result: Value = serde_json::from_str(&result).unwrap();
        let ui = json!({"io.modelcontextprotocol/ui": {"x": 1}});
        assert_eq!(
            result["capabilities"],
            json!({
                "tools": {"listChanged": true},
                "resources": {"listChanged": true, "subscribe": true},
                "extensions": ui,
            })
        );
        assert_eq!(result["instructions"], "## b\n\nBe brief.");
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "work");
        assert_eq!(result["_meta"]["dev.caisson/unavailable"], json!({"c": "ended"}));
        assert_eq!(
            (&result["cacheScope"], &result["supportedVersions"]),
            (&json!("private"), &json!(["2026-07-28"]))
        );
    }

    #[test]
    fn long_instructions_are_cut_between_characters() {
        assert_eq!(beginning("short"), "short");
        let long = "é".repeat(LONGEST_INSTRUCTIONS);
        assert_eq!(beginning(&long).len(), LONGEST_INSTRUCTIONS);
        assert_eq!(beginning(&format!("x{long}")).len(), LONGEST_INSTRUCTIONS - 1);
    }
}
