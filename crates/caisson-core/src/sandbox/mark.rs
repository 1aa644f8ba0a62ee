//! Which request a notification came on. From an HTTP server each request is answered on a stream of its own; where
//! the streams meet, a mark before a message says which it was. Taken off, it leaves the message as it came.

use bytes::Bytes;

const MARK: &str = r#"{"dev.caisson/request":"#;

/// A notification, which is a JSON object that is not empty, with the mark of the request `number`.
pub(super) fn marked(message: &[u8], number: i64) -> Vec<u8> {
    [format!("{MARK}{number},").as_bytes(), message.strip_prefix(b"{").unwrap_or(message)].concat()
}

/// The number a message is marked with, and the message without the mark.
pub(super) fn unmarked(message: &Bytes) -> Option<(i64, Bytes)> {
    let marked = message.strip_prefix(MARK.as_bytes())?;
    let comma = marked.iter().position(|byte| *byte == b',')?;
    let number = std::str::from_utf8(&marked[..comma]).ok()?.parse().ok()?;
    Some((number, [b"{", &marked[comma + 1..]].concat().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_off_again() {
        let message = br#"{ "jsonrpc":"2.0","method":"x","dev.caisson/request":1}"#;
        let marked: Bytes = marked(message, -7).into();
        assert!(crate::model::Envelope::read(&marked).is_ok());
        assert_eq!(unmarked(&marked), Some((-7, message.as_slice().into())));
        for bare in [message.as_slice(), br#"{"dev.caisson/request":"x","a":1}"#, b"{}", b""] {
            assert_eq!(unmarked(&Bytes::from_static(bare)), None);
        }
    }
}
