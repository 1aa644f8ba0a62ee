//! Dates, for names and from engines. No calendar but this one, and no time zones but those written in numbers.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

/// The date and time in UTC, fit for a file's name: `2026-11-24-213005`.
pub(crate) fn stamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / DAY);
    let rest = seconds % DAY;
    format!("{year:04}-{month:02}-{day:02}-{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Seconds since 1970 of a time as engines write it (RFC 3339); none for one that is written otherwise.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let marks = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    if !marks.into_iter().all(|(at, mark)| text.get(at..at + 1) == Some(mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let local =
        days(year, month, day) * DAY + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if zone == "Z" {
        return Some(local);
    }
    let of_zone = |from: usize, to: usize| zone.get(from..to)?.parse::<u64>().ok();
    let offset = of_zone(1, 3)? * 3600 + of_zone(4, 6)? * 60;
    match zone.get(..1)? {
        "+" => local.checked_sub(offset),
        "-" => local.checked_add(offset),
        _ => None,
    }
}

/// Days since 1970 of a date of the Gregorian calendar. A year begins in March, so that the leap day is its last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

/// The date of a day since 1970: the reverse of [`days`].
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
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
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), meant);
        }
        for day in 0..80_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn times_of_engines() {
        for (text, meant) in [
            ("2026-11-24T21:30:05Z", Some(1_795_555_805)),
            ("2026-11-24T22:30:05.123456789+01:00", Some(1_795_555_805)),
            ("2026-11-24T16:00:05-05:30", Some(1_795_555_805)),
            ("0001-01-01T00:00:00Z", None),
            ("2026-11-24 21:30:05Z", None),
            ("2026-11-24T21:30:05", None),
            ("2026-13-24T21:30:05Z", None),
            ("\u{e9}026-11-24T21:30:05Z", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), meant, "{text}");
        }
    }
}
