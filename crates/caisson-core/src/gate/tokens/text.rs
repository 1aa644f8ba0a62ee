use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// A token's text, as its client keeps it: `csn_` and 256 random bits. Overwritten when dropped, and never
/// in debug output.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bits = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bits)?;
        // The prefix is what secret scanners look for.
        let mut text = Zeroizing::new(String::with_capacity(4 + 43));
        text.push_str("csn_");
        URL_SAFE_NO_PAD.encode_string(*bits, &mut text);
        Ok(Self(text))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(csn_…)")
    }
}

/// What is kept of a token's text. Looking a hash up leaks nothing worth timing: whoever could choose
/// texts that share a hash's beginning would have to break SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// A hash as it was kept.
    pub(super) fn kept(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
