use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use crate::{gate::CallerId, model::Digest};

/// The versions of the protocol with sessions, the newest first.
pub(crate) const SESSION_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// To what kind of client something was said. Servers may show one that can be asked for input more tools than
/// one that cannot, so what was said to one kind is not repeated to another, unless all are alike to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile(String);

impl Profile {
    /// Any client of the protocol without sessions, towards a server that knows it: what such a server says to
    /// one client alone is marked so, and is not kept.
    pub fn modern() -> Self {
        Self("2026-07-28".to_owned())
    }

    /// This client of the protocol without sessions, with these capabilities, towards a server with sessions: what
    /// such a server says may come of what this one has done before.
    pub fn modern_with(capabilities: &BTreeMap<String, serde_json::Value>, caller: &CallerId) -> Self {
        // A map of JSON values can always be written.
        let capabilities = serde_json::to_vec(capabilities).unwrap_or_default();
        Self(format!("2026-07-28 {} {}", Digest::of(&capabilities).short(), caller.as_str()))
    }

    /// A client of 2025-11-25 that can do nothing beyond the least.
    pub fn least() -> Self {
        Self::plain(SESSION_VERSIONS[0])
    }

    /// A client that can do all there is, where it is told something else than one that can do the least. What it is told is
    /// repeated to no client, since none is quite like it.
    pub fn able() -> Self {
        Self("able".to_owned())
    }

    /// A client of this version that can do nothing beyond the least.
    pub fn plain(version: &str) -> Self {
        Self(format!("{version} {}", Digest::of(b"{}").short()))
    }

    /// Those of Caisson itself.
    pub(crate) fn own() -> [Self; 8] {
        let [newest, a, b, c] = SESSION_VERSIONS.map(Self::plain);
        [newest, a, b, c, Self::able(), Self::modern(), Self::unspoken(), Self::shared()]
    }

    /// Caisson itself as a client of the protocol without sessions that can do nothing beyond the least, towards a
    /// server with sessions.
    pub fn shared() -> Self {
        Self::modern_with(&BTreeMap::new(), &CallerId::caisson())
    }

    /// The client with sessions that is told the same as this one by a server to which all are alike. How a session
    /// begins says its version, which is the client's own.
    pub(super) fn stand_in(&self, method: &str) -> Self {
        let version = self.0.rsplit_once(' ').filter(|_| method == "initialize");
        version.map_or_else(Self::least, |(version, _)| Self::plain(version))
    }

    /// Nobody: what the server says of its tools, to be looked up and told to no one.
    pub fn unspoken() -> Self {
        Self("unspoken".to_owned())
    }

    /// The client that sends this `initialize` request: its version and capabilities. None when it is none.
    pub fn of(initialize: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Hello {
            method: String,
            params: Params,
        }
        #[derive(Deserialize)]
        struct Params {
            #[serde(rename = "protocolVersion")]
            version: String,
            // In the order of its keys, so that equal capabilities read the same.
            #[serde(default)]
            capabilities: BTreeMap<String, serde_json::Value>,
        }
        let Hello { method, params } = serde_json::from_slice(initialize).ok()?;
        let capabilities = serde_json::to_vec(&params.capabilities).ok()?;
        (method == "initialize" && params.version.len() <= 32)
            .then(|| Self(format!("{} {}", params.version, Digest::of(&capabilities).short())))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_a_kind_have_one_profile() {
        let hello = |version: &str, capabilities: &str| {
            Profile::of(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"capabilities":{capabilities},"protocolVersion":"{version}","clientInfo":{{}}}}}}"#).as_bytes())
        };
        let some = hello("2025-06-18", r#"{"roots":{},"sampling":{}}"#);
        assert!(some.is_some());
        assert_eq!(some, hello("2025-06-18", r#"{ "sampling":{}, "roots":{} }"#));
        assert_ne!(some, hello("2025-11-25", r#"{"roots":{},"sampling":{}}"#));
        assert_ne!(some, hello("2025-06-18", r#"{"roots":{}}"#));
        assert_eq!(hello("2025-11-25", "{}"), Some(Profile::least()));
        assert_eq!(Profile::of(br#"{"method":"ping","params":{"protocolVersion":"x"}}"#), None);
    }
}
