use tokio::time::Instant;

/// A pace to be kept: so much a second, and a burst after a time of rest (a token bucket).
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    per_second: f64,
    burst: f64,
    /// What may be done at once.
    left: f64,
    /// When that was so.
    since: Instant,
}

impl Pace {
    /// A pace that begins rested.
    pub(crate) fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        Self { per_second, burst, left: burst, since: now }
    }

    /// Does one thing more, if the pace allows it.
    pub(crate) fn step(&mut self, now: Instant) -> bool {
        self.left = self.left_at(now);
        self.since = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }

    /// Whether it has rested long enough to be as good as new.
    pub(crate) fn is_rested(&self, now: Instant) -> bool {
        self.left_at(now) >= self.burst
    }

    fn left_at(&self, now: Instant) -> f64 {
        let rested = now.saturating_duration_since(self.since).as_secs_f64() * self.per_second;
        (self.left + rested).min(self.burst)
    }
}
