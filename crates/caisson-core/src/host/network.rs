//! What servers may reach: shown, decided on, and learnt in a trial.

use std::{path::PathBuf, time::SystemTime};

use super::Host;
use crate::{
    audit::{Happening, Phase},
    control::{
        Notices,
        api::{AllowFolder, ApiError, ErrorCode, Learn, Learning, NetworkView, Proposal, Propose},
    },
    model::{Event, FolderGrant, HostRule, Permissions, ServerName, utc},
    sandbox::{Folders, Traffic},
};

impl Host {
    pub(super) fn network(&self, name: &ServerName) -> Result<NetworkView, ApiError> {
        let Permissions { hosts, blocked, .. } = self.in_force(name)?.permissions;
        let Traffic { reached, tried, missed } = self.0.sandbox.traffic(name)?;
        let missed = missed.into_iter().map(|(missed, _)| missed).collect();
        let once = self.0.sandbox.allowed_once(name)?;
        Ok(NetworkView { allowed: hosts, once, blocked, reached, tried, missed })
    }

    pub(super) async fn allow_host(
        &self,
        name: &ServerName,
        rule: HostRule,
        once: bool,
    ) -> Result<NetworkView, ApiError> {
        let permissions = self.in_force(name)?.permissions;
        if once && permissions.blocked.contains(&rule) {
            return Err(ApiError::new(ErrorCode::Refused, format!("{rule} is blocked for {name}"))
                .fix(format!("take that back first: `caisson network forget {name} {rule}`")));
        }
        if once {
            self.0.sandbox.allow_once(name, rule.clone())?;
        } else {
            let allowed = rule.clone();
            self.change(name, move |permissions| {
                permissions.blocked.retain(|blocked| *blocked != allowed);
                if !permissions.hosts.contains(&allowed) {
                    permissions.hosts.push(allowed);
                }
            })
            .await?;
            self.0.sandbox.settle(name, &rule)?;
        }
        self.decided(name, if once { "allowed once" } else { "allowed" }, &rule.to_string());
        self.network(name)
    }

    pub(super) async fn block_host(
        &self,
        name: &ServerName,
        rule: HostRule,
    ) -> Result<NetworkView, ApiError> {
        let blocked = rule.clone();
        self.change(name, move |permissions| {
            permissions.hosts.retain(|allowed| *allowed != blocked);
            if !permissions.blocked.contains(&blocked) {
                permissions.blocked.push(blocked);
            }
        })
        .await?;
        self.0.sandbox.take_back(name, Some(&rule))?;
        self.0.sandbox.settle(name, &rule)?;
        self.decided(name, "blocked", &rule.to_string());
        self.network(name)
    }

    pub(super) async fn forget_host(
        &self,
        name: &ServerName,
        rule: HostRule,
    ) -> Result<NetworkView, ApiError> {
        let Permissions { hosts, blocked, .. } = self.in_force(name)?.permissions;
        let stands = hosts.contains(&rule) || blocked.contains(&rule);
        if !self.0.sandbox.take_back(name, Some(&rule))? && !stands {
            return Err(ApiError::new(
                ErrorCode::NotFound,
                format!("nothing was decided on {rule} for {name}"),
            )
            .fix(format!("`caisson network show {name}` shows what was")));
        }
        if stands {
            let forgotten = rule.clone();
            self.change(name, move |permissions| {
                permissions.hosts.retain(|allowed| *allowed != forgotten);
                permissions.blocked.retain(|blocked| *blocked != forgotten);
            })
            .await?;
        }
        self.decided(name, "taken back", &rule.to_string());
        self.network(name)
    }

    pub(super) async fn allow_folder(&self, allow: AllowFolder) -> Result<NetworkView, ApiError> {
        let AllowFolder { server: name, folder, write } = allow;
        self.in_force(&name)?;
        let grant = FolderGrant { host: folder.clone(), inside: folder.clone(), write };
        let (checked, places) = (grant.clone(), self.0.places.clone());
        let checking = tokio::task::spawn_blocking(move || Folders::resolve(&[checked], &places));
        checking.await.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        self.change(&name, move |permissions| {
            permissions.folders.retain(|there| there.inside != grant.inside);
            permissions.folders.push(grant);
        })
        .await?;
        self.0.sandbox.settle_folder(&name, &folder)?;
        let what = if write { "shown, writable" } else { "shown, read-only" };
        self.decided(&name, what, &folder.display().to_string());
        self.network(&name)
    }

    /// Runs a trial for as long as the answer's future lives.
    pub(super) fn try_out(
        &self,
        learn: &Learn,
        notices: Notices,
    ) -> Result<(Learning, impl Future<Output = ()> + Send + use<>), ApiError> {
        self.in_force(&learn.server)?;
        let events = self.events(notices);
        self.0.sandbox.set_trial(&learn.server, Some(learn.trial))?;
        let trial = Trying { host: self.clone(), server: learn.server.clone() };
        let what = format!("{:?}", learn.trial).to_lowercase();
        self.decided(&learn.server, "a trial began", &what);
        let running = async move {
            let _until_dropped = trial;
            events.await;
        };
        Ok((Learning { since: utc::millis(SystemTime::now()) }, running))
    }

