//! Times, and what is told of them.

use std::time::Duration;

/// The times of one thing, in the order they were taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The median, in microseconds; none of no times.
    pub(crate) fn median(&self) -> Option<f64> {
        self.percentile(50)
    }

    /// What 99 of 100 do not exceed, in microseconds; none of no times.
    pub(crate) fn tail(&self) -> Option<f64> {
        self.percentile(99)
    }

    fn percentile(&self, percent: usize) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?);
        Some(sorted[at].as_secs_f64() * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let mut sample = Sample::default();
        assert_eq!((sample.median(), sample.tail()), (None, None));
        for micros in (1..=100).rev() {
            sample.add(Duration::from_micros(micros));
        }
        let rounded = |micros: Option<f64>| micros.map(f64::round);
        assert_eq!((rounded(sample.median()), rounded(sample.tail())), (Some(51.0), Some(100.0)));
    }
}
