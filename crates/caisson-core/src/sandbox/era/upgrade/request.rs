//! A request that stands alone, as far as a server of sessions must be spared it.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::keys;
use crate::model::{Envelope, EnvelopeKind, RequestId, Splice, error_response};

/// The parameters are not what the method takes.
pub(super) const INVALID_PARAMS: i32 = -32602;
/// There is no such method.
pub(super) const NO_SUCH_METHOD: i32 = -32601;
/// Not a request at all.
const INVALID_REQUEST: i32 = -32600;
/// Something went wrong on this side.
pub(super) const INTERNAL: i32 = -32603;

/// What `_meta` says for a server that keeps no session.
const ENVELOPE: [&str; 4] =
    [keys::PROTOCOL_VERSION, keys::CLIENT_CAPABILITIES, keys::CLIENT_INFO, keys::LOG_LEVEL];

/// Where a request that is asked again brings what the client was asked.
const RESPONSES: &str = "inputResponses";

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// The members of an object, unread.
#[derive(Default, Deserialize)]
pub(super) struct Members<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    /// Those of `json`; none when it is no object.
    pub(super) fn of(json: Option<&'a RawValue>) -> Self {
        json.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
    }

    /// The member `key`, unless it is missing or null.
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.get(key).copied().filter(|value| value.get() != "null")
    }

    /// The members of the member `key`.
    pub(super) fn object(&self, key: &str) -> Self {
        Self::of(self.get(key))
    }

    /// The member `key`, where it is a text.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }

    /// Whether the member `key` is true.
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get() == "true")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }
}

/// How grave a log message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(usize);

impl Level {
    /// The level of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        LEVELS.iter().position(|level| *level == name).map(Self)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        LEVELS.get(self.0).copied().unwrap_or("debug")
    }
}

/// What the client of one request can be asked by the server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Abilities {
    sampling: bool,
    roots: bool,
    form: bool,
    url: bool,
}

impl Abilities {
    fn of(capabilities: &Members<'_>) -> Self {
        let modes = capabilities.object("elicitation");
        let elicits = capabilities.get("elicitation").is_some();
        let url = modes.get("url").is_some();
        Self {
            sampling: capabilities.get("sampling").is_some(),
            roots: capabilities.get("roots").is_some(),
            // Without a word on modes it is forms (MCP 2025-11-25, "Elicitation: Capabilities").
            form: elicits && (modes.get("form").is_some() || !url),
            url,
        }
    }

    /// Whether the client can be asked to have the user open an address.
    pub(super) fn open_urls(self) -> bool {
        self.url
    }

    /// Whether the client can be asked `method`.
    pub(super) fn cover(self, method: &str, params: Option<&RawValue>) -> bool {
        match method {
            "sampling/createMessage" => self.sampling,
            "roots/list" => self.roots,
            "elicitation/create" if Members::of(params).text("mode").as_deref() == Some("url") => self.url,
            "elicitation/create" => self.form,
            _ => false,
        }
    }
}

/// A request, and the few things in it that are no legacy server's business.
#[derive(Debug)]
pub(super) struct Request {
    /// The message.
    pub(super) message: Bytes,
    /// Its id.
    pub(super) id: RequestId,
    /// Its method.
    pub(super) method: String,
    /// What it names: a tool, a prompt, the URI of a resource.
    pub(super) name: Option<String>,
    /// From which level on the client wants log messages; none at all without one.
    pub(super) level: Option<Level>,
    /// Its progress token, as JSON.
    pub(super) progress: Option<String>,
    /// What the server may ask of the client meanwhile.
    pub(super) can: Abilities,
    /// The token of the request this one goes on with.
    pub(super) state: Option<String>,
}

impl Request {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none that can be asked; then this is the answer.
    pub(super) fn read(message: Bytes) -> Result<Self, Bytes> {
        let refuse = |id: Option<&RequestId>, code, why: &str| Err(error_response(id, code, why).into());
        let (id, method, params) = match Envelope::read(&message) {
            Ok((Envelope { id: Some(id), method: Some(method), params, .. }, EnvelopeKind::Request)) => {
                (id, method.into_owned(), params)
            }
            Ok(_) => return refuse(None, INVALID_REQUEST, "it is not a request"),
            Err(error) => return refuse(None, INVALID_REQUEST, &error.to_string()),
        };
        let params = Members::of(params);
        let meta = params.object("_meta");
        let level = match meta.get(keys::LOG_LEVEL) {
            None => None,
            Some(_) => {
                let name = meta.text(keys::LOG_LEVEL);
                let Some(level) = name.as_deref().and_then(Level::named) else {
                    return refuse(Some(&id), INVALID_PARAMS, "there is no such log level");
                };
                Some(level)
            }
        };
        let state = match params.get("requestState") {
            Some(_) if !takes_input(&method) => None,
            Some(_) => Some(params.text("requestState").unwrap_or_default()),
            None => None,
        };
        let name = params.text(if method == "resources/read" { "uri" } else { "name" });
        let progress = meta.get("progressToken").map(|token| token.get().to_owned());
        let can = Abilities::of(&meta.object(keys::CLIENT_CAPABILITIES));
        Ok(Self { id, method, name, level, progress, can, state, message: message.clone() })
    }

    /// The message with the id `id` in place of its own, and without what its `_meta` says for a server that keeps no
    /// session: one that has both eras would take it for a request that stands alone. Answers to what the server asked
    /// go another way.
    pub(super) fn with_id(&self, id: i64) -> Vec<u8> {
        const META: [&str; 2] = ["params", "_meta"];
        let Some(mut splice) = Splice::of(&self.message) else { return self.message.to_vec() };
        splice.set(&["id"], &id.to_string());
        let meta: BTreeMap<_, _> = Members::of(splice.get(&META))
            .0
            .into_iter()
            .filter(|(key, _)| !ENVELOPE.contains(&&**key))
            .collect();
        // Texts and values that were read can be written.
        let meta = serde_json::to_string(&meta).unwrap_or_default();
        if splice.get(&["params", RESPONSES]).is_some() {
            let params = Members::of(splice.get(&["params"]));
            let kept = params.iter().filter(|(key, _)| !matches!(*key, RESPONSES | "_meta"));
            let kept = kept.map(|(key, value)| format!("{}:{value},", serde_json::Value::from(key)));
            splice.set(&["params"], &format!(r#"{{{}"_meta":{meta}}}"#, kept.collect::<String>()));
        } else {
            splice.set(&META, &meta);
        }
        splice.done()
    }

    /// The client's answer to what the server asked under `key`, as JSON.
    pub(super) fn response(&self, key: &str) -> Option<&RawValue> {
        let splice = Splice::of(&self.message)?;
        splice.get(&["params", RESPONSES, key]).filter(|value| value.get().starts_with('{'))
    }
}

/// Whether a level of log messages has this name.
pub(in super::super) fn is_log_level(name: &str) -> bool {
    Level::named(name).is_some()
}

/// Whether a result of `method` may be that input is required (MCP 2026-07-28: `InputRequiredResult`).
pub(super) fn takes_input(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}
