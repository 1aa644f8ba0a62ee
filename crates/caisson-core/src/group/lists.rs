//! Lists of several servers put together.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::timeout;

use super::front::{Asked, Front, INVALID_PARAMS, Params};
use crate::{
    model::{Envelope, EnvelopeKind, Group, ServerName, Splice},
    sandbox::{Exchange, Pages},
};

/// So long a server may take until the group does without it. Less than clients wait for a list.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// JSON-RPC: the method is not known. Such a server has no such list.
const NO_SUCH_METHOD: i64 = -32601;
/// Under which key of a result's `_meta` stands which servers are missing from it, and why.
const UNAVAILABLE: &str = "dev.caisson/unavailable";

/// What one server answered to a question that all are asked.
pub(super) struct Said<T> {
    pub(super) server: ServerName,
    /// Why it has no answer, where it has none.
    pub(super) answer: Result<T, String>,
}

/// Answers one of the lists of MCP.
pub(super) async fn list(
    front: &Front,
    asked: &Asked,
    method: &str,
    items: &str,
    params: &Params<'_>,
) -> Exchange {
    if params.cursor.is_some_and(|cursor| cursor.get() != "null") {
        return asked.refuse(INVALID_PARAMS, "this cursor is none: the list of a group has one page");
    }
    let lists = gather(front, method, items, params.meta).await;
    asked.answered(&merged(lists, items))
}

/// The list that each server has, all pages of it.
pub(super) async fn gather(
    front: &Front,
    method: &str,
    items: &str,
    meta: Option<&RawValue>,
) -> Vec<Said<Vec<Box<RawValue>>>> {
    let servers = front.servers();
    join_all(servers.into_iter().map(|server| async {
        let whole = timeout(PATIENCE, pages(front, &server, method, items, meta)).await;
        let answer = whole.unwrap_or_else(|_| Err(late()));
        Said { server, answer }
    }))
    .await
}

async fn pages(
    front: &Front,
    server: &ServerName,
    method: &str,
    items: &str,
    meta: Option<&RawValue>,
) -> Result<Vec<Box<RawValue>>, String> {
    let mut pages = Pages::new(items);
    loop {
        let mut params = Map::new();
        if let Some(cursor) = pages.cursor() {
            params.insert("cursor".to_owned(), cursor.into());
        }
        let Some(page) = ask(front, server, method, params, meta).await? else { return Ok(Vec::new()) };
        if !pages.add(page) {
            break;
        }
    }
    let none = || format!("answered {method} with what is no list");
    let whole: HashMap<String, Box<RawValue>> =
        pages.whole().and_then(|whole| serde_json::from_str(whole.get()).ok()).ok_or_else(none)?;
    whole.get(items).and_then(|all| serde_json::from_str(all.get()).ok()).ok_or_else(none)
}

/// The result a server gives to a question of the group's own; none when it does not know the method.
pub(super) async fn ask(
    front: &Front,
    server: &ServerName,
    method: &str,
    mut params: Map<String, Value>,
    meta: Option<&RawValue>,
) -> Result<Option<Box<RawValue>>, String> {
    params.insert("_meta".to_owned(), Value::Null);
    let request = json!({"jsonrpc": "2.0", "id": "caisson/group", "method": method, "params": params});
    let request = request.to_string();
    let mut splice = Splice::of(request.as_bytes()).ok_or("cannot be asked")?;
    splice.set(&["params", "_meta"], meta.map_or("{}", RawValue::get));
    let asked = front.ask_member(server, splice.done().into()).await.map_err(|error| error.to_string())?;
    let mut exchange = asked.map_err(|denial| denial.to_string())?;
    while let Some(message) = exchange.next().await {
        let message: Bytes = message.map_err(|error| error.to_string())?;
        match Envelope::read(&message) {
            Ok((Envelope { result: Some(result), .. }, EnvelopeKind::Response)) => {
                return Ok(Some(result.to_owned()));
            }
            Ok((Envelope { error: Some(error), .. }, EnvelopeKind::Response)) => return refusal(error),
            // What it tells meanwhile was not asked for by the client.
            _ => {}
        }
    }
    Err("gave no answer".to_owned())
}

fn refusal(error: &RawValue) -> Result<Option<Box<RawValue>>, String> {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
        message: String,
    }
    match serde_json::from_str::<Error>(error.get()) {
        Ok(Error { code: NO_SUCH_METHOD, .. }) => Ok(None),
        Ok(Error { message, .. }) => Err(message),
        Err(_) => Err("answered with an error that is none".to_owned()),
    }
}

