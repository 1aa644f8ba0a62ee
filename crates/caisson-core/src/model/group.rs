use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{GroupName, ServerName};

/// The most servers a group may have.
const MOST_SERVERS: usize = 64;
/// What stands between a server's name and the name it gave to a tool.
const SEPARATOR: &str = "__";

/// Every group, as `groups.toml` says.
pub type Groups = BTreeMap<GroupName, Group>;

/// Several servers shown to a client as one. What they call their tools and prompts is shown with the server's name
/// before it, `time__now`, so that no name stands for two things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
#[ts(as = "Unchecked")]
pub struct Group {
    servers: Vec<ServerName>,
    search: bool,
}

/// A group as it is written.
#[derive(Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(rename = "Group")]
struct Unchecked {
    /// Its servers.
    servers: Vec<ServerName>,
    /// Whether clients are shown two tools, one to find tools and one to call them, in place of all there are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    search: bool,
}

/// Why servers make no group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// None is named.
    #[error("a group needs at least one server")]
    Empty,
    /// Too many are.
    #[error("a group has at most {MOST_SERVERS} servers")]
    TooMany,
    /// One stands there twice.
    #[error("{0} is named twice")]
    Twice(ServerName),
    /// The names of their tools could be the same.
    #[error("{0} and {1} cannot be in one group: their tools' names could not be told apart")]
    Ambiguous(ServerName, ServerName),
}

impl Group {
    /// A group of `servers`, in this order. With `search`, clients are shown two tools in place of all.
    ///
    /// # Errors
    /// When names that it shows would not be unambiguous.
    pub fn new(servers: Vec<ServerName>, search: bool) -> Result<Self, GroupError> {
        if servers.is_empty() {
            return Err(GroupError::Empty);
        }
        if servers.len() > MOST_SERVERS {
            return Err(GroupError::TooMany);
        }
        // No prefix begins another: a name then has one reading, whatever servers call their tools.
        for (index, first) in servers.iter().enumerate() {
            for second in &servers[index + 1..] {
                if first == second {
                    return Err(GroupError::Twice(first.clone()));
                }
                let (one, other) = (prefix(first), prefix(second));
                if one.starts_with(&other) || other.starts_with(&one) {
                    return Err(GroupError::Ambiguous(first.clone(), second.clone()));
                }
            }
        }
        Ok(Self { servers, search })
    }

    /// Its servers, in the user's order.
    pub fn servers(&self) -> &[ServerName] {
        &self.servers
    }

    /// Whether clients are shown two tools in place of all there are.
    pub fn search(&self) -> bool {
        self.search
    }

    /// The server that a shown name belongs to, and what that server calls it.
    pub fn resolve<'a>(&self, shown: &'a str) -> Option<(&ServerName, &'a str)> {
        self.servers.iter().find_map(|server| Some((server, shown.strip_prefix(&prefix(server))?)))
    }

    /// What a group shows for what `server` calls `name`.
    pub fn shown(server: &ServerName, name: &str) -> String {
        prefix(server) + name
    }
}

/// What stands before each name of a server's. Model providers take letters, digits, `_` and `-` in a tool's name.
fn prefix(server: &ServerName) -> String {
    server.as_str().replace('.', "-") + SEPARATOR
}

impl TryFrom<Unchecked> for Group {
    type Error = GroupError;

    fn try_from(group: Unchecked) -> Result<Self, GroupError> {
        Self::new(group.servers, group.search)
    }
}

impl From<Group> for Unchecked {
    fn from(group: Group) -> Self {
        Self { servers: group.servers, search: group.search }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&str]) -> Vec<ServerName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn groups_that_could_mean_two_things_are_refused() {
        assert!(Group::new(names(&["a", "a_b", "a-b"]), false).is_ok());
        for (servers, error) in [
            (&[][..], GroupError::Empty),
            (&["a", "b", "a"], GroupError::Twice(names(&["a"])[0].clone())),
            (&["a", "a__b"], GroupError::Ambiguous(names(&["a"])[0].clone(), names(&["a__b"])[0].clone())),
            (&["a-b", "a.b"], GroupError::Ambiguous(names(&["a-b"])[0].clone(), names(&["a.b"])[0].clone())),
        ] {
            assert_eq!(Group::new(names(servers), false), Err(error));
        }
        let many: Vec<ServerName> = (0..65).map(|number| format!("s{number}").parse().unwrap()).collect();
        assert_eq!(Group::new(many, false), Err(GroupError::TooMany));
    }

    #[test]
    fn a_written_group_is_checked() {
        let group: Group = toml::from_str("servers = ['a', 'b']\nsearch = true").unwrap();
        assert!(group.search() && group.servers() == names(&["a", "b"]));
        assert!(toml::from_str::<Group>("servers = ['a', 'a']").is_err());
        assert!(toml::from_str::<Group>("servers = ['a']\nserach = true").is_err());
    }

    proptest! {
        #[test]
        fn a_shown_name_has_one_reading(
            servers in proptest::collection::vec("[ab][ab_.-]{0,3}", 1..5),
            tool in ".{0,6}",
        ) {
            let servers: Vec<ServerName> = servers.iter().map(|name| name.parse().unwrap()).collect();
            let Ok(group) = Group::new(servers.clone(), false) else { return Ok(()) };
            for server in &servers {
                let shown = Group::shown(server, &tool);
                prop_assert_eq!(group.resolve(&shown), Some((server, &*tool)));
                let readings = servers.iter().filter(|other| shown.starts_with(&prefix(other))).count();
                prop_assert_eq!(readings, 1);
            }
        }
    }
}
