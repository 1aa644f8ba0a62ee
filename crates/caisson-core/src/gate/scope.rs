use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::ServerName;

/// What a token may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every server, also those installed later.
    All,
    /// These servers.
    Servers(BTreeMap<ServerName, ToolScope>),
}

/// What of one server a token may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ToolScope {
    /// Every tool.
    All,
    /// These tools, by their exact names. What is no tool call is allowed.
    Only(BTreeSet<String>),
}

impl Scope {
    /// Every tool of these servers.
    pub fn servers(names: impl IntoIterator<Item = ServerName>) -> Self {
        Self::Servers(names.into_iter().map(|name| (name, ToolScope::All)).collect())
    }

    /// What of `server` is in it; none when the server is outside.
    pub fn of(&self, server: &ServerName) -> Option<&ToolScope> {
        match self {
            Self::All => Some(&ToolScope::All),
            Self::Servers(servers) => servers.get(server),
        }
    }
}

impl ToolScope {
    /// Whether `tool` is in it.
    pub fn has(&self, tool: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(tools) => tools.contains(tool),
        }
    }
}
