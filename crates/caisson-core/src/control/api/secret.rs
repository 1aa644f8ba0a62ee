use caisson_wire::SecretBytes;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::{SecretName, ServerName};

/// Puts a secret into the keychain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SetSecret {
    /// The server it is for.
    pub server: ServerName,
    /// Its name.
    pub name: SecretName,
    /// Its value, in base64.
    #[ts(type = "string")]
    pub value: SecretBytes,
}

/// The names of a server's secrets. No method answers a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListSecrets {
    /// The server.
    pub server: ServerName,
}

/// The answer to [`ListSecrets`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SecretList {
    /// Names the keychain holds for this server.
    pub stored: Vec<SecretName>,
    /// Names the server was granted and the keychain does not hold.
    pub missing: Vec<SecretName>,
}

/// Takes a secret out of the keychain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoveSecret {
    /// The server.
    pub server: ServerName,
    /// Its name.
    pub name: SecretName,
}
