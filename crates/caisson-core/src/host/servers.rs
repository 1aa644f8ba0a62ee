//! Servers at a glance and in full; start, stop, restart, plan.

use super::Host;
use crate::{
    control::api::{ApiError, ErrorCode, PlanRow, PlanView, ServerDetails, ServerList, ServerView},
    model::{SecretName, Server, ServerName, ServerState},
    registry::Listed,
    sandbox::{Plan, PlanLine},
};

impl Host {
    pub(super) async fn list(&self) -> ServerList {
        let mut verified = self.verified().await;
        let view = |listed: Listed| {
            let verified = verified.remove(&listed.name);
            ServerView { verified, ..self.view_of(listed) }
        };
        let servers = self.0.registry.list().into_iter().map(view).collect();
        ServerList { servers, paused: self.0.sandbox.is_paused() }
    }

    pub(super) async fn show(&self, name: &ServerName) -> Result<ServerDetails, ApiError> {
        let listed = self.listed(name)?;
        let definition = listed.server.clone();
        let missing = match &definition {
            Some(server) => self.missing_secrets(name, server)?,
            None => Vec::new(),
        };
        Ok(ServerDetails {
            view: self.view(name).await?,
            definition,
            file: self.0.registry.file(name),
            missing_secrets: missing.into_iter().map(String::from).collect(),
        })
    }

    pub(super) async fn view(&self, name: &ServerName) -> Result<ServerView, ApiError> {
        let view = self.view_of(self.listed(name)?);
        Ok(ServerView { verified: self.verified_of(name).await, ..view })
    }

    pub(super) async fn plan(&self, name: &ServerName) -> Result<PlanView, ApiError> {
        let server = self.in_force(name)?;
        let plan = self.0.sandbox.plan(name).await?;
        Ok(self.advised(name, &server, &plan, view(&plan)?).await)
    }

    pub(super) async fn start(&self, name: &ServerName) -> Result<ServerView, ApiError> {
        self.in_force(name)?;
        self.0.sandbox.start(name).await?;
        self.view(name).await
    }

    pub(super) async fn stop(&self, name: &ServerName) -> Result<ServerView, ApiError> {
        self.in_force(name)?;
        self.0.sandbox.stop(name).await?;
        self.view(name).await
    }

    pub(super) async fn restart(&self, name: &ServerName) -> Result<ServerView, ApiError> {
        self.in_force(name)?;
        self.0.sandbox.restart(name).await?;
        self.view(name).await
    }

    /// The server in force under `name`, which the sandbox knows from here on if it did not yet.
    pub(super) fn in_force(&self, name: &ServerName) -> Result<Server, ApiError> {
        let listed = self.listed(name)?;
        match (listed.server, listed.broken) {
            (Some(server), _) => {
                // A file may have been written a moment ago, and its change still be on its way.
                self.0.sandbox.define(name, server.clone());
                Ok(server)
            }
            (None, broken) => {
                let why = broken.map(|broken| broken.to_string()).unwrap_or_default();
                let file = self.0.registry.file(name);
                Err(ApiError::new(ErrorCode::Invalid, format!("the file of {name} is broken"))
                    .why(why)
                    .fix(format!("correct {}", file.display())))
            }
        }
    }

    /// Secrets a server was granted and that have no value.
    pub(super) fn missing_secrets(
        &self,
        name: &ServerName,
        server: &Server,
    ) -> Result<Vec<SecretName>, ApiError> {
        let granted = &server.permissions.secrets;
        if granted.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.0.secrets.names(name)?;
        Ok(granted.iter().map(|grant| grant.name.clone()).filter(|name| !stored.contains(name)).collect())
    }

    pub(super) fn listed(&self, name: &ServerName) -> Result<Listed, ApiError> {
        let found = self.0.registry.list().into_iter().find(|listed| listed.name == *name);
        found.ok_or_else(|| no_such_server(name))
    }

    fn view_of(&self, listed: Listed) -> ServerView {
        ServerView {
            source: listed.server.map(|server| server.source.to_string()),
            state: self.0.sandbox.state(&listed.name).unwrap_or(ServerState::Stopped),
            broken: listed.broken.map(|broken| broken.to_string()),
            url: self.url(&listed.name.clone().into()),
            name: listed.name,
            verified: None,
        }
    }
}

pub(super) fn no_such_server(name: &ServerName) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("no server is called {name}"))
        .fix("`caisson list` shows those there are")
}

/// A plan for review.
pub(super) fn view(plan: &Plan) -> Result<PlanView, ApiError> {
    let unwritable = |error: serde_json::Error| ApiError::new(ErrorCode::Internal, error.to_string());
    let rows = plan.explain().into_iter().map(|PlanLine { what, value, why }| PlanRow { what, value, why });
    Ok(PlanView {
        hash: plan.hash().clone(),
        rows: rows.collect(),
        warnings: plan.warnings().to_vec(),
        plan: serde_json::to_value(plan).map_err(unwritable)?,
    })
}
