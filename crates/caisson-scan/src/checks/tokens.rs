use serde_json::{Map, Value};

use super::super::base64;

/// Base 62 as GitHub writes it.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECK: usize = 6;

/// `PREFIX_BODYCHECK`.
pub(super) fn crc32_base62(token: &[u8]) -> bool {
    let body = token.iter().position(|byte| *byte == b'_').map_or(token, |at| &token[at + 1..]);
    let Some((body, check)) = body.len().checked_sub(CHECK).map(|at| body.split_at(at)) else { return false };
    in_base62(crc32(body)) == check
}

fn in_base62(mut number: u32) -> [u8; CHECK] {
    let mut text = [DIGITS[0]; CHECK];
    for place in text.iter_mut().rev() {
        *place = DIGITS[number as usize % 62];
        number /= 62;
    }
    text
}

/// CRC-32 as in ISO 3309, of a text too short for a table to pay.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(sum & 1)))
    })
}

pub(super) fn mixed(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic)
}

pub(super) fn jwt(token: &[u8]) -> bool {
    let header = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    object(header).is_some_and(|header| header.get("alg").is_some_and(Value::is_string))
}

pub(super) fn base64_json(text: &[u8]) -> bool {
    object(text).is_some_and(|object| !object.is_empty())
}

fn object(text: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&base64::decode(text)).ok()
}

/// The check of a body, for tests that make tokens.
#[cfg(test)]
pub(in super::super) fn check_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&in_base62(crc32(body))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_tokens() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        // An example that was published with the format.
        assert_eq!(check_of(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), "0mLq17");
        let body = "aB3".repeat(10);
        let token = format!("ghp_{body}{}", check_of(body.as_bytes()));
        assert!(crc32_base62(token.as_bytes()));
        assert!(!crc32_base62(token.replace("aB3aB3", "aB3aB4").as_bytes()));
        for short in ["", "ghp_", "ghp_12345", "_"] {
            assert!(!crc32_base62(short.as_bytes()));
        }
        // {"alg":"HS256"} and {"typ":"JWT"}
        assert!(jwt(b"eyJhbGciOiJIUzI1NiJ9.e30.c2ln"));
        assert!(!jwt(b"eyJ0eXAiOiJKV1QifQ.e30.c2ln"));
        assert!(!jwt(b"no.token.at.all"));
    }
}
