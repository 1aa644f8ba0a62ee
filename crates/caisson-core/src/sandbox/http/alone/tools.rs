//! Which of a tool's arguments are repeated in headers, as its input schema says (`x-mcp-header`).

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{sync::Mutex, time::timeout};

use super::{
    super::{
        super::MOST_MESSAGE,
        Dial,
        carrier::Carrier,
        events::{Events, Position},
    },
    headers,
};
use crate::model::{Envelope, Splice};

pub(super) const LIST: &str = "tools/list";
pub(super) const CALL: &str = "tools/call";
/// So long the server may take to list its tools, when it is asked because a schema is not known.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pages a list may have.
const MOST_PAGES: usize = 100;
/// Tools that are remembered.
const MOST_TOOLS: usize = 10_000;
/// Objects within objects that a schema is followed into.
const DEEPEST: usize = 16;

/// An argument, by the keys that lead to it, and the header that repeats it.
type Mirrored = (Vec<String>, String);

/// What is known of a server's tools.
#[derive(Default)]
pub(in super::super) struct Tools(Mutex<Known>);

#[derive(Default)]
struct Known {
    tools: HashMap<String, Arc<[Mirrored]>>,
    /// Whether the server was asked for all of them.
    is_whole: bool,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(rename = "nextCursor")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    name: String,
    #[serde(rename = "inputSchema", borrow)]
    schema: Option<&'a RawValue>,
}

impl Tools {
    /// Whether it is known what `tool` wants, or that there is no such tool.
    pub(super) async fn knows(&self, tool: &str) -> bool {
        let known = self.0.lock().await;
        known.is_whole || known.tools.contains_key(tool)
    }

    /// Remembers the tools of an answer to `tools/list`, and says whether there are more.
    pub(in super::super) async fn listed(&self, result: &RawValue) -> Option<String> {
        let page: Page<'_> = serde_json::from_str(result.get()).ok()?;
        let mut known = self.0.lock().await;
        for tool in page.tools {
            let Ok(Tool { name, schema }) = serde_json::from_str(tool.get()) else { continue };
            if known.tools.len() < MOST_TOOLS || known.tools.contains_key(&name) {
                known.tools.insert(name, schema.map(mirrored).unwrap_or_default().into());
            }
        }
        page.next
    }

    /// Forgets all: the server's tools have changed.
    pub(in super::super) async fn forget(&self) {
        *self.0.lock().await = Known::default();
    }

    /// Adds the headers that repeat the arguments of a call of `tool`.
    pub(super) async fn mirror(&self, tool: &str, message: &[u8], headers: &mut HeaderMap) {
        let mirrored = self.0.lock().await.tools.get(tool).cloned();
        let (Some(mirrored), Some(fields)) = (mirrored, Splice::of(message)) else { return };
        for (path, header) in &*mirrored {
            let path: Vec<&str> =
                ["params", "arguments"].into_iter().chain(path.iter().map(String::as_str)).collect();
            headers.extend(fields.get(&path).and_then(|argument| headers::param(header, argument)));
        }
    }
}

impl<D: Dial> Carrier<D> {
    /// Asks the server for its tools, as the client that sent `request` would. What cannot be learnt is left: the
    /// call then goes without those headers, and the server says what it misses.
    pub(super) async fn learn(&self, request: &[u8]) {
        let asked = async {
            let mut cursor = None;
            for _ in 0..MOST_PAGES {
                let list = list(request, cursor.as_deref())?;
                let answer = self.list(list.into()).await?;
                let (envelope, _) = Envelope::read(&answer).ok()?;
                cursor = self.tools.listed(envelope.result?).await;
                cursor.as_ref()?;
            }
            Some(())
        };
        if timeout(PATIENCE, asked).await.is_err() {
            tracing::debug!("an HTTP server did not list its tools in time");
        }
        self.tools.0.lock().await.is_whole = true;
    }

    /// The answer to `request`, which the client knows nothing of.
    async fn list(&self, request: Bytes) -> Option<Bytes> {
        let headers = headers::of(&request);
        let mut reply = self.endpoint.post(request, headers).await.ok()?;
        if reply.response.status() != StatusCode::OK {
            return None;
        }
        let kind = reply.response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
        if !kind.starts_with("text/event-stream") {
            let body = Limited::new(reply.response.body_mut(), MOST_MESSAGE).collect().await.ok()?;
            self.endpoint.done(reply);
            return Some(body.to_bytes());
        }
        let mut events = Events::of(reply.response.body_mut());
        loop {
            let message = events.next(&mut Position::default()).await.ok()??;
            if Envelope::read(message.as_bytes()).is_ok_and(|(envelope, _)| envelope.result.is_some()) {
                return Some(message.into());
            }
        }
    }
}

/// The name of the tool a message calls.
pub(super) fn called(message: &[u8]) -> Option<String> {
    serde_json::from_str(Splice::of(message)?.get(&["params", "name"])?.get()).ok()
}

/// A request for a page of the list of tools, with the `_meta` of another request.
fn list(request: &[u8], cursor: Option<&str>) -> Option<Vec<u8>> {
    let meta = Splice::of(request)?.get(&["params", "_meta"])?;
    let mut list = Splice::of(br#"{"jsonrpc":"2.0","id":"tools","method":"tools/list"}"#)?;
    let cursor = cursor.map(|cursor| serde_json::Value::from(cursor).to_string());
    let mut params = vec![("_meta", meta.get())];
    params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
    list.merge(&["params"], &params);
    Some(list.done())
}

/// The arguments that a schema wants repeated: those reached by `properties` alone, of a type that a header can
/// hold.
fn mirrored(schema: &RawValue) -> Vec<Mirrored> {
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow)]
        properties: Option<HashMap<Cow<'a, str>, &'a RawValue>>,
        #[serde(rename = "type")]
        kind: Option<&'a RawValue>,
        #[serde(rename = "x-mcp-header")]
        header: Option<Cow<'a, str>>,
    }
    let mut found = Vec::new();
    let mut left = vec![(Vec::new(), schema)];
    while let Some((path, schema)) = left.pop() {
        let Ok(Schema { properties, kind, header }) = serde_json::from_str(schema.get()) else { continue };
        let holds =
            kind.is_some_and(|kind| matches!(kind.get(), r#""string""# | r#""integer""# | r#""boolean""#));
        if let (Some(header), true, false) = (header, holds, path.is_empty()) {
            found.push((path.clone(), header.into_owned()));
        }
        if path.len() < DEEPEST {
            for (key, schema) in properties.unwrap_or_default() {
                left.push(([path.as_slice(), &[key.into_owned()]].concat(), schema));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas() {
        let schema = r#"{"type":"object","x-mcp-header":"Root","properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
            "float":{"type":"number","x-mcp-header":"F"},
            "list":{"type":"array","items":{"type":"string","x-mcp-header":"L"}},
            "odd":true,"wrong":{"type":"string","x-mcp-header":7}}}"#;
        let schema = RawValue::from_string(schema.to_owned()).unwrap();
        let mut found = mirrored(&schema);
        found.sort();
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        assert_eq!(found, [(path(&["deep", "n"]), "N".to_owned()), (path(&["region"]), "Region".to_owned())]);
    }

    #[test]
    fn a_list_is_asked_for_as_the_client_would() {
        let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"a":1}}}"#;
        let asked = String::from_utf8(list(call, Some("2\"")).unwrap()).unwrap();
        assert_eq!(
            asked,
            r#"{"jsonrpc":"2.0","id":"tools","method":"tools/list","params":{"_meta":{"a":1},"cursor":"2\""}}"#
        );
    }
}
