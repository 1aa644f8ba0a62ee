//! Secrets in the OS keychain: set, named, removed, injected; never shown.
//!
//! A keychain may be absent, locked, or waiting for a password nobody types. Each request has a time limit and runs
//! on a thread of its own, so nothing else ever waits for it. What secrets are called stands in [`State`], since
//! keychains cannot be listed everywhere; a name is kept when the keychain has taken the value, not before.

mod error;
mod keychain;

pub use error::{SecretError, Unavailable};
pub use keychain::{Keychain, KeychainStatus};

use caisson_wire::SecretBytes;
use rusqlite::params;

use crate::{
    model::{SecretName, ServerName},
    registry::{State, StateError},
};

/// The longest secret, in bytes. Keys, certificates and service accounts are shorter.
pub const LONGEST: usize = 64 << 10;

/// The secrets of all servers. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    state: State,
    keychain: Keychain,
    home: String,
}

impl Secrets {
    /// Secrets named in `state`, with their values in `keychain`.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn new(state: State, keychain: Keychain) -> Result<Self, StateError> {
        let home = state.home_id()?;
        Ok(Self { state, keychain, home })
    }

    /// Keeps a secret, in place of an earlier one of that name.
    ///
    /// # Errors
    /// When it is empty or too long, or the keychain does not take it.
    pub async fn set(
        &self,
        server: &ServerName,
        name: &SecretName,
        value: SecretBytes,
    ) -> Result<(), SecretError> {
        match value.expose().len() {
            0 => return Err(SecretError::Empty { name: name.clone() }),
            1..=LONGEST => {}
            _ => return Err(SecretError::TooLong { name: name.clone(), limit: LONGEST }),
        }
        let (account, label) = (self.account(server, name), format!("Caisson: {name} of {server}"));
        let (state, server, name) = (self.state.clone(), server.clone(), name.clone());
        // The name is kept on the keychain's thread: when the caller has given up waiting and the user types the
        // password after all, there must be no value without a name.
        self.keychain
            .run(move |store| {
                store.set(&account, &label, value.expose())?;
                state.with(|db| {
                    let (server, name) = (server.as_str(), name.as_str());
                    db.execute("INSERT OR IGNORE INTO secrets VALUES (?1, ?2)", params![server, name])
                })?;
                Ok(())
            })
            .await
    }

    /// What a server's secrets are called, by name.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn names(&self, server: &ServerName) -> Result<Vec<SecretName>, SecretError> {
        let names: Vec<String> = self.state.with(|db| {
            db.prepare("SELECT name FROM secrets WHERE server = ?1 ORDER BY name")?
                .query_map([server.as_str()], |row| row.get(0))?
                .collect()
        })?;
        // Only names were written.
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// A secret's value, for the launch of its server and nothing else.
    ///
    /// # Errors
    /// When there is none, or the keychain does not give it.
    pub(crate) async fn get(
        &self,
        server: &ServerName,
        name: &SecretName,
    ) -> Result<SecretBytes, SecretError> {
        let account = self.account(server, name);
        let (server, name) = (server.clone(), name.clone());
        self.keychain
            .run(move |store| store.get(&account)?.ok_or(SecretError::Missing { server, name }))
            .await
    }

    /// Removes a secret, from the keychain and from the names. False when there was none.
    ///
    /// # Errors
    /// When the keychain does not remove it; its name then stays.
    pub async fn remove(&self, server: &ServerName, name: &SecretName) -> Result<bool, SecretError> {
        let account = self.account(server, name);
        let (state, server, name) = (self.state.clone(), server.clone(), name.clone());
        self.keychain
            .run(move |store| {
                let there = store.remove(&account)?;
                let named = state.with(|db| {
                    let (server, name) = (server.as_str(), name.as_str());
                    db.execute("DELETE FROM secrets WHERE server = ?1 AND name = ?2", params![server, name])
                })?;
                Ok(there || named > 0)
            })
            .await
    }

    /// Removes all secrets of a server that is being removed.
    ///
    /// # Errors
    /// At the first that cannot be removed; it and those after it stay, with their names.
    pub async fn remove_all(&self, server: &ServerName) -> Result<(), SecretError> {
        for name in self.names(server)? {
            self.remove(server, &name).await?;
        }
        Ok(())
    }

    /// Keeps a value of Caisson's own, which no server is given.
    pub(crate) async fn set_own(
        &self,
        name: &'static str,
        label: &'static str,
        value: SecretBytes,
    ) -> Result<(), SecretError> {
        let account = self.own_account(name);
        self.keychain.run(move |store| store.set(&account, label, value.expose())).await
    }

    /// A value of Caisson's own, if there is one.
    pub(crate) async fn own(&self, name: &'static str) -> Result<Option<SecretBytes>, SecretError> {
        let account = self.own_account(name);
        self.keychain.run(move |store| store.get(&account)).await
    }

    /// How the keychain is, without ever asking the user for a password.
    pub async fn keychain_status(&self) -> KeychainStatus {
        match self.keychain.run(|store| store.status()).await {
            Ok(status) => status,
            Err(error) => KeychainStatus::Unusable { problem: error.to_string() },
        }
    }

    /// The entry's name in the keychain. Two `CAISSON_HOME`s of one user do not see each other's.
    fn account(&self, server: &ServerName, name: &SecretName) -> String {
        format!("{}/{server}/{name}", self.home)
    }

    /// As [`Self::account`], of no server: none has an empty name.
    fn own_account(&self, name: &str) -> String {
        format!("{}//{name}", self.home)
    }
}

#[cfg(test)]
mod tests;
