//! Requests that name what they are for by a name the group has given it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{
    front::{Asked, Front, INVALID_PARAMS, Params},
    owner,
};
use crate::{
    model::{Envelope, EnvelopeKind, Group, ServerName, Splice},
    sandbox::{Exchange, SandboxError},
};

/// The extension whose tasks outlive the request that began them (SEP-2663).
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Calls a tool, or gets a prompt.
pub(super) async fn by_name(
    front: &Front,
    group: &Group,
    asked: Asked,
    params: &Params<'_>,
) -> Result<Exchange, SandboxError> {
    let Some(shown) = params.name.as_deref() else {
        return Ok(asked.refuse(INVALID_PARAMS, "name must say what is meant"));
    };
    let Some((server, name)) = member(front, group, shown) else {
        return Ok(unknown(&asked, shown));
    };
    let message = with_text(&asked.message, &["params", "name"], name);
    pass(front, &server, asked, message, params).await
}

/// Completes an argument of a prompt or of a resource's template.
pub(super) async fn complete(
    front: &Front,
    group: &Group,
    asked: Asked,
    params: &Params<'_>,
) -> Result<Exchange, SandboxError> {
    #[derive(Deserialize)]
    struct Reference<'a> {
        #[serde(borrow)]
        name: Option<Cow<'a, str>>,
        #[serde(borrow)]
        uri: Option<Cow<'a, str>>,
    }
    let reference = params.reference.and_then(|reference| serde_json::from_str(reference.get()).ok());
    match reference {
        Some(Reference { name: Some(shown), .. }) => {
            let Some((server, name)) = member(front, group, &shown) else {
                return Ok(unknown(&asked, &shown));
            };
            let message = with_text(&asked.message, &["params", "ref", "name"], name);
            pass(front, &server, asked, message, params).await
        }
        Some(Reference { uri: Some(uri), .. }) => owner::ask(front, asked, &uri, params).await,
        _ => Ok(asked.refuse(INVALID_PARAMS, "ref must name a prompt or a resource")),
    }
}

/// Asks about a task.
pub(super) async fn by_task(
    front: &Front,
    group: &Group,
    asked: Asked,
    params: &Params<'_>,
) -> Result<Exchange, SandboxError> {
    let shown = params.task.as_deref().unwrap_or_default();
    let Some((server, task)) = member(front, group, shown) else {
        return Ok(asked.refuse(INVALID_PARAMS, &format!("there is no task {shown:?} in this group")));
    };
    let message = with_text(&asked.message, &["params", "taskId"], task);
    pass(front, &server, asked, message, params).await
}

/// Passes a request on to a server, and what comes back to the client.
pub(super) async fn pass(
    front: &Front,
    server: &ServerName,
    asked: Asked,
    message: Bytes,
    params: &Params<'_>,
) -> Result<Exchange, SandboxError> {
    let exchange = match front.ask_member(server, message).await? {
        Ok(exchange) => exchange,
        Err(denial) => return Ok(asked.deny(&denial)),
    };
    if !knows_tasks(params.meta) {
        return Ok(exchange);
    }
    let server = server.clone();
    Ok(exchange.through(move |message| with_shown_task(&server, message)))
}

/// The server that a shown name belongs to, if the client may know of it, and what that server calls it.
fn member<'a>(front: &Front, group: &Group, shown: &'a str) -> Option<(ServerName, &'a str)> {
    let (server, name) = group.resolve(shown)?;
    front.servers().contains(server).then(|| (server.clone(), name))
}

fn unknown(asked: &Asked, shown: &str) -> Exchange {
    let why = format!("{shown:?} is nothing of this group: names begin with a server's, as in time__now");
    asked.refuse(INVALID_PARAMS, &why)
}

/// Whether the client may be answered with a task.
fn knows_tasks(meta: Option<&RawValue>) -> bool {
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
        capabilities: serde_json::Value,
    }
    let meta = meta.and_then(|meta| serde_json::from_str::<Meta>(meta.get()).ok());
    meta.is_some_and(|meta| !meta.capabilities["extensions"][TASKS].is_null())
}

/// The message, with the name of a task that it tells of as the group shows it.
fn with_shown_task(server: &ServerName, message: Bytes) -> Bytes {
    let path: &[&str] = match Envelope::read(&message) {
        Ok((_, EnvelopeKind::Response)) => &["result", "taskId"],
        Ok((envelope, EnvelopeKind::Notification))
            if envelope.method.as_deref().is_some_and(|method| method.starts_with("notifications/tasks")) =>
        {
            &["params", "taskId"]
        }
        _ => return message,
    };
    let task = Splice::of(&message).and_then(|message| message.get(path));
    match task.and_then(|task| serde_json::from_str::<Cow<'_, str>>(task.get()).ok()) {
        Some(task) => with_text(&message, path, &Group::shown(server, &task)),
        None => message,
    }
}

/// The message with a text at a path. It is an object: it was read as a message.
fn with_text(message: &Bytes, path: &[&str], text: &str) -> Bytes {
    let Some(mut splice) = Splice::of(message) else { return message.clone() };
    splice.set(path, &json!(text).to_string());
    splice.done().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_shown_with_its_server() {
        let server: ServerName = "a".parse().unwrap();
        let shown = |message: &'static str| with_shown_task(&server, Bytes::from_static(message.as_bytes()));
        assert_eq!(
            shown(r#"{"jsonrpc":"2.0","id":1,"result":{"taskId":"7","status":"working"}}"#),
            r#"{"jsonrpc":"2.0","id":1,"result":{"taskId":"a__7","status":"working"}}"#,
        );
        assert_eq!(
            shown(r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"7"}}"#),
            r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"a__7"}}"#,
        );
        for same in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"taskId":"7"}]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"taskId":7}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"taskId":"7"}}"#,
        ] {
            assert_eq!(shown(same), same);
        }
    }

    #[test]
    fn tasks_are_for_clients_that_know_them() {
        let knows = |meta: &str| {
            let meta = RawValue::from_string(meta.to_owned()).unwrap();
            knows_tasks(Some(&meta))
        };
        assert!(!knows(r#"{"io.modelcontextprotocol/clientCapabilities":{}}"#));
        assert!(knows(
            r#"{"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#
        ));
        assert!(!knows_tasks(None));
    }
}
