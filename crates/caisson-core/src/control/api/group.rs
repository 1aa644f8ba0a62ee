use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{Group, GroupName, ServerName};

/// All groups, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListGroups {}

/// The answer to [`ListGroups`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GroupList {
    /// The groups.
    pub groups: Vec<GroupView>,
    /// What is wrong with their file, with line and column; the last good version stays in force.
    pub broken: Option<String>,
}

/// A group at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GroupView {
    /// Its name.
    pub name: GroupName,
    /// What it is made of.
    pub group: Group,
    /// Its servers that are not installed, and that clients do without.
    pub missing: Vec<ServerName>,
    /// Its address for clients that speak Streamable HTTP.
    pub url: String,
}

/// Makes a group, or changes the one of this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SetGroup {
    /// Its name.
    pub name: GroupName,
    /// What it is to be made of.
    pub group: Group,
}

/// Removes a group. Its servers stay installed; clients connected to it are disconnected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoveGroup {
    /// The group.
    pub name: GroupName,
}
