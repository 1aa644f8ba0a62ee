//! The Secret Service: GNOME Keyring, KWallet, KeePassXC.

use std::error::Error;

use secret_service::{EncryptionType, Error as Fault, blocking::SecretService};

pub(super) use zbus_secret_service_keyring_store::Store;

use super::{super::Unavailable, KeychainStatus, SecretError};

/// Whether an entry may carry a label for people.
pub(super) const LABELS: bool = true;

/// Asks without unlocking.
pub(super) fn status() -> Result<KeychainStatus, SecretError> {
    let service = SecretService::connect(EncryptionType::Plain).map_err(|fault| translate(&fault))?;
    let keyring = service.get_default_collection().map_err(|fault| translate(&fault))?;
    if keyring.is_locked().map_err(|fault| translate(&fault))? {
        return Ok(KeychainStatus::Locked { fix: SecretError::Locked.to_string() });
    }
    let name = keyring.get_label().unwrap_or_default();
    Ok(KeychainStatus::Ready { what: format!("Secret Service, keyring \"{}\"", name.escape_debug()) })
}

/// What went wrong, from an error of the libraries below.
pub(super) fn translate(error: &(dyn Error + Send + Sync + 'static)) -> SecretError {
    match error.downcast_ref::<Fault>() {
        Some(Fault::Locked | Fault::Prompt | Fault::PromptDisconnected) => SecretError::Locked,
        Some(Fault::Unavailable) => SecretError::Unavailable(Unavailable::NoSession),
        Some(Fault::NoResult) => SecretError::Unavailable(Unavailable::NoDefault),
        _ => {
            let why = error.to_string();
            // D-Bus names these errors; zbus hands them on as text.
            let has = |parts: &[&str]| parts.iter().any(|part| why.contains(part));
            SecretError::Unavailable(if has(&["Failed to connect to address"]) {
                Unavailable::NoSession
            } else if has(&["ServiceUnknown", "NameHasNoOwner", "Spawn.", "was not provided by any .service"])
            {
                Unavailable::NoService
            } else {
                Unavailable::Other(why)
            })
        }
    }
}
