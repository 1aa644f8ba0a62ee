//! How long answers took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The longest time that is told from longer ones, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;
/// One digit: a time is known to a sixteenth of itself, in less than 4 KB.
const DIGITS: u8 = 1;

/// Times that answers took.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// In microseconds; none before the first.
    times: Option<Histogram<u64>>,
    total: Duration,
}

/// Times that so many of a hundred answers did not exceed, in microseconds. Each is at most a sixteenth too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Percentiles {
    /// Half of them.
    pub p50: u64,
    /// Ninety-five.
    pub p95: u64,
    /// Ninety-nine.
    pub p99: u64,
}

impl Latencies {
    /// One more.
    pub(super) fn add(&mut self, time: Duration) {
        self.total = self.total.saturating_add(time);
        // It cannot be made only when the bounds are none.
        let times = self.times.take().or_else(|| Histogram::new_with_bounds(1, LONGEST, DIGITS).ok());
        self.times = times.map(|mut times| {
            times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
            times
        });
    }

    /// Those of another, too.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        let Some(theirs) = &other.times else { return };
        match &mut self.times {
            // Both have the same bounds.
            Some(ours) => drop(ours.add(theirs)),
            none => *none = Some(theirs.clone()),
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.times.as_ref().map_or(0, Histogram::len)
    }

    /// All of them, one after the other.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// What most of them did not exceed; none before the first.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let times = self.times.as_ref().filter(|times| !times.is_empty())?;
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|quantile| times.value_at_quantile(quantile));
        Some(Percentiles { p50, p95, p99 })
    }

    /// How many took no longer than `limit`, to a sixteenth of it.
    pub fn within(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        self.times.as_ref().map_or(0, |times| times.count_between(0, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        millis.into_iter().for_each(|millis| latencies.add(Duration::from_millis(millis)));
        latencies
    }

    #[test]
    fn percentiles() {
        assert_eq!(Latencies::default().percentiles(), None);
        for (times, meant) in [
            ((1..=1).collect::<Vec<u64>>(), [1, 1, 1]),
            ((1..=100).collect(), [50, 95, 99]),
            ((1..=10_000).collect(), [5000, 9500, 9900]),
            (vec![10; 1000], [10, 10, 10]),
            ([vec![1; 90], vec![1000; 10]].concat(), [1, 1000, 1000]),
            ([vec![1; 98], vec![60_000; 2]].concat(), [1, 1, 60_000]),
        ] {
            let Percentiles { p50, p95, p99 } = of(times).percentiles().unwrap();
            for (got, meant) in [p50, p95, p99].into_iter().zip(meant) {
                let meant = meant * 1000;
                assert!((meant..=meant + meant / 16).contains(&got), "{got}, not {meant}");
            }
        }
    }

    #[test]
    fn times_beyond_measure_are_the_longest() {
        let mut latencies = of([1]);
        latencies.add(Duration::MAX);
        latencies.add(Duration::ZERO);
        assert_eq!((latencies.count(), latencies.total()), (3, Duration::MAX));
        assert!(latencies.percentiles().unwrap().p99 >= LONGEST);
    }

    #[test]
    fn together_they_are_as_if_counted_together() {
        let mut both = of(1..=50);
        both.add_all(&of(51..=100));
        both.add_all(&Latencies::default());
        let all = of(1..=100);
        assert_eq!((both.percentiles(), both.total()), (all.percentiles(), all.total()));
        let mut none = Latencies::default();
        none.add_all(&all);
        assert_eq!(none.count(), 100);
    }

    #[test]
    fn those_within_a_limit() {
        let latencies = of([1, 10, 100, 1000]);
        for (limit, many) in [(0, 0), (2, 1), (50, 2), (500, 3), (5000, 4)] {
            assert_eq!(latencies.within(Duration::from_millis(limit)), many, "{limit} ms");
        }
    }
}
