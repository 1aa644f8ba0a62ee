use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{Endpoint, Groups, ServerName};

/// What a token may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every server, also those installed later.
    All,
    /// These servers, and the servers of these groups.
    Only(BTreeMap<Endpoint, ToolScope>),
    /// No server: the numbers alone.
    Metrics,
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
    /// Every tool of these.
    pub fn only(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self::Only(endpoints.into_iter().map(|endpoint| (endpoint, ToolScope::All)).collect())
    }

    /// Whether it names this endpoint, or every one.
    pub fn names(&self, endpoint: &Endpoint) -> bool {
        match self {
            Self::All => true,
            Self::Only(endpoints) => endpoints.contains_key(endpoint),
            Self::Metrics => false,
        }
    }

    /// What of `server` is in it, with `groups` as they are at the moment; none when the server is outside.
    pub fn of(&self, server: &ServerName, groups: &Groups) -> Option<&ToolScope> {
        let endpoints = match self {
            Self::All => return Some(&ToolScope::All),
            Self::Only(endpoints) => endpoints,
            Self::Metrics => return None,
        };
        let holds = |endpoint: &Endpoint| match endpoint {
            Endpoint::Server(name) => name == server,
            Endpoint::Group(name) => groups.get(name).is_some_and(|group| group.servers().contains(server)),
        };
        // Of several, the one that allows most.
        let scopes = endpoints.iter().filter(|(endpoint, _)| holds(endpoint)).map(|(_, tools)| tools);
        scopes.reduce(|one, other| if *one == ToolScope::All { one } else { other })
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
