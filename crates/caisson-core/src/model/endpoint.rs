use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{GroupName, NameError, ServerName};

/// What stands before a group's name where both kinds are written.
const GROUP: &str = "group/";

/// What a client connects to. Written `NAME` for a server and `group/NAME` for a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub enum Endpoint {
    /// One server.
    Server(ServerName),
    /// Several servers shown as one.
    Group(GroupName),
}

impl Endpoint {
    /// The name alone, without what kind it is of.
    pub fn name(&self) -> &str {
        match self {
            Self::Server(name) => name.as_str(),
            Self::Group(name) => name.as_str(),
        }
    }

    /// The server, when it is one.
    pub fn server(&self) -> Option<&ServerName> {
        match self {
            Self::Server(name) => Some(name),
            Self::Group(_) => None,
        }
    }

    /// Where it is found below the bridge's address, as a path without its last segment: `/s/NAME` or `/g/NAME`.
    pub fn path(&self) -> String {
        match self {
            Self::Server(name) => format!("/s/{name}"),
            Self::Group(name) => format!("/g/{name}"),
        }
    }
}

impl From<ServerName> for Endpoint {
    fn from(name: ServerName) -> Self {
        Self::Server(name)
    }
}

impl From<GroupName> for Endpoint {
    fn from(name: GroupName) -> Self {
        Self::Group(name)
    }
}

impl FromStr for Endpoint {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix(GROUP) {
            Some(name) => name.parse().map(Self::Group),
            None => text.parse().map(Self::Server),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(name) => f.pad(name.as_str()),
            Self::Group(name) => f.pad(&format!("{GROUP}{name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_as_they_are_written() {
        for text in ["time", "group/work", "group"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), text);
            assert_eq!(serde_json::to_value(&endpoint).unwrap(), text);
        }
        for bad in ["", "group/", "group/A", "group/a/b", "a/b", "/group/a"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
        let group: Endpoint = "group/work".parse().unwrap();
        assert_eq!((group.name(), &*group.path(), group.server()), ("work", "/g/work", None));
    }
}
