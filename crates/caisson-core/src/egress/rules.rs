use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::HostRule;

/// What a server may reach, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRules {
    /// What the user has allowed, and what is allowed for the time being.
    pub allowed: Arc<[HostRule]>,
    /// What the user has refused for good. It wins over what is allowed: `*.example.com` but not this one.
    pub blocked: Arc<[HostRule]>,
    /// A trial that runs.
    pub trial: Option<Trial>,
}

/// A trial, which is to find out what a server wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Trial {
    /// It still reaches nothing but what is allowed; what it wants is learnt in full, with its port.
    Ask,
    /// It reaches whatever lies outside.
    Open,
}

/// What the rules say of a host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A rule allows it, or a trial does.
    Allowed,
    /// This rule refuses it.
    Blocked(HostRule),
    /// No rule is about it.
    Unknown,
}

impl HostRules {
    /// These hosts and no others.
    pub fn allowing(allowed: impl Into<Arc<[HostRule]>>) -> Self {
        Self { allowed: allowed.into(), ..Self::default() }
    }

    /// What is decided about `host`:`port`; about a name alone where the port is 0. Pure.
    pub fn decide(&self, host: &str, port: u16) -> Decision {
        let is_about = |rule: &&HostRule| rule.matches(host, if port == 0 { rule.port() } else { port });
        let about = |rules: &[HostRule]| rules.iter().find(is_about).cloned();
        if let Some(rule) = about(&self.blocked) {
            Decision::Blocked(rule)
        } else if self.trial == Some(Trial::Open) || about(&self.allowed).is_some() {
            Decision::Allowed
        } else {
            Decision::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allowed: &[&str], blocked: &[&str], trial: Option<Trial>) -> HostRules {
        let parse = |rules: &[&str]| rules.iter().map(|rule| rule.parse().unwrap()).collect();
        HostRules { allowed: parse(allowed), blocked: parse(blocked), trial }
    }

    #[test]
    fn decisions() {
        use Decision::{Allowed, Blocked, Unknown};
        let star = rules(&["*.example.com"], &["t.example.com"], None);
        let blocked = Blocked("t.example.com".parse().unwrap());
        for (rules, host, port, decision) in [
            (&star, "a.example.com", 443, Allowed),
            (&star, "a.example.com", 80, Unknown),
            (&star, "a.example.com", 0, Allowed),
            (&star, "t.example.com", 0, blocked.clone()),
            (&star, "a.example.org", 0, Unknown),
            (&star, "example.com", 443, Unknown),
            (&star, "T.example.com.", 443, blocked.clone()),
            (&rules(&[], &["t.example.com"], Some(Trial::Open)), "t.example.com", 443, blocked),
            (&rules(&[], &[], Some(Trial::Open)), "a.example.org", 22, Allowed),
            (&rules(&[], &[], Some(Trial::Ask)), "", 443, Unknown),
        ] {
            assert_eq!(rules.decide(host, port), decision, "{host}:{port}");
        }
    }
}
