//! What one server may reach at each moment: what its file says, what was allowed for the time being, and a trial.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::outbound::Rules;
use crate::{
    egress::{HostRules, Trial},
    model::{HostRule, Permissions},
};

/// The rules of one server, and who may change them.
#[derive(Debug)]
pub(super) struct Allowance {
    parts: Mutex<Parts>,
    rules: watch::Sender<Arc<HostRules>>,
}

#[derive(Debug, Default)]
struct Parts {
    granted: Vec<HostRule>,
    blocked: Vec<HostRule>,
    /// Allowed until the server stops.
    once: Vec<HostRule>,
    trial: Option<Trial>,
}

impl Allowance {
    pub(super) fn new(permissions: &Permissions) -> Self {
        let allowance = Self { parts: Mutex::default(), rules: watch::Sender::default() };
        allowance.grant(permissions);
        allowance
    }

    /// The rules in force, at each moment.
    pub(super) fn rules(&self) -> Rules {
        self.rules.subscribe()
    }

    /// Puts what a server's file says in force.
    pub(super) fn grant(&self, permissions: &Permissions) {
        self.change(|parts| {
            parts.granted.clone_from(&permissions.hosts);
            parts.blocked.clone_from(&permissions.blocked);
        });
    }

    /// Allows a host until the server stops.
    pub(super) fn allow_once(&self, rule: HostRule) {
        self.change(|parts| {
            if !parts.once.contains(&rule) {
                parts.once.push(rule);
            }
        });
    }

    /// Takes back what was allowed for the time being: this rule, or all. Whether there was any.
    pub(super) fn take_back(&self, rule: Option<&HostRule>) -> bool {
        self.change(|parts| {
            let before = parts.once.len();
            parts.once.retain(|once| rule.is_some_and(|rule| once != rule));
            parts.once.len() < before
        })
    }

    /// What is allowed until the server stops.
    pub(super) fn once(&self) -> Vec<HostRule> {
        self.parts().once.clone()
    }

    /// Begins a trial, or ends it.
    pub(super) fn set_trial(&self, trial: Option<Trial>) {
        self.change(|parts| parts.trial = trial);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Parts) -> T) -> T {
        // Held while the rules are sent, so that they come in the order of the changes.
        let mut parts = self.parts();
        let answer = change(&mut parts);
        let allowed = parts.granted.iter().chain(&parts.once).cloned().collect();
        let rules = HostRules { allowed, blocked: parts.blocked.clone().into(), trial: parts.trial };
        self.rules.send_if_modified(|there| {
            let changed = **there != rules;
            if changed {
                *there = Arc::new(rules);
            }
            changed
        });
        answer
    }

    // No panic happens while the lock is held.
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force() {
        let rule = |rule: &str| rule.parse::<HostRule>().unwrap();
        let granted = Permissions { hosts: vec![rule("a.com")], ..Permissions::default() };
        let allowance = Allowance::new(&granted);
        let mut rules = allowance.rules();
        let allowed = |rules: &mut Rules| {
            rules.borrow_and_update().allowed.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(allowed(&mut rules), ["a.com:443"]);
        allowance.allow_once(rule("b.com"));
        allowance.allow_once(rule("b.com"));
        assert_eq!(allowed(&mut rules), ["a.com:443", "b.com:443"]);
        allowance.grant(&granted);
        assert!(!rules.has_changed().unwrap(), "nothing changed");
        assert!(!allowance.take_back(Some(&rule("c.com"))) && allowance.take_back(None));
        assert_eq!(allowed(&mut rules), ["a.com:443"]);
        allowance.set_trial(Some(Trial::Ask));
        assert_eq!(rules.borrow().trial, Some(Trial::Ask));
    }
}
