//! Which era of the protocol the server speaks.

use std::{borrow::Cow, str::FromStr};

use rmcp::{RoleServer, model::ProtocolVersion, service::RequestContext};

/// An era of the protocol: before 2026-07-28 a session begins with `initialize`, since then each request stands
/// for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
    Both,
}

impl Era {
    /// The versions a server of this era knows.
    pub(crate) fn versions(self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(match self {
            Self::Legacy => ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25),
            Self::Modern => &[ProtocolVersion::V_2026_07_28],
            Self::Both => ProtocolVersion::KNOWN_VERSIONS,
        })
    }

    /// Whether `method` is one that a server of this era has never heard of, although rmcp has.
    pub(crate) fn has_not(self, method: &str) -> bool {
        self == Self::Legacy && method == "server/discover"
    }
}

impl FromStr for Era {
    type Err = String;

    fn from_str(era: &str) -> Result<Self, String> {
        match era {
            "legacy" => Ok(Self::Legacy),
            "modern" => Ok(Self::Modern),
            "both" => Ok(Self::Both),
            other => Err(format!("\"{other}\" is no era: there are legacy, modern and both")),
        }
    }
}

/// Whether a request came in the modern era.
pub(crate) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}
