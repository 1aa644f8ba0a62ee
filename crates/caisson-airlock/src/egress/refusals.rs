use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// A wish told is not told again before this has passed.
const AGAIN: Duration = Duration::from_secs(10);
/// Wishes told in a burst, and remembered so as not to be told again.
const BURST: usize = 32;
/// One more may be told each time this has passed.
const PACE: Duration = Duration::from_millis(500);

/// Decides which refused wishes the host is told: a server that wishes without end must not drown the rest.
pub(super) struct Refusals {
    told: HashMap<(String, u16), Instant>,
    /// Up to when the pace has been used up: as far behind the clock as there is burst left.
    used_up_to: Instant,
}

impl Refusals {
    pub(super) fn new(now: Instant) -> Self {
        Self { told: HashMap::new(), used_up_to: now }
    }

    /// Other rules are in force: what was told may mean something else.
    pub(super) fn begin_anew(&mut self) {
        self.told.clear();
    }

    /// Whether to tell the host that this was refused.
    pub(super) fn worth_telling(&mut self, host: &str, port: u16, now: Instant) -> bool {
        self.told.retain(|_, told| now.duration_since(*told) < AGAIN);
        let burst = PACE * u32::try_from(BURST).unwrap_or(u32::MAX);
        let next = self.used_up_to.max(now) + PACE;
        let known = self.told.contains_key(&(host.to_owned(), port));
        if known || next > now + burst || self.told.len() >= BURST {
            return false;
        }
        self.used_up_to = next;
        self.told.insert((host.to_owned(), port), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_told_once_in_a_while() {
        let now = Instant::now();
        let mut refusals = Refusals::new(now);
        assert!(refusals.worth_telling("a.com", 0, now));
        assert!(!refusals.worth_telling("a.com", 0, now + AGAIN / 2));
        assert!(refusals.worth_telling("a.com", 443, now));
        assert!(refusals.worth_telling("a.com", 0, now + AGAIN));
        refusals.begin_anew();
        assert!(refusals.worth_telling("a.com", 0, now + AGAIN));
    }

    #[test]
    fn a_flood_of_wishes_is_told_in_part() {
        let start = Instant::now();
        let mut refusals = Refusals::new(start);
        let mut told = 0;
        for wish in 0..100_000_u32 {
            let now = start + Duration::from_millis(1) * (wish / 10);
            told += u32::from(refusals.worth_telling(&format!("{wish}.com"), 0, now));
            assert!(refusals.told.len() <= BURST);
        }
        assert!((BURST as u32..=60).contains(&told), "{told} in ten seconds");
    }
}
