//! Removal: everything that belongs to a server goes, and what could not go is said.

use super::{Host, servers::no_such_server};
use crate::{
    audit::Part,
    control::api::{ApiError, RemovedServer},
    model::ServerName,
};

impl Host {
    /// Removes a server. Its file goes last: until then the removal can be tried again.
    pub(super) async fn remove(
        &self,
        name: &ServerName,
        keep_state: bool,
    ) -> Result<RemovedServer, ApiError> {
        let _held = self.0.names.hold(name, "removed")?;
        let listed = self.0.registry.list().into_iter().find(|listed| listed.name == *name);
        let listed = listed.ok_or_else(|| no_such_server(name))?;
        let mut account = Account::default();

        if self.0.sandbox.has(name) {
            account.note("container", self.0.sandbox.stop(name).await);
        }
        for change in self.disconnect_everywhere(&name.clone().into()).await {
            account.note_change(change);
        }
        match self.revoke_tokens_of(&name.clone().into()) {
            Ok(0) => {}
            Ok(tokens) => account.done(format!("{tokens} token(s)")),
            Err(error) => account.problem("tokens", &error),
        }
        for secret in self.0.secrets.names(name)? {
            account.note(&format!("secret {secret}"), self.0.secrets.remove(name, &secret).await);
        }
        if !keep_state {
            // A file that is broken or was edited does not say what the server stored before.
            let may_keep = listed.server.as_ref().is_none_or(|server| server.permissions.state.is_some());
            match self.0.sandbox.erase_state(name).await {
                Ok(true) => account.done("what it stored".into()),
                Ok(false) => {}
                Err(error) if may_keep => account.problem("what it stored", &error),
                Err(error) => {
                    tracing::debug!(server = %name, %error, "whether it had stored something is not known")
                }
            }
            let had = listed.server.as_ref().is_none_or(|server| server.permissions.workspace.is_some());
            match self.0.sandbox.erase_workspace(name).await {
                Ok(true) => account.done("its workspace, with all snapshots".into()),
                Ok(false) => {}
                Err(error) if had => account.problem("its workspace", &error),
                Err(error) => {
                    tracing::debug!(server = %name, %error, "whether it had a workspace is not known")
                }
            }
        }

        let host = self.clone();
        let file = name.clone();
        let removed = tokio::task::spawn_blocking(move || {
            // The lockfile is a record, not a promise: without it nothing is lost.
            drop(std::fs::remove_dir_all(host.0.paths.data.join("locks").join(file.as_str())));
            host.0.registry.remove(&file)
        });
        match removed.await {
            Ok(removed) => removed.map(drop)?,
            Err(error) => account.problem("file", &error),
        }
        account.done("file".into());
        if let Err(error) = self.0.pins.forget(name) {
            account.problem("what it said of itself", &error);
        }
        if let Err(error) = self.0.gate.review().forget(name) {
            account.problem("what was accepted of it", &error);
        }
        if let Err(error) = self.0.gate.approvals().forget(name) {
            account.problem("what was granted for it", &error);
        }
        if let Err(error) = self.0.verifications.forget(name) {
            account.problem("what was verified of it", &error);
        }
        self.0.sandbox.forget(name);
        self.configured(Some(name), Part::Server, name.as_str(), "removed");
        if let Some(server) = &listed.server {
            self.drop_image(server).await;
        }
        Ok(RemovedServer { removed: account.removed, problems: account.problems })
    }
}

/// What was removed, and what was not.
#[derive(Debug, Default)]
struct Account {
    removed: Vec<String>,
    problems: Vec<String>,
}

impl Account {
    fn note<T, E: std::fmt::Display>(&mut self, what: &str, outcome: Result<T, E>) {
        match outcome {
            Ok(_) => self.done(what.to_owned()),
            Err(error) => self.problem(what, &error),
        }
    }

    fn note_change(&mut self, change: Result<String, ApiError>) {
        match change {
            Ok(what) => self.done(what),
            Err(error) => self.problems.push(error.to_string()),
        }
    }

    fn done(&mut self, what: String) {
        self.removed.push(what);
    }

    fn problem(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.problems.push(format!("{what}: {error}"));
    }
}
