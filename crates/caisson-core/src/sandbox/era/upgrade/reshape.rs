//! Makes what a server of sessions says look as MCP 2026-07-28 has it. Pure: bytes in, bytes out.

use serde_json::{Value, json, value::RawValue};

use super::request::{INTERNAL, INVALID_PARAMS, Members, Request, takes_input};
use crate::{model::Splice, pins::SESSION_VERSIONS};

/// A legacy server's code for a resource it does not have; from 2026-07-28 on (SEP-2164), that is a matter of
/// parameters.
const NO_SUCH_RESOURCE: &str = "-32002";
/// Its code for an address that the user must open first. From 2026-07-28 on there is none (MCP 2026-07-28, "Error
/// Codes").
const URL_REQUIRED: &str = "-32042";
/// The client lacks a capability that the request needs.
const MISSING_CAPABILITY: &str = "-32021";

/// What a server of sessions said of itself when one began.
#[derive(Debug, Default)]
pub(super) struct Hello {
    result: String,
    /// Whether it takes `logging/setLevel`.
    pub(super) logs: bool,
    /// Whether resources can be subscribed to.
    pub(super) subscribes: bool,
    /// Whether it tells of changed lists: of tools, prompts, resources.
    pub(super) tells: [bool; 3],
}

impl Hello {
    /// Reads the result of `initialize`.
    pub(super) fn read(result: &RawValue) -> Self {
        let capabilities = Members::of(Some(result)).object("capabilities");
        let tells = |what| capabilities.object(what).is_true("listChanged");
        Self {
            result: result.get().to_owned(),
            logs: capabilities.get("logging").is_some(),
            subscribes: capabilities.object("resources").is_true("subscribe"),
            tells: [tells("tools"), tells("prompts"), tells("resources")],
        }
    }

    /// The answer to `server/discover`: the same in another shape.
    pub(super) fn discover(&self, request: &Request) -> Vec<u8> {
        let result: Option<&RawValue> = serde_json::from_str(&self.result).ok();
        let said = Members::of(result);
        let versions: Vec<&str> = [super::MODERN].into_iter().chain(SESSION_VERSIONS).collect();
        let mut members = vec![format!(r#""supportedVersions":{}"#, Value::from(versions))];
        let rest = said.iter().filter(|(key, _)| !matches!(*key, "protocolVersion" | "serverInfo" | "_meta"));
        members.extend(rest.map(|(key, value)| format!("{}:{value}", Value::from(key))));
        let meta = said.get("_meta").map_or("{}", RawValue::get);
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":0,"result":{{{},"_meta":{}}}}}"#,
            members.join(","),
            if meta.starts_with('{') { meta } else { "{}" },
        );
        let message = match (said.get("serverInfo"), Splice::of(message.as_bytes())) {
            (Some(info), Some(mut splice)) => {
                splice.set(&["result", "_meta", "io.modelcontextprotocol/serverInfo"], info.get());
                splice.done()
            }
            _ => message.into_bytes(),
        };
        response(request, &message)
    }
}

/// A server's response to `request`, with the request's own id. All but what the protocol demands stays as it is.
pub(super) fn response(request: &Request, message: &[u8]) -> Vec<u8> {
    let Some(mut splice) = Splice::of(message) else { return message.to_vec() };
    splice.set(&["id"], &id(request));
    if let Some(result) = splice.get(&["result"]).filter(|result| result.get().starts_with('{')) {
        let said = Members::of(Some(result));
        let complete = ("resultType", r#""complete""#);
        let private = [complete, ("ttlMs", "0"), ("cacheScope", r#""private""#)];
        let owed = if is_cacheable(&request.method) { &private[..] } else { &private[..1] };
        let missing: Vec<(&str, &str)> =
            owed.iter().filter(|(key, _)| said.get(key).is_none()).copied().collect();
        splice.merge(&["result"], &missing);
    }
    let code = splice.get(&["error", "code"]).map(RawValue::get);
    if code == Some(URL_REQUIRED) {
        return url_required(request, splice);
    }
    if request.method == "resources/read" && code == Some(NO_SUCH_RESOURCE) {
        splice.set(&["error", "code"], &INVALID_PARAMS.to_string());
        let data = splice.get(&["error", "data"]).map_or("null", RawValue::get);
        let has_uri = splice.get(&["error", "data", "uri"]).is_some();
        if let Some(uri) = request.name.as_deref().filter(|_| !has_uri)
            && (data == "null" || data.starts_with('{'))
        {
            splice.set(&["error", "data", "uri"], &Value::from(uri).to_string());
        }
    }
    splice.done()
}

/// The result that asks the client for input before `request` can go on. `asks` are members of an object.
pub(super) fn input_required(request: &Request, asks: &str, token: &str) -> Vec<u8> {
    let id = id(request);
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","inputRequests":{{{asks}}},"requestState":"{token}"}}}}"#,
    )
    .into_bytes()
}

/// The answer where the user must open addresses first. A server of sessions says so by an error, which this
/// protocol has no more: the client is asked, and asks again, or is told what it would have to be able to do.
fn url_required(request: &Request, mut error: Splice<'_>) -> Vec<u8> {
    let elicitations = error.get(&["error", "data", "elicitations"]);
    let elicitations: Vec<&RawValue> =
        elicitations.and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default();
    let asks: Vec<String> = elicitations
        .into_iter()
        .filter_map(|elicitation| {
            let elicitation = Members::of(Some(elicitation));
            let (url, message) = (elicitation.text("url")?, elicitation.text("message").unwrap_or_default());
            let params = json!({"mode": "url", "url": url, "message": message});
            Some(json!({"method": "elicitation/create", "params": params}).to_string())
        })
        .enumerate()
        .map(|(number, ask)| format!(r#""url-{}":{ask}"#, number + 1))
        .collect();
    if asks.is_empty() || !takes_input(&request.method) {
        error.set(&["error", "code"], &INTERNAL.to_string());
    } else if request.can.open_urls() {
        let (id, asks) = (id(request), asks.join(","));
        return format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","inputRequests":{{{asks}}}}}}}"#,
        )
        .into_bytes();
    } else {
        error.set(&["error", "code"], MISSING_CAPABILITY);
        error.set(&["error", "data"], r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#);
    }
    error.done()
}

/// The id of a request, as JSON.
pub(super) fn id(request: &Request) -> String {
    serde_json::to_string(&request.id).unwrap_or_default()
}

/// Whether a result must say how long it may be kept.
fn is_cacheable(method: &str) -> bool {
    matches!(
        method,
        "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
    )
}
