//! Dates, for names and from engines.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// The date and time in UTC, fit for a file's name: `2026-11-24-213005`. A time that no calendar holds is 1970.
pub(crate) fn stamp(time: SystemTime) -> String {
    Timestamp::try_from(time).unwrap_or_default().strftime("%Y-%m-%d-%H%M%S").to_string()
}

/// The date and time in UTC, for people (RFC 3339, to the second). A time that no calendar holds is 1970.
pub(crate) fn shown(time: SystemTime) -> String {
    Timestamp::try_from(time).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Milliseconds since 1970; a time before is 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    u64::try_from(since).unwrap_or(u64::MAX)
}

/// Whole seconds since 1970; a time before is 1970.
pub(crate) fn whole_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seconds since 1970 of a time as engines write it (RFC 3339); none for one that is written otherwise.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    text.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates() {
        for (seconds, meant) in [
            (0, "1970-01-01-000000"),
            (951_827_696, "2000-02-29-123456"),
            (1_709_251_199, "2024-02-29-235959"),
            (1_795_555_805, "2026-11-24-213005"),
            (4_107_542_400, "2100-03-01-000000"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(stamp(time), meant);
            assert_eq!(super::seconds(&shown(time)), Some(seconds));
        }
    }

    #[test]
    fn times_of_engines() {
        for (text, meant) in [
            ("2026-11-24T21:30:05Z", Some(1_795_555_805)),
            ("2026-11-24T22:30:05.123456789+01:00", Some(1_795_555_805)),
            ("2026-11-24T16:00:05-05:30", Some(1_795_555_805)),
            ("0001-01-01T00:00:00Z", None),
            ("2026-11-24T21:30:05", None),
            ("2026-13-24T21:30:05Z", None),
            ("\u{e9}026-11-24T21:30:05Z", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), meant, "{text}");
        }
    }
}
