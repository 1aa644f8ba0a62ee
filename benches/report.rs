//! Medians and 99th percentiles, and what they are as multiples of the first way.

use std::time::Duration;

/// The times of one way.
pub(crate) struct Sample {
    name: &'static str,
    times: Vec<Duration>,
}

impl Sample {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, times: Vec::new() }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    fn percentile(&self, percent: usize) -> f64 {
        let at = (self.times.len() * percent / 100).min(self.times.len() - 1);
        self.times[at].as_secs_f64() * 1e6
    }
}

/// All ways, the first being the yardstick.
pub(crate) struct Report(Vec<Sample>);

impl Report {
    pub(crate) fn new(samples: impl IntoIterator<Item = Sample>) -> Self {
        let sorted = samples.into_iter().map(|mut sample| {
            sample.times.sort_unstable();
            sample
        });
        Self(sorted.collect())
    }

    pub(crate) fn print(&self, title: &str) {
        let yardstick = (self.0[0].percentile(50), self.0[0].percentile(99));
        println!("\n{title}\n");
        println!("{:<28} {:>12} {:>8} {:>12} {:>8}", "", "median µs", "ratio", "p99 µs", "ratio");
        for sample in &self.0 {
            let (median, tail) = (sample.percentile(50), sample.percentile(99));
            println!(
                "{:<28} {median:>12.0} {:>8.2} {tail:>12.0} {:>8.2}",
                sample.name,
                median / yardstick.0,
                tail / yardstick.1
            );
        }
    }
}