    pub(super) fn propose(&self, propose: &Propose) -> Result<Proposal, ApiError> {
        let permissions = self.in_force(&propose.server)?.permissions;
        Ok(proposal(&permissions, &self.0.sandbox.traffic(&propose.server)?, propose.since))
    }

    /// Changes a server's permissions, in its file and, before this returns, in force.
    async fn change(
        &self,
        name: &ServerName,
        change: impl FnOnce(&mut Permissions) + Send + 'static,
    ) -> Result<(), ApiError> {
        let (registry, edited) = (self.0.registry.clone(), name.clone());
        let edit = move || registry.edit(&edited, |server| change(&mut server.permissions));
        let server = tokio::task::spawn_blocking(edit).await;
        let server = server.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        self.0.sandbox.define(name, server);
        Ok(())
    }

    fn decided(&self, name: &ServerName, change: &str, rule: &str) {
        let happening = Happening::Rules { change: change.to_owned(), rule: rule.to_owned() };
        self.0.audit.note(name, Phase::Run, happening);
        // Nobody watching is fine.
        drop(self.0.events.send(Event::Rules { server: name.clone() }));
    }
}

/// A trial that runs; over when dropped.
struct Trying {
    host: Host,
    server: ServerName,
}

impl Drop for Trying {
    fn drop(&mut self) {
        // A server that was removed meanwhile has no trial.
        if self.host.0.sandbox.set_trial(&self.server, None).is_ok() {
            self.host.decided(&self.server, "a trial ended", "");
        }
    }
}

/// The smallest permissions that cover what happened since `since`. Pure.
fn proposal(permissions: &Permissions, traffic: &Traffic, since: u64) -> Proposal {
    let mut proposal = Proposal::default();
    let mut propose = |rule: HostRule| {
        let blocked = permissions.blocked.contains(&rule);
        if !blocked && !permissions.hosts.contains(&rule) && !proposal.allow.contains(&rule) {
            proposal.allow.push(rule);
        }
    };
    let reached: Vec<_> = traffic.reached.iter().filter(|reached| reached.last >= since).collect();
    for reached in &reached {
        let covered = permissions.hosts.iter().any(|rule| rule.matches(&reached.host, reached.port));
        if let (false, Ok(rule)) = (covered, HostRule::exactly(&reached.host, reached.port)) {
            propose(rule);
        }
    }
    for tried in traffic.tried.iter().filter(|tried| tried.last >= since) {
        match &tried.rule {
            // Of a host that was asked for by name and then connected to, the connection tells more.
            Some(_) if tried.port == 0 && reached.iter().any(|reached| reached.host == tried.host) => {}
            Some(rule) => propose(rule.clone()),
            None => proposal.impossible.push(format!("{}:{}: {}", tried.host, tried.port, tried.reason)),
        }
    }
    proposal.allow.sort();
    let used = |rule: &&HostRule| !reached.iter().any(|reached| rule.matches(&reached.host, reached.port));
    proposal.unused = permissions.hosts.iter().filter(used).cloned().collect();
    let shown = |folder: &PathBuf| permissions.folders.iter().any(|grant| grant.inside == *folder);
    let missed = traffic.missed.iter().filter(|(missed, last)| *last >= since && !shown(&missed.folder));
    proposal.folders = missed.map(|(missed, _)| missed.clone()).collect();
    proposal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        egress::NoWay,
        model::Refused,
        sandbox::{Missed, Reached, Tried},
    };

    fn reached(host: &str, port: u16, last: u64) -> Reached {
        Reached { host: host.into(), port, connections: 1, open: 0, sent: 0, received: 0, last }
    }

    fn tried(host: &str, port: u16, last: u64) -> Tried {
        let NoWay { why, detail, rule } = NoWay::not_allowed(host, port);
        Tried { host: host.into(), port, times: 1, last, why, reason: detail, rule }
    }

    #[test]
    fn the_smallest_permissions_are_proposed() {
        let rules =
            |rules: &[&str]| rules.iter().map(|rule| rule.parse().unwrap()).collect::<Vec<HostRule>>();
        let permissions = Permissions {
            hosts: rules(&["*.known.example", "unused.example"]),
            blocked: rules(&["never.example"]),
            ..Permissions::default()
        };
        let mut never = tried("169.254.169.254", 80, 9);
        (never.why, never.rule, never.reason) = (Refused::Closed, None, "no".into());
        let folder = |path: &str| Missed { folder: path.into(), write: false };
        let traffic = Traffic {
            reached: vec![
                reached("a.known.example", 443, 9),
                reached("b.example", 5432, 9),
                reached("old.example", 443, 1),
            ],
            tried: vec![
                tried("c.example", 0, 9),
                tried("b.example", 0, 9),
                tried("never.example", 443, 9),
                never,
            ],
            missed: vec![(folder("/home/me/notes"), 9), (folder("/home/me/old"), 1)],
        };
        let proposal = proposal(&permissions, &traffic, 5);
        assert_eq!(proposal.allow, rules(&["b.example:5432", "c.example"]));
        assert_eq!(proposal.unused, rules(&["unused.example"]));
        assert_eq!(proposal.folders, [folder("/home/me/notes")]);
        assert_eq!(proposal.impossible, ["169.254.169.254:80: no"]);
    }
}
