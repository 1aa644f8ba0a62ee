//! How often calls were made lately.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use tokio::time::Instant;

use super::policy::{Counter, Rate};
use crate::model::{Digest, ServerName};

/// The most things that are counted of one kind. Beyond them, those that rest are forgotten.
const MOST: usize = 10_000;

/// The moments of calls, as far as a rate looks at them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    by_rule: Moments<(usize, String, ServerName)>,
    by_call: Moments<Digest>,
}

/// The counts of one client and server, at one moment.
pub(super) struct CountsOf<'a> {
    pub(super) counts: &'a mut Counts,
    pub(super) client: &'a str,
    pub(super) server: &'a ServerName,
    pub(super) now: Instant,
}

#[derive(Debug)]
struct Moments<K>(HashMap<K, VecDeque<Instant>>);

impl Counts {
    /// Counts a call that is the same as all others with this fingerprint, and says whether it is beyond the rate.
    pub(super) fn is_loop(&mut self, fingerprint: Digest, rate: Rate, now: Instant) -> bool {
        self.by_call.is_beyond(fingerprint, rate, now)
    }

    /// Forgets what rules have counted: they are others now.
    pub(super) fn forget_rules(&mut self) {
        self.by_rule = Moments::default();
    }
}

impl Counter for CountsOf<'_> {
    fn is_beyond(&mut self, rule: usize, rate: Rate) -> bool {
        let key = (rule, self.client.to_owned(), self.server.clone());
        self.counts.by_rule.is_beyond(key, rate, self.now)
    }
}

impl<K> Default for Moments<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Moments<K> {
    /// Counts one call more. Those beyond the rate are not counted, so that one who never rests has the rate all the
    /// same.
    fn is_beyond(&mut self, key: K, rate: Rate, now: Instant) -> bool {
        let is_past = |moment: &Instant| now.saturating_duration_since(*moment) >= rate.window();
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.0.retain(|_, moments| moments.back().is_some_and(|last| !is_past(last)));
            if self.0.len() >= MOST {
                return true;
            }
        }
        let moments = self.0.entry(key).or_default();
        while moments.front().is_some_and(is_past) {
            moments.pop_front();
        }
        let is_beyond = moments.len() >= rate.calls();
        if !is_beyond {
            moments.push_back(now);
        }
        is_beyond
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_is_kept_over_a_sliding_window() {
        let start = Instant::now();
        let mut counts = Counts::default();
        let name = "a".parse().unwrap();
        let rate: Rate = "2/minute".parse().unwrap();
        let mut beyond = |client: &str, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            CountsOf { counts: &mut counts, client, server: &name, now }.is_beyond(7, rate)
        };
        assert!(!beyond("x", 0) && !beyond("x", 30) && beyond("x", 59));
        assert!(!beyond("y", 59), "another client");
        assert!(!beyond("x", 61) && beyond("x", 89) && !beyond("x", 90));
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let start = Instant::now();
        let mut counts = Counts::default();
        let rate: Rate = "1/second".parse().unwrap();
        let digest = |number: usize| Digest::of(&number.to_be_bytes());
        for number in 0..MOST {
            assert!(!counts.is_loop(digest(number), rate, start));
        }
        assert!(counts.is_loop(digest(MOST), rate, start));
        assert!(!counts.is_loop(digest(MOST), rate, start + Duration::from_secs(1)));
        assert_eq!(counts.by_call.0.len(), 1);
    }
}
