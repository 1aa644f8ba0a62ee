//! What a client said of itself in `initialize`, and how its requests say it each time.

use std::sync::PoisonError;

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    super::pair::{CLIENT_CAPABILITIES, Fault, MODERN, PROTOCOL_VERSION},
    Shared,
};
use crate::model::{Envelope, Splice};

/// In a request's `_meta`: which program asks.
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// In a request's `_meta`: from which level on log messages are wanted.
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// The levels there are (MCP 2025-11-25, "Logging": those of RFC 5424).
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// A client, as it described itself.
#[derive(Debug)]
pub(super) struct Client {
    /// What stands in each request's `_meta`: names, and values as JSON.
    meta: Vec<(&'static str, String)>,
    pub(super) capabilities: Capabilities,
}

/// What a client lets a server ask of it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Capabilities {
    pub(super) roots: Option<IgnoredAny>,
    pub(super) sampling: Option<Sampling>,
    pub(super) elicitation: Option<Elicitation>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sampling {
    pub(super) tools: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Elicitation {
    pub(super) form: Option<IgnoredAny>,
    pub(super) url: Option<IgnoredAny>,
}

impl Client {
    /// The client whose capabilities and, if it told, description are these, as JSON.
    ///
    /// # Errors
    /// When the capabilities are not what they should be.
    pub(super) fn new(capabilities: Option<&RawValue>, info: Option<&RawValue>) -> Result<Self, Fault> {
        let raw = capabilities.map_or("{}", RawValue::get);
        let capabilities = raw
            .starts_with('{')
            .then(|| serde_json::from_str(raw).ok())
            .flatten()
            .ok_or_else(|| Fault::params("the client's capabilities are not what MCP has them be"))?;
        let mut meta =
            vec![(PROTOCOL_VERSION, format!("\"{MODERN}\"")), (CLIENT_CAPABILITIES, raw.to_owned())];
        meta.extend(info.map(|info| (CLIENT_INFO, info.get().to_owned())));
        Ok(Self { meta, capabilities })
    }

    /// `request` with what each request says of its client, and the level of log messages, as JSON. What else it
    /// says stays as it came.
    ///
    /// # Errors
    /// When its parameters are no object, or their `_meta` is none.
    pub(super) fn envelop(&self, request: &[u8], log_level: Option<&str>) -> Result<Bytes, Fault> {
        let mut splice = Splice::of(request).ok_or_else(|| Fault::refused("a request is an object"))?;
        for path in [&["params"][..], &["params", "_meta"]] {
            let is_object = |value: &RawValue| value.get().starts_with('{') || value.get() == "null";
            if !splice.get(path).is_none_or(is_object) {
                return Err(Fault::params(format!("{} must be an object", path.join("."))));
            }
        }
        let meta = self.meta.iter().map(|(name, json)| (*name, json.as_str()));
        let meta: Vec<_> = meta.chain(log_level.map(|level| (LOG_LEVEL, level))).collect();
        splice.merge(&["params", "_meta"], &meta);
        Ok(splice.done().into())
    }
}

impl Shared {
    /// `request` as one that stands alone.
    ///
    /// # Errors
    /// When its parameters are no object, or their `_meta` is none.
    pub(super) fn enveloped(&self, request: &[u8]) -> Result<Bytes, Fault> {
        let level = self.log_level.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.client.envelop(request, level.as_deref())
    }
}

/// The level that `logging/setLevel` sets, as JSON.
///
/// # Errors
/// When it is none.
pub(super) fn log_level(envelope: &Envelope<'_>) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct SetLevel {
        level: String,
    }
    let params = envelope.params.and_then(|params| serde_json::from_str::<SetLevel>(params.get()).ok());
    let level = params.map(|params| params.level).filter(|level| LEVELS.contains(&level.as_str()));
    let level = level.ok_or_else(|| Fault::params(format!("level must be one of {}", LEVELS.join(", "))))?;
    Ok(format!("\"{level}\""))
}

/// The resource a request is about.
///
/// # Errors
/// When it names none.
pub(super) fn uri(envelope: &Envelope<'_>) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Resource {
        uri: String,
    }
    let params = envelope.params.and_then(|params| serde_json::from_str::<Resource>(params.get()).ok());
    params.map(|params| params.uri).ok_or_else(|| Fault::params("uri must be the URI of a resource"))
}
