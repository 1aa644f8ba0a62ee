//! Secrets: set, named, removed. No method gives a value back.

use super::Host;
use crate::{
    audit::Part,
    control::api::{ApiError, ErrorCode, SecretList, SetSecret},
    model::{SecretName, ServerName},
};

impl Host {
    pub(super) async fn set_secret(&self, set: SetSecret) -> Result<(), ApiError> {
        self.listed(&set.server)?;
        self.0.secrets.set(&set.server, &set.name, set.value).await?;
        self.configured(Some(&set.server), Part::Secret, set.name.as_str(), "set");
        Ok(())
    }

    pub(super) fn list_secrets(&self, server: &ServerName) -> Result<SecretList, ApiError> {
        let listed = self.listed(server)?;
        let missing = match &listed.server {
            Some(definition) => self.missing_secrets(server, definition)?,
            None => Vec::new(),
        };
        Ok(SecretList { stored: self.0.secrets.names(server)?, missing })
    }

    pub(super) async fn remove_secret(&self, server: &ServerName, name: &SecretName) -> Result<(), ApiError> {
        if self.0.secrets.remove(server, name).await? {
            self.configured(Some(server), Part::Secret, name.as_str(), "removed");
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::NotFound, format!("{server} has no secret called {name}"))
            .fix(format!("`caisson secret list {server}` shows those it has")))
    }
}
