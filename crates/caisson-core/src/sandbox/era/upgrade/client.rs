//! Who a session is kept for. A session begins with what a client says of itself, so clients that say different
//! things never share one, be it the same caller.

use std::hash::{Hash, Hasher};

use serde_json::{Value, value::RawValue};

use super::request::Members;
use crate::{gate::CallerId, model::Splice, pins::SESSION_VERSIONS};

/// What servers of sessions know of a client's capabilities. What else there is means nothing to them, or
/// something else (`tasks`).
const KNOWN: [&str; 5] = ["roots", "sampling", "elicitation", "experimental", "extensions"];

/// One caller, and what its client says of itself.
#[derive(Clone, Debug)]
pub(super) struct Client {
    caller: CallerId,
    /// Capabilities and information, in one spelling for all that mean the same.
    canonical: String,
    capabilities: String,
    info: String,
}

impl Client {
    /// The client a request is from.
    pub(super) fn of(caller: CallerId, request: &[u8]) -> Self {
        let splice = Splice::of(request);
        let meta = Members::of(splice.as_ref().and_then(|splice| splice.get(&["params", "_meta"])));
        let said = meta.object("io.modelcontextprotocol/clientCapabilities");
        let known: Vec<String> =
            KNOWN.iter().filter_map(|key| Some(format!("\"{key}\":{}", said.get(key)?.get()))).collect();
        let capabilities = format!("{{{}}}", known.join(","));
        let own = || format!(r#"{{"name":"caisson","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
        let info = meta.get("io.modelcontextprotocol/clientInfo").map(RawValue::get);
        let info = info.filter(|info| info.starts_with('{')).map_or_else(own, str::to_owned);
        let canonical = canonical(&format!("[{capabilities},{info}]"));
        Self { caller, canonical, capabilities, info }
    }

    /// On whose behalf.
    pub(super) fn caller(&self) -> &CallerId {
        &self.caller
    }

    /// The parameters of its `initialize`.
    pub(super) fn initialize(&self) -> String {
        let Self { capabilities, info, .. } = self;
        let version = SESSION_VERSIONS[0];
        format!(r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{info}}}"#)
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.caller == other.caller && self.canonical == other.canonical
    }
}

impl Eq for Client {}

impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.caller.hash(state);
        self.canonical.hash(state);
    }
}

/// `json` without blanks, keys in order. What cannot be read in full stays as it is.
fn canonical(json: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(json) else { return json.to_owned() };
    value.sort_all_objects();
    value.to_string()
}
