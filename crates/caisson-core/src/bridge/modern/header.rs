//! Headers that repeat what the body says, so that whoever stands between need not read bodies (MCP 2026-07-28,
//! "Standard Request Headers").

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{HeaderMap, header::HeaderName};

use crate::bridge::{guard, refusal::Refusal};

/// A header's one value, without the blanks around it; none when it is missing. `shown` is its name as the
/// specification spells it.
pub(super) fn one<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    shown: &str,
) -> Result<Option<&'a str>, Refusal> {
    let value = guard::single(headers, name)
        .map_err(|()| differs(shown, "must be given once, and be of visible ASCII characters"))?;
    Ok(value.map(|value| value.trim_matches([' ', '\t'])))
}

/// What a value stands for: text that no header can carry comes as `=?base64?…?=`. None when that cannot be
/// read, so that it agrees with nothing.
pub(super) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let wrapped = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match wrapped {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok().map(Cow::Owned),
    }
}

/// The refusal of a header that is not as the body wants it.
pub(super) fn differs(shown: &str, why: &'static str) -> Refusal {
    Refusal::Header { header: shown.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        for (value, text) in [
            ("plain", Some("plain")),
            ("", Some("")),
            ("=?base64?SGVsbG8=?=", Some("Hello")),
            ("=?base64?w6k=?=", Some("é")),
            ("=?base64??=", Some("")),
            // Without both marks it is what it is.
            ("SGVsbG8=", Some("SGVsbG8=")),
            ("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8=")),
            ("=?base64?=", Some("=?base64?=")),
            ("=?BASE64?SGVsbG8=?=", Some("=?BASE64?SGVsbG8=?=")),
            // No padding, no alphabet, bits left over, no UTF-8.
            ("=?base64?SGVsbG8?=", None),
            ("=?base64?SGVs!!!bG8=?=", None),
            ("=?base64?SGVsbG9=?=", None),
            ("=?base64?/w==?=", None),
        ] {
            assert_eq!(decoded(value).as_deref(), text, "{value}");
        }
    }
}
