use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Event, HostRule, PinKind, ServerName};

/// What a server is kept from, and a person may let it have. Nobody waits for the answer: until there is one, it is a no.
/// What the server has said is in it as it is: show it escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "offer", rename_all = "snake_case")]
pub enum Offer {
    /// To reach a host.
    Reach {
        /// The server.
        server: ServerName,
        /// What would have to be allowed.
        rule: HostRule,
        /// Why it was refused.
        reason: String,
    },
    /// To say something else of itself than was accepted.
    Change {
        /// The server.
        server: ServerName,
        /// What it is.
        kind: PinKind,
        /// What it is called.
        name: String,
        /// Whether there was none of that name; else it was changed.
        is_new: bool,
    },
}

impl Offer {
    /// What an event tells that a person may decide on.
    pub fn of(event: &Event) -> Option<Self> {
        if let Event::EgressRefused { server, rule: Some(rule), reason, .. } = event {
            let (server, rule, reason) = (server.clone(), rule.clone(), reason.clone());
            return Some(Self::Reach { server, rule, reason });
        }
        if let Event::Quarantined { server, kind, name, is_new } = event {
            let (server, name) = (server.clone(), name.clone());
            return Some(Self::Change { server, kind: *kind, name, is_new: *is_new });
        }
        None
    }

    /// The server.
    pub fn server(&self) -> &ServerName {
        match self {
            Self::Reach { server, .. } | Self::Change { server, .. } => server,
        }
    }

    /// Whether both are about the same thing, however often it was tried and why it was refused.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Reach { server, rule, .. }, Self::Reach { server: of, rule: to, .. }) => {
                (server, rule) == (of, to)
            }
            (
                Self::Change { server, kind, name, .. },
                Self::Change { server: of, kind: what, name: called, .. },
            ) => (server, kind, name) == (of, what, called),
            (Self::Reach { .. }, Self::Change { .. }) | (Self::Change { .. }, Self::Reach { .. }) => false,
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reach { server, rule, .. } => write!(f, "{server} tried to reach {rule}"),
            Self::Change { server, kind, name, is_new } => {
                let has = if *is_new { "has a new" } else { "has changed its" };
                write!(f, "{server} {has} {}", kind.title(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Refused;

    #[test]
    fn what_cannot_be_allowed_is_not_offered() {
        let refused = |host: &str, rule: Option<&str>, reason: &str| Event::EgressRefused {
            server: "fetch".parse().unwrap(),
            host: host.into(),
            port: 443,
            why: Refused::NotAllowed,
            reason: reason.into(),
            rule: rule.map(|rule| rule.parse().unwrap()),
        };
        assert_eq!(Offer::of(&refused("169.254.169.254", None, "never")), None);
        let first = Offer::of(&refused("a.example", Some("a.example"), "no rule allows it")).unwrap();
        let again = Offer::of(&refused("a.example", Some("a.example:443"), "nor now")).unwrap();
        let other = Offer::of(&refused("a.example", Some("a.example:80"), "no rule allows it")).unwrap();
        assert!(first.is_same(&again) && !first.is_same(&other));
        assert_eq!(first.to_string(), "fetch tried to reach a.example:443");
        let change = Offer::Change {
            server: "fetch".parse().unwrap(),
            kind: PinKind::Tool,
            name: "get".into(),
            is_new: false,
        };
        assert!(!first.is_same(&change));
        assert_eq!(change.to_string(), "fetch has changed its tool get");
    }
}
