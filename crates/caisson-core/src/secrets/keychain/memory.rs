use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use caisson_wire::SecretBytes;

use super::{KeychainStatus, SecretError, Store};

/// A keychain for tests.
#[derive(Clone, Default)]
pub(super) struct MemoryStore(Arc<Mutex<HashMap<String, SecretBytes>>>);

impl MemoryStore {
    fn entries<T>(&self, work: impl FnOnce(&mut HashMap<String, SecretBytes>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn set(&mut self, account: &str, _: &str, value: &[u8]) -> Result<(), SecretError> {
        self.entries(|entries| entries.insert(account.to_owned(), SecretBytes::from(value)));
        Ok(())
    }

    fn get(&mut self, account: &str) -> Result<Option<SecretBytes>, SecretError> {
        Ok(self.entries(|entries| entries.get(account).cloned()))
    }

    fn remove(&mut self, account: &str) -> Result<bool, SecretError> {
        Ok(self.entries(|entries| entries.remove(account)).is_some())
    }

    fn status(&mut self) -> Result<KeychainStatus, SecretError> {
        Ok(KeychainStatus::Ready { what: "memory".into() })
    }
}
