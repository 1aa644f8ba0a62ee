use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use caisson_wire::SecretBytes;
use keyring_core::{Entry, Error, api::CredentialStoreApi};
use zeroize::Zeroizing;

use super::{KeychainStatus, SecretError, Store, system};

/// All entries of Caisson's are entries of this service.
const SERVICE: &str = "dev.caisson";

/// KWallet takes UTF-8 alone, so other secrets are encoded, and so is a text that looks as if it were.
const ENCODED: &str = "base64:";

/// A connection to the system's keychain.
pub(super) struct OsStore(Arc<system::Store>);

impl OsStore {
    pub(super) fn open() -> Result<Self, SecretError> {
        system::Store::new().map(Self).map_err(translate)
    }

    fn entry(&self, account: &str, label: Option<&str>) -> Result<Entry, SecretError> {
        let modifiers: HashMap<&str, &str> =
            label.filter(|_| system::LABELS).map(|label| ("label", label)).into_iter().collect();
        let modifiers = (!modifiers.is_empty()).then_some(&modifiers);
        self.0.build(SERVICE, account, modifiers).map_err(translate)
    }
}

impl Store for OsStore {
    fn set(&mut self, account: &str, label: &str, value: &[u8]) -> Result<(), SecretError> {
        self.entry(account, Some(label))?.set_secret(encode(value).as_bytes()).map_err(translate)
    }

    fn get(&mut self, account: &str) -> Result<Option<SecretBytes>, SecretError> {
        match self.entry(account, None)?.get_secret() {
            Ok(stored) => decode(Zeroizing::new(stored)).map(Some),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(translate(error)),
        }
    }

    fn remove(&mut self, account: &str) -> Result<bool, SecretError> {
        match self.entry(account, None)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(translate(error)),
        }
    }

    fn status(&mut self) -> Result<KeychainStatus, SecretError> {
        system::status()
    }
}

fn encode(value: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(match std::str::from_utf8(value) {
        Ok(text) if !text.starts_with(ENCODED) => text.to_owned(),
        Ok(_) | Err(_) => format!("{ENCODED}{}", &*Zeroizing::new(STANDARD.encode(value))),
    })
}

fn decode(stored: Zeroizing<Vec<u8>>) -> Result<SecretBytes, SecretError> {
    match stored.strip_prefix(ENCODED.as_bytes()) {
        None => Ok(SecretBytes::from(stored.as_slice())),
        Some(encoded) => STANDARD.decode(encoded).map(SecretBytes::from).map_err(|_| SecretError::Refused {
            why: "another program has changed the entry; set the secret again".into(),
        }),
    }
}

/// Errors of this library can hold the secret itself (`BadEncoding`, `BadDataFormat`): those are not repeated.
fn translate(error: Error) -> SecretError {
    let why = match error {
        Error::PlatformFailure(error) | Error::NoStorageAccess(error) => return system::translate(&*error),
        Error::TooLong(_, limit) => format!("it takes no more than {limit} bytes here"),
        Error::Invalid(what, why) => format!("{what}: {why}"),
        Error::Ambiguous(entries) => {
            format!("it has {} entries of that name; remove all but one in its own window", entries.len())
        }
        Error::NotSupportedByStore(why) | Error::BadStoreFormat(why) => why,
        Error::NoEntry | Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::NoDefaultStore | _ => {
            "the entry cannot be read; set the secret again".into()
        }
    };
    SecretError::Refused { why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back() {
        for value in
            [&b"plain"[..], b"base64:", b"base64:AAAA", b"\xff\x00", b"\0", "schl\u{fc}ssel\n".as_bytes()]
        {
            let stored = Zeroizing::new(encode(value).as_bytes().to_vec());
            assert_eq!(decode(stored).unwrap().expose(), value);
        }
        assert_eq!(encode(b"plain").as_str(), "plain");
    }

    #[test]
    fn no_error_repeats_the_secret() {
        for error in [
            Error::BadEncoding(b"hunter2".to_vec()),
            Error::BadDataFormat(b"hunter2".to_vec(), "hunter2".into()),
        ] {
            let error = translate(error);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
