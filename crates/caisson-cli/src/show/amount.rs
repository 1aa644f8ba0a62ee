//! Amounts as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// An amount of bytes, in its largest unit.
pub(crate) fn size(bytes: u64) -> String {
    for (unit, factor) in UNITS {
        if bytes >= factor {
            return format!("{}.{} {unit}", bytes / factor, bytes % factor * 10 / factor);
        }
    }
    format!("{bytes} bytes")
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The time between two moments, in its largest unit.
pub(crate) fn distance(from: u64, to: u64) -> String {
    let seconds = to.saturating_sub(from);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", (seconds + 30) / 60),
        7200..=172_799 => format!("{} h", (seconds + 1800) / 3600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

/// How long something took, which is known in microseconds.
pub(crate) fn latency(micros: u64) -> String {
    match micros {
        0..=999 => format!("{micros} µs"),
        1000..=9949 => format!("{}.{} ms", (micros + 50) / 1000, (micros + 50) % 1000 / 100),
        9950..=999_499 => format!("{} ms", (micros + 500) / 1000),
        _ => format!("{}.{} s", (micros + 50_000) / 1_000_000, (micros + 50_000) % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, meant) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (5 << 20, "5.0 MiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(size(bytes), meant);
        }
    }

    #[test]
    fn latencies() {
        for (micros, meant) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1000, "1.0 ms"),
            (9949, "9.9 ms"),
            (9950, "10 ms"),
            (999_499, "999 ms"),
            (999_500, "1.0 s"),
            (2_345_000, "2.3 s"),
            (3_600_000_000, "3600.0 s"),
        ] {
            assert_eq!(latency(micros), meant);
        }
    }
}
