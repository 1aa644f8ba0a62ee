//! What a request without a session must be like before anybody is asked: pure functions over its headers and
//! body, rung by rung in the specification's order. The first that fails answers.

use std::borrow::Cow;

use hyper::{HeaderMap, header::HeaderName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::header::{decoded, differs, one};
use crate::{
    bridge::{
        refusal::Refusal,
        version::{self, STATELESS},
    },
    model::Envelope,
};

const VERSION: &str = "MCP-Protocol-Version";
const METHOD: (HeaderName, &str) = (HeaderName::from_static("mcp-method"), "Mcp-Method");
const NAME: (HeaderName, &str) = (HeaderName::from_static("mcp-name"), "Mcp-Name");

/// A request's parameters, as far as the bridge reads them.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
    /// The tool or prompt; none where it is no text.
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text")]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "taskId", deserialize_with = "text")]
    task: Option<Cow<'a, str>>,
    /// What a tool is called with.
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

/// What a request says of itself.
#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

/// Whether a message says in its `_meta` which version it is of: only those without a session do.
pub(in crate::bridge) fn claims_version(envelope: &Envelope<'_>) -> bool {
    let meta = Params::of(envelope).ok().and_then(|params| params.meta);
    meta.and_then(object::<Meta<'_>>).is_some_and(|meta| meta.version.is_some())
}

/// Climbs the ladder with a request, and returns its parameters.
pub(super) fn check<'a>(headers: &HeaderMap, request: &Envelope<'a>) -> Result<Params<'a>, Refusal> {
    let params = Params::of(request)?;
    let version = params.version()?;
    agree(headers, request.method.as_deref().unwrap_or_default(), &params, &version)?;
    supported(&version)?;
    Ok(params)
}

/// Whether a notification may be posted. Of its headers only the version's is defined.
pub(super) fn check_notification(headers: &HeaderMap) -> Result<(), Refusal> {
    one(headers, &version::HEADER, VERSION)?.map_or(Ok(()), supported)
}

impl<'a> Params<'a> {
    fn of(request: &Envelope<'a>) -> Result<Self, Refusal> {
        let Some(params) = request.params else { return Ok(Self::default()) };
        object(params).ok_or(Refusal::Params("params must be an object with each field once"))
    }

    /// The version the request is of, once all that its `_meta` must say was found.
    fn version(&self) -> Result<Cow<'a, str>, Refusal> {
        let meta = self
            .meta
            .and_then(object::<Meta<'a>>)
            .ok_or(Refusal::Params("params._meta must be an object"))?;
        let version = meta
            .version
            .ok_or(Refusal::Params("params._meta lacks io.modelcontextprotocol/protocolVersion"))?;
        let capabilities = meta
            .capabilities
            .ok_or(Refusal::Params("params._meta lacks io.modelcontextprotocol/clientCapabilities"))?;
        if !capabilities.get().starts_with('{') {
            return Err(Refusal::Params(
                "params._meta has io.modelcontextprotocol/clientCapabilities that are no object",
            ));
        }
        let version = serde_json::from_str::<Text<'a>>(version.get()).map(|Text(version)| version);
        version.map_err(|_| {
            Refusal::Params("params._meta has an io.modelcontextprotocol/protocolVersion that is no text")
        })
    }

    /// What `Mcp-Name` repeats of a request of this method (for tasks: SEP-2663).
    fn named(&self, method: &str) -> Option<&str> {
        match method {
            "tools/call" | "prompts/get" => self.name.as_deref(),
            "resources/read" => self.uri.as_deref(),
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.task.as_deref(),
            _ => None,
        }
    }
}

/// Whether the headers say what the body says.
fn agree(headers: &HeaderMap, method: &str, params: &Params<'_>, version: &str) -> Result<(), Refusal> {
    let says_version = one(headers, &version::HEADER, VERSION)?;
    let says_method = one(headers, &METHOD.0, METHOD.1)?;
    let says_name = one(headers, &NAME.0, NAME.1)?;
    same(VERSION, says_version.map(Cow::Borrowed), version)?;
    same(METHOD.1, says_method.map(Cow::Borrowed), method)?;
    // What names nothing is for the server to refuse.
    let Some(name) = params.named(method) else { return Ok(()) };
    let says_name = match says_name {
        None => None,
        Some(value) => Some(decoded(value).ok_or_else(|| differs(NAME.1, "has base64 that is none"))?),
    };
    same(NAME.1, says_name, name)
}

fn same(shown: &str, header: Option<Cow<'_, str>>, body: &str) -> Result<(), Refusal> {
    match header {
        Some(value) if value == body => Ok(()),
        Some(_) => Err(differs(shown, "does not say what the body says")),
        None => Err(differs(shown, "is missing")),
    }
}

fn supported(version: &str) -> Result<(), Refusal> {
    if STATELESS.contains(&version) { Ok(()) } else { Err(Refusal::Unsupported(version.to_owned())) }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text that a value is; none when it is something else.
fn text<'de: 'a, 'a, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    let value = Option::<&'de RawValue>::deserialize(value)?;
    Ok(value.and_then(|value| serde_json::from_str(value.get()).ok()).map(|Text(text)| text))
}

/// Reads a value that is an object: serde would take a list for one too.
fn object<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    value.get().starts_with('{').then(|| serde_json::from_str(value.get()).ok())?
}

#[cfg(test)]
mod tests;
