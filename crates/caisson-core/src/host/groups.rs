//! Groups: servers that clients are shown as one.

use std::time::Duration;

use super::Host;
use crate::{
    audit::Part,
    control::api::{ApiError, Done, ErrorCode, GroupList, GroupView, SetGroup},
    model::{Endpoint, Group, GroupName, LifeSettings, ServerName},
};

impl Host {
    pub(super) fn list_groups(&self) -> GroupList {
        let groups = self.0.registry.groups().borrow().clone();
        GroupList {
            groups: groups.iter().map(|(name, group)| self.group_view(name, group)).collect(),
            broken: self.0.registry.groups_broken().map(|broken| broken.to_string()),
        }
    }

    pub(super) async fn set_group(&self, set: SetGroup) -> Result<GroupView, ApiError> {
        let SetGroup { name, group } = set;
        for server in group.servers() {
            self.listed(server)?;
        }
        let view = self.group_view(&name, &group);
        let of: Vec<&str> = group.servers().iter().map(ServerName::as_str).collect();
        let (of, noted) = (format!("set to {}", of.join(", ")), name.clone());
        let host = self.clone();
        self.change_groups(move || {
            host.0.registry.edit_groups(|groups| {
                groups.insert(name, group);
                Ok(())
            })
        })
        .await?;
        self.configured(None, Part::Group, noted.as_str(), &of);
        Ok(view)
    }

    pub(super) async fn remove_group(&self, name: GroupName) -> Result<Done, ApiError> {
        self.start_timeout(&name.clone().into())?;
        for change in self.disconnect_everywhere(&name.clone().into()).await {
            change?;
        }
        self.revoke_tokens_of(&name.clone().into())?;
        let (host, removed) = (self.clone(), name.clone());
        self.change_groups(move || {
            host.0.registry.edit_groups(|groups| {
                groups.remove(&name);
                Ok(())
            })
        })
        .await?;
        self.configured(None, Part::Group, removed.as_str(), "removed");
        Ok(Done {})
    }

    /// How long an endpoint may take to answer its first request.
    ///
    /// # Errors
    /// When there is no such endpoint, or no version of its file can be used.
    pub(super) fn start_timeout(&self, endpoint: &Endpoint) -> Result<Duration, ApiError> {
        match endpoint {
            Endpoint::Server(server) => Ok(self.in_force(server)?.life.start_timeout()),
            Endpoint::Group(group) if self.0.installed.groups.has(group) => {
                Ok(LifeSettings::default().start_timeout())
            }
            Endpoint::Group(group) => Err(no_such_group(group)),
        }
    }

    /// Says why when there is no such endpoint.
    pub(super) fn known(&self, endpoint: &Endpoint) -> Result<(), ApiError> {
        match endpoint {
            Endpoint::Server(server) => self.listed(server).map(drop),
            Endpoint::Group(group) if self.0.installed.groups.has(group) => Ok(()),
            Endpoint::Group(group) => Err(no_such_group(group)),
        }
    }

    fn group_view(&self, name: &GroupName, group: &Group) -> GroupView {
        let missing = group.servers().iter().filter(|server| !self.0.registry.contains(server));
        GroupView {
            url: self.url(&name.clone().into()),
            missing: missing.cloned().collect(),
            name: name.clone(),
            group: group.clone(),
        }
    }

    async fn change_groups(
        &self,
        change: impl FnOnce() -> Result<(), ApiError> + Send + 'static,
    ) -> Result<(), ApiError> {
        let done = tokio::task::spawn_blocking(change).await;
        done.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?
    }
}

fn no_such_group(name: &GroupName) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("no group is called {name}"))
        .fix("`caisson group list` shows those there are")
}
