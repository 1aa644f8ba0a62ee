use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    Call,
    condition::{Condition, Is},
    hours::Hours,
    pattern::AnyOf,
    rate::Rate,
};
use crate::model::{Marks, Verb};

/// A rule: what it is about, and what is then done. What is not named is all of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// What is done.
    pub(super) then: Verb,
    /// Why, for whoever asks and whoever is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<AnyOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<AnyOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<AnyOf>,
    /// How the pinned definition marks the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    marked: Option<Marked>,
    /// What the arguments are, every one of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    arguments: Vec<Condition>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    during: Option<Hours>,
    /// For the calls beyond this rate, of each client and server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beyond: Option<Rate>,
}

/// Marks a tool must have, or must not (MCP, "Tool annotations"), as far as they are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Marked {
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destructive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotent: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_world: Option<bool>,
}

impl Rule {
    /// Whether the rule is about this call; its rate aside.
    pub(super) fn is_about(&self, call: &Call<'_>, now: Timestamp, zone: &TimeZone) -> bool {
        let named = |pattern: &Option<AnyOf>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
        };
        if !named(&self.server, call.server.as_str())
            || !named(&self.tool, call.tool)
            || !named(&self.client, call.client)
            || !self.marked.is_none_or(|marked| marked.fits(call.marks))
            || !self.during.as_ref().is_none_or(|hours| hours.contain(now, zone))
        {
            return false;
        }
        let clear = self.arguments.iter().map(|condition| condition.test(call.arguments)).min();
        match clear.unwrap_or(Is::Yes) {
            Is::Yes => true,
            Is::Unclear => self.then != Verb::Allow,
            Is::No => false,
        }
    }
}

impl Marked {
    fn fits(self, marks: Marks) -> bool {
        let fits = |asked: Option<bool>, is: bool| asked.is_none_or(|asked| asked == is);
        fits(self.read_only, marks.read_only)
            && fits(self.destructive, marks.destructive)
            && fits(self.idempotent, marks.idempotent)
            && fits(self.open_world, marks.open_world)
    }
}
