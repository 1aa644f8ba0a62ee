//! Keychain Services, the login keychain.

use std::error::Error;

pub(super) use apple_native_keyring_store::keychain::Store;

use super::{super::Unavailable, KeychainStatus, SecretError};

/// Whether an entry may carry a label for people.
pub(super) const LABELS: bool = false;

/// The store was opened; whether it is locked shows with the first request.
pub(super) fn status() -> Result<KeychainStatus, SecretError> {
    Ok(KeychainStatus::Ready { what: "Keychain".into() })
}

/// What went wrong, from an error of the libraries below.
pub(super) fn translate(error: &(dyn Error + Send + Sync + 'static)) -> SecretError {
    SecretError::Unavailable(Unavailable::Other(error.to_string()))
}
