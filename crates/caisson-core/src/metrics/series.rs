use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use tokio::sync::Notify;

use super::Latencies;
use crate::{
    gate::Clock,
    model::{CallCounts, utc},
};

/// Calls of one tool.
pub struct Series {
    common: Arc<Common>,
    record: Mutex<Record>,
}

/// What counting needs.
pub(super) struct Common {
    pub(super) clock: Clock,
    /// Where the user's days begin and end.
    pub(super) zone: TimeZone,
    /// Told of each that was counted.
    pub(super) news: Notify,
}

#[derive(Default)]
struct Record {
    counts: CallCounts,
    /// Of which calls were counted as of today: from midnight to midnight, in milliseconds since 1970 (UTC).
    day: Range<u64>,
    latencies: Latencies,
}

/// What was counted of a tool.
#[derive(Clone, Debug, Default)]
pub struct ToolReading {
    /// The tool; none for all that are not counted by name.
    pub name: Option<Arc<str>>,
    /// What became of its calls.
    pub counts: CallCounts,
    /// How long its answers took.
    pub latencies: Latencies,
}

impl Series {
    pub(super) fn new(common: Arc<Common>) -> Self {
        Self { common, record: Mutex::default() }
    }

    /// A call was let through.
    pub fn called(&self) {
        let now = (self.common.clock)();
        let millis = utc::millis(now);
        self.count(|record| {
            if !record.day.contains(&millis) {
                record.day = day_of(Timestamp::try_from(now).unwrap_or_default(), &self.common.zone);
                record.counts.today = 0;
            }
            record.counts.calls += 1;
            record.counts.today += 1;
        });
    }

    /// A call was not let through.
    pub fn denied(&self) {
        self.count(|record| record.counts.denied += 1);
    }

    /// A call was answered, after so long.
    pub fn answered(&self, lasted: Duration, failed: bool) {
        self.count(|record| {
            record.counts.failed += u64::from(failed);
            record.latencies.add(lasted);
        });
    }

    /// A call will not be answered.
    pub fn unanswered(&self) {
        self.count(|record| record.counts.unanswered += 1);
    }

    pub(super) fn counts(&self) -> CallCounts {
        let millis = utc::millis((self.common.clock)());
        let record = self.record();
        let today = if record.day.contains(&millis) { record.counts.today } else { 0 };
        CallCounts { today, ..record.counts }
    }

    pub(super) fn read(&self, name: Option<Arc<str>>) -> ToolReading {
        let counts = self.counts();
        ToolReading { name, counts, latencies: self.record().latencies.clone() }
    }

    fn count(&self, one: impl FnOnce(&mut Record)) {
        one(&mut self.record());
        self.common.news.notify_one();
    }

    // No panic happens while the lock is held.
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ToolReading {
    /// All of them together.
    pub fn sum(readings: &[Self]) -> Self {
        let mut sum = Self::default();
        for Self { counts, latencies, .. } in readings {
            sum.counts = sum.counts.and(*counts);
            sum.latencies.add_all(latencies);
        }
        sum
    }
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Series").field("counts", &self.record().counts).finish_non_exhaustive()
    }
}

/// The day of a time, where the user is; none at the calendar's ends.
fn day_of(now: Timestamp, zone: &TimeZone) -> Range<u64> {
    let millis = |time: &jiff::Zoned| u64::try_from(time.timestamp().as_millisecond()).unwrap_or(0);
    let bounds = now.to_zoned(zone.clone()).start_of_day();
    let bounds = bounds.and_then(|start| Ok(millis(&start)..millis(&start.checked_add(1.day())?)));
    bounds.unwrap_or_default()
}