pub(super) fn late() -> String {
    format!("did not answer within {} seconds", PATIENCE.as_secs())
}

/// One list of all, as a result. What several servers call the same is in it for none of them.
fn merged(lists: Vec<Said<Vec<Box<RawValue>>>>, items: &str) -> String {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut missing = Map::new();
    for Said { server, answer } in lists {
        let begin = all.len();
        match answer {
            Ok(listed) => {
                for (key, item) in listed.iter().filter_map(|item| shown(&server, items, item)) {
                    // A server that names two things the same means the first.
                    if all[begin..].iter().all(|(other, _)| *other != key) {
                        all.push((key, item));
                    }
                }
            }
            Err(why) => drop(missing.insert(server.to_string(), why.into())),
        }
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (key, _) in &all {
        *counts.entry(key).or_default() += 1;
    }
    let once: Vec<&str> =
        all.iter().filter(|(key, _)| counts[&**key] == 1).map(|(_, item)| &**item).collect();
    private(&format!("{{{}:[{}]}}", json!(items), once.join(",")), missing)
}

/// What tells an item from others, and the item as the group shows it, as JSON; none when it has no name.
fn shown(server: &ServerName, items: &str, item: &RawValue) -> Option<(String, String)> {
    let named = match items {
        "resources" => "uri",
        "resourceTemplates" => "uriTemplate",
        _ => "name",
    };
    let mut splice = Splice::of(item.get().as_bytes())?;
    let key: String = serde_json::from_str(splice.get(&[named])?.get()).ok()?;
    if named != "name" {
        return Some((key, item.get().to_owned()));
    }
    let key = Group::shown(server, &key);
    splice.set(&[named], &json!(key).to_string());
    Some((key, String::from_utf8(splice.done()).ok()?))
}

/// `result`, a JSON object, as a complete one that no other client is to be told, with the servers that are missing from
/// it. Which servers a client is shown depends on its token, and may change at any time.
pub(super) fn private(result: &str, missing: Map<String, Value>) -> String {
    let Some(mut splice) = Splice::of(result.as_bytes()) else { return result.to_owned() };
    splice.set(&["resultType"], "\"complete\"");
    splice.set(&["ttlMs"], "0");
    splice.set(&["cacheScope"], "\"private\"");
    if !missing.is_empty() {
        for (server, why) in &missing {
            tracing::warn!(server, why = why.as_str(), "a group does without a server");
        }
        splice.set(&["_meta", UNAVAILABLE], &Value::from(missing).to_string());
    }
    // It was made of text.
    String::from_utf8(splice.done()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(server: &str, items: &[&str]) -> Said<Vec<Box<RawValue>>> {
        let items = items.iter().map(|item| RawValue::from_string((*item).to_owned()).unwrap()).collect();
        Said { server: server.parse().unwrap(), answer: Ok(items) }
    }

    #[test]
    fn names_are_told_apart_and_nothing_else_changes() {
        let a =
            said("a", &[r#"{"x":[1e400],"name":"t"}"#, r#"{"name":"t","late":1}"#, r#"{"nameless":1}"#, "7"]);
        let list = merged(vec![a, said("b.c", &[r#"{"name":"t"}"#])], "tools");
        let tools = r#"{"tools":[{"x":[1e400],"name":"a__t"},{"name":"b-c__t"}],"#;
        assert_eq!(list, format!(r#"{tools}"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#));
    }

    #[test]
    fn a_resource_that_two_servers_claim_is_nobodys() {
        let a = said("a", &[r#"{"uri":"x://1","name":"n"}"#, r#"{"uri":"x://2"}"#]);
        let list = merged(vec![a, said("b", &[r#"{"uri":"x://1"}"#])], "resources");
        assert!(list.starts_with(r#"{"resources":[{"uri":"x://2"}],"#), "{list}");
    }

    #[test]
    fn a_server_without_an_answer_is_named() {
        let gone = Said { server: "b".parse().unwrap(), answer: Err("ended".to_owned()) };
        let list = merged(vec![said("a", &[r#"{"name":"t"}"#]), gone], "tools");
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list["tools"], json!([{"name": "a__t"}]));
        assert_eq!(list["_meta"][UNAVAILABLE], json!({"b": "ended"}));
    }
}
