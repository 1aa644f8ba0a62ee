//! Credential Manager.

use std::error::Error;

pub(super) use windows_native_keyring_store::Store;

use super::{super::Unavailable, KeychainStatus, SecretError};

/// Whether an entry may carry a label for people.
pub(super) const LABELS: bool = false;

/// It is part of the session: there whenever a user is signed in.
pub(super) fn status() -> Result<KeychainStatus, SecretError> {
    Ok(KeychainStatus::Ready { what: "Credential Manager".into() })
}

/// What went wrong, from an error of the libraries below.
pub(super) fn translate(error: &(dyn Error + Send + Sync + 'static)) -> SecretError {
    SecretError::Unavailable(Unavailable::Other(error.to_string()))
}
