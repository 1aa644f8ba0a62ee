use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

/// Times of the week, on the user's clock. From a time until an earlier one is over midnight, and belongs to the day on
/// which it begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    /// On these days; every day when none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<Day>,
    /// From this time of day on, `HH:MM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Time>,
    /// Until before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Hours {
    /// Whether this moment is among them.
    pub(super) fn contain(&self, now: Timestamp, zone: &TimeZone) -> bool {
        let now = now.to_zoned(zone.clone());
        let (time, today) = (now.time(), now.weekday());
        let from = self.from.unwrap_or(Time::MIN);
        match self.until {
            Some(until) if until <= from => {
                time >= from && self.has(today) || time < until && self.has(today.previous())
            }
            until => time >= from && until.is_none_or(|until| time < until) && self.has(today),
        }
    }

    fn has(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.iter().any(|named| named.weekday() == day)
    }
}

impl Day {
    fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let is = |hours: &str, moment: &str| {
            toml::from_str::<Hours>(hours).unwrap().contain(moment.parse().unwrap(), &zone)
        };
        let office = "days = ['mon', 'fri']\nfrom = '08:00'\nuntil = '18:00'";
        // 2026-11-30 is a Monday.
        assert!(is(office, "2026-11-30T06:00:00Z") && is(office, "2026-11-30T15:59:59Z"));
        assert!(!is(office, "2026-11-30T05:59:59Z") && !is(office, "2026-11-30T16:00:00Z"));
        assert!(!is(office, "2026-12-01T10:00:00Z"));
        let night = "days = ['mon']\nfrom = '22:00'\nuntil = '06:00'";
        assert!(is(night, "2026-11-30T20:00:00Z") && is(night, "2026-12-01T03:59:00Z"));
        assert!(!is(night, "2026-11-30T03:00:00Z") && !is(night, "2026-12-01T04:00:00Z"));
        assert!(is("", "2026-12-01T10:00:00Z"));
        assert!(toml::from_str::<Hours>("from = '25:00'").is_err());
    }
}
