use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Why a server's connection was not made, or was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// No rule allows the host and port.
    NotAllowed,
    /// The user has refused it for good.
    Blocked,
    /// The name leads into this machine or its networks, and no rule names the address.
    Closed,
    /// The name has no address.
    Unresolved,
    /// Nothing answered, or the answer was no.
    Unreachable,
    /// It asked for another host than it was opened for.
    Mismatch,
    /// The server has too many connections, or opens them too fast.
    TooMany,
    /// The permission was taken back while it was open.
    Revoked,
}
