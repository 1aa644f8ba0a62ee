use std::sync::Arc;

use hyper::{HeaderMap, header::HeaderName};

use super::{guard::single, refusal::Refusal};

/// The header that says which version a client speaks (MCP 2025-06-18, "Protocol Version Header").
pub(super) const HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The versions with sessions that a client may name. 2024-11-05 is among them because a server may have chosen it in
/// `initialize`, and clients then repeat it.
const KNOWN: [&str; 4] = ["2024-11-05", BATCHES, "2025-06-18", PRIMED];

/// The versions without sessions.
pub(super) const STATELESS: [&str; 1] = ["2026-07-28"];

/// The one version with batches.
const BATCHES: &str = "2025-03-26";
/// The first version whose event streams begin with an id to resume from.
const PRIMED: &str = "2025-11-25";

/// All versions this endpoint speaks, the newest first: with sessions it speaks for every server.
pub(super) fn spoken() -> Vec<&'static str> {
    STATELESS.into_iter().chain(KNOWN.into_iter().rev()).collect()
}

/// Whether the header names a version other than those with sessions: a later one, or one nobody knows.
pub(super) fn is_no_session_version(headers: &HeaderMap) -> bool {
    headers.get_all(HEADER).iter().any(|version| !KNOWN.iter().any(|known| version == known))
}

/// The version a session speaks: what the server answered to `initialize`. Versions are dates, so their
/// order is that of their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version(Arc<str>);

impl Version {
    /// What `initialize` was answered with; without one, what the specification says to assume.
    pub(super) fn negotiated(answer: Option<&str>) -> Self {
        Self(answer.unwrap_or(BATCHES).into())
    }

    /// Whether a client of this session may say in the header what it says there. Saying nothing is
    /// allowed: the session knows.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match single(headers, &HEADER) {
            Ok(None) => Ok(()),
            Ok(Some(version)) if *version == *self.0 || KNOWN.contains(&version) => Ok(()),
            Ok(Some(version)) => Err(Refusal::Version(version.chars().take(32).collect())),
            Err(()) => Err(Refusal::Version("two versions, or none that is text".to_owned())),
        }
    }

    /// Whether messages may come in batches.
    pub(super) fn has_batches(&self) -> bool {
        *self.0 == *BATCHES
    }

    /// Whether an event stream begins with an empty event that has an id.
    pub(super) fn is_primed(&self) -> bool {
        *self.0 >= *PRIMED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let says = |session: &str, header: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in header {
                headers.append(&HEADER, value.parse().unwrap());
            }
            Version::negotiated(Some(session)).check(&headers).is_ok()
        };
        assert!(says("2025-06-18", &[]));
        assert!(says("2025-06-18", &["2025-06-18"]));
        assert!(says("2025-06-18", &["2025-03-26"]));
        assert!(says("1999-01-01", &["1999-01-01"]));
        assert!(!says("2025-06-18", &["1999-01-01"]));
        assert!(!says("2025-06-18", &[""]));
        assert!(!says("2025-06-18", &["2025-06-18", "2025-06-18"]));
    }

    #[test]
    fn what_a_version_has() {
        for (version, batches, primed) in [
            ("2024-11-05", false, false),
            ("2025-03-26", true, false),
            ("2025-06-18", false, false),
            ("2025-11-25", false, true),
        ] {
            let version = Version::negotiated(Some(version));
            assert_eq!((version.has_batches(), version.is_primed()), (batches, primed), "{version:?}");
        }
        assert!(Version::negotiated(None).has_batches());
    }
}
