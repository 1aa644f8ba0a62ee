//! What the user wants done with what is found: the `[dlp]` section of the policy file, as data.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Checksum, Direction, Kind, KindPattern};

/// Rules that stand behind the user's: the first that fits decides, and these fit everything.
const DEFAULTS: &str = include_str!("defaults.toml");

/// The user's rules, detectors and canaries. Empty, the defaults alone hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DlpPolicy {
    /// What is done, in the order they are asked. The first that fits decides.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<DlpRule>,
    /// What else is looked for.
    #[serde(rename = "detector", skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<Detector>,
    /// Texts planted where nobody should read: whoever passes one on has read there.
    #[serde(rename = "canary", skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<Canary>,
}

/// What is done with some kinds of things, in some places. What is left out is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DlpRule {
    /// For these kinds.
    pub kind: KindPattern,
    /// For messages that go this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// For this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// For calls of this tool and their results; with a `*` at its end, for all tools that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What is done.
    pub action: Action,
}

/// What is done with what is found, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing, and nobody hears of it.
    Ignore,
    /// It is written down.
    Log,
    /// The user is told, or asked where something waits for an answer.
    Warn,
    /// It is taken out of the message, which goes on.
    Redact,
    /// The message does not go on.
    Block,
}

/// How one kind of thing is known. The same for those that are built in and those of the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// The kind of thing it finds.
    pub kind: Kind,
    /// What people call it: `GitHub token`.
    pub title: String,
    /// It begins with one of these, in either case: only there the expression is tried. Without any, it is tried
    /// everywhere, which is slow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// It is tried where numbers of 12 digits or more stand, in place of keywords.
    #[serde(default, skip_serializing_if = "is_false")]
    pub numbers: bool,
    /// The thing itself, on bytes (`(?u)` for Unicode). With a group, the first is the thing and the rest is what
    /// stands beside it.
    pub regex: String,
    /// So many bytes before a keyword the thing may begin.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub before: usize,
    /// The longest it may be with what stands beside it, in bytes, counted from the keyword. 512 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<usize>,
    /// The least bits of entropy each character has: less is a placeholder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// What it must come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Whether letters and digits may stand right beside it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub within_words: bool,
}

/// A text the user planted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// What it is called: findings are of the kind `canary.NAME`.
    pub name: String,
    /// The text, found in every usual encoding. At least 8 bytes.
    pub text: String,
}

impl DlpRule {
    /// Whether it holds for messages of this way, server and tool.
    pub(super) fn fits(&self, direction: Direction, server: &str, tool: Option<&str>) -> bool {
        let fits_tool = |pattern: &String| match (pattern.strip_suffix('*'), tool) {
            (Some(start), Some(tool)) => tool.starts_with(start),
            (None, Some(tool)) => tool == pattern,
            (_, None) => false,
        };
        self.direction.is_none_or(|only| only == direction)
            && self.server.as_ref().is_none_or(|only| only == server)
            && self.tool.as_ref().is_none_or(fits_tool)
    }
}

/// The rules that hold where the user's say nothing.
///
/// # Errors
/// Never: a test reads them.
pub(super) fn defaults() -> Result<Vec<DlpRule>, toml::de::Error> {
    toml::from_str::<DlpPolicy>(DEFAULTS).map(|policy| policy.rules)
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canary({}, {} bytes)", self.name, self.text.len())
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_strictly() {
        let text = r#"
            [[rule]]
            kind = "personal.*"
            direction = "to_server"
            server = "mail"
            tool = "send_*"
            action = "block"

            [[detector]]
            kind = "acme.badge"
            title = "Acme badge"
            keywords = ["ACME-"]
            regex = 'ACME-[0-9]{6}'

            [[canary]]
            name = "vault"
            text = "the quick brown canary"
        "#;
        let policy: DlpPolicy = toml::from_str(text).unwrap();
        assert_eq!(toml::from_str::<DlpPolicy>(&toml::to_string(&policy).unwrap()).unwrap(), policy);
        assert!(!format!("{policy:?}").contains("quick"));

        let rule = &policy.rules[0];
        let fits = |direction, server: &str, tool| rule.fits(direction, server, tool);
        assert!(fits(Direction::ToServer, "mail", Some("send_now")));
        assert!(!fits(Direction::ToServer, "mail", Some("read")));
        assert!(!fits(Direction::ToServer, "mail", None));
        assert!(!fits(Direction::ToServer, "other", Some("send_now")));
        assert!(!fits(Direction::ToClient, "mail", Some("send_now")));

        for wrong in [
            "[[rule]]\nkind = 'a'",
            "[[rule]]\nkind = 'a'\naction = 'shout'",
            "[[rule]]\nkind = 'a'\naction = 'log'\ntols = 'x'",
            "[[detector]]\nkind = 'a'\ntitle = 'A'",
            "[[canaries]]\nname = 'a'\ntext = 'b'",
        ] {
            assert!(toml::from_str::<DlpPolicy>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_defaults_decide_everything() {
        let rules = defaults().unwrap();
        let kind = "made.up".parse().unwrap();
        for direction in [Direction::ToServer, Direction::ToClient] {
            assert!(rules.iter().any(|rule| rule.kind.has(&kind) && rule.fits(direction, "a", None)));
        }
    }
}
