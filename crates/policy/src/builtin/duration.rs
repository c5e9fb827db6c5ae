//! A length of time, and its arithmetic with timestamps.

use base::Timestamp;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// About ten thousand years, the range the rules reference gives.
const DURATION_SECONDS_MAX: i64 = 315_576_000_000;

/// A signed length of time with nanoseconds.
///
/// Invariant: both parts have the same sign or are zero, `nanos` is less than a second, and `seconds` is at most
/// 315,576,000,000. So comparing the parts in order compares the lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration {
    seconds: i64,
    nanos: i32,
}

impl Duration {
    /// `duration.value(amount, unit)` with the units `w d h m s ms ns`; `None` for another unit or out of range.
    pub fn from(amount: i64, unit: &str) -> Option<Self> {
        let unit_nanos = match unit {
            "w" => 7 * 86_400 * NANOS_PER_SECOND,
            "d" => 86_400 * NANOS_PER_SECOND,
            "h" => 3600 * NANOS_PER_SECOND,
            "m" => 60 * NANOS_PER_SECOND,
            "s" => NANOS_PER_SECOND,
            "ms" => 1_000_000,
            "ns" => 1,
            _ => return None,
        };
        Self::from_total_nanos(i128::from(amount) * unit_nanos)
    }

    /// `duration.time(hours, minutes, seconds, nanos)`: the sum of its parts; `None` out of range.
    pub fn time(hours: i64, minutes: i64, seconds: i64, nanos: i64) -> Option<Self> {
        let seconds = i128::from(hours) * 3600 + i128::from(minutes) * 60 + i128::from(seconds);
        Self::from_total_nanos(seconds * NANOS_PER_SECOND + i128::from(nanos))
    }

    /// The time since midnight; both parts are within a day.
    pub(super) fn of_day(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos: i32::try_from(nanos).unwrap_or(0) }
    }

    /// Whole seconds, cut toward zero.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// What remains of a second, with the sign of the whole.
    pub fn nanos(self) -> i32 {
        self.nanos
    }

    /// The same length, never negative.
    #[must_use]
    pub fn abs(self) -> Self {
        // The range is symmetric, so neither part overflows.
        Self { seconds: self.seconds.saturating_abs(), nanos: self.nanos.saturating_abs() }
    }

    /// The same length the other way.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { seconds: self.seconds.saturating_neg(), nanos: self.nanos.saturating_neg() }
    }

    /// The sum; `None` out of range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::from_total_nanos(self.total_nanos() + other.total_nanos())
    }

    /// The difference; `None` out of range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::from_total_nanos(self.total_nanos() - other.total_nanos())
    }

    /// The moment this much after `at`; `None` outside the years 1 to 9999.
    pub fn after(self, at: Timestamp) -> Option<Timestamp> {
        timestamp_from_nanos(timestamp_nanos(at) + self.total_nanos())
    }

    /// The moment this much before `at`; `None` outside the years 1 to 9999.
    pub fn before(self, at: Timestamp) -> Option<Timestamp> {
        timestamp_from_nanos(timestamp_nanos(at) - self.total_nanos())
    }

    /// From `earlier` to `later`, negative when they are the other way round; `None` out of range.
    pub fn between(later: Timestamp, earlier: Timestamp) -> Option<Self> {
        Self::from_total_nanos(timestamp_nanos(later) - timestamp_nanos(earlier))
    }

    fn total_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS_PER_SECOND + i128::from(self.nanos)
    }

    fn from_total_nanos(total: i128) -> Option<Self> {
        let seconds = i64::try_from(total / NANOS_PER_SECOND).ok()?;
        let nanos = i32::try_from(total % NANOS_PER_SECOND).ok()?;
        (-DURATION_SECONDS_MAX..=DURATION_SECONDS_MAX).contains(&seconds).then_some(Self { seconds, nanos })
    }
}

fn timestamp_nanos(at: Timestamp) -> i128 {
    i128::from(at.seconds) * NANOS_PER_SECOND + i128::from(at.nanos)
}

fn timestamp_from_nanos(total: i128) -> Option<Timestamp> {
    let seconds = i64::try_from(total.div_euclid(NANOS_PER_SECOND)).ok()?;
    let nanos = u32::try_from(total.rem_euclid(NANOS_PER_SECOND)).ok()?;
    Timestamp::new(seconds, nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(amount: i64, unit: &str) -> Duration {
        Duration::from(amount, unit).unwrap()
    }

    #[test]
    fn units() {
        assert_eq!(of(1, "w"), of(7, "d"));
        assert_eq!(of(1, "d"), of(24, "h"));
        assert_eq!(of(1, "h"), of(60, "m"));
        assert_eq!(of(1, "m"), of(60, "s"));
        assert_eq!(of(1, "s"), of(1000, "ms"));
        assert_eq!(of(1, "ms"), of(1_000_000, "ns"));
        assert_eq!(Duration::from(1, "y"), None);
        assert_eq!(Duration::from(i64::MAX, "w"), None);
        assert!(Duration::from(315_576_000_000, "s").is_some());
        assert_eq!(Duration::from(315_576_000_001, "s"), None);
        assert_eq!(Duration::time(1, 2, 3, 4).map(|d| (d.seconds(), d.nanos())), Some((3723, 4)));
        assert_eq!(Duration::time(i64::MIN, i64::MIN, i64::MIN, i64::MIN), None);
    }

    #[test]
    fn parts_share_the_sign() {
        let d = of(-1500, "ms");
        assert_eq!((d.seconds(), d.nanos()), (-1, -500_000_000));
        assert_eq!(d.abs(), of(1500, "ms"));
        assert_eq!(of(-10, "s").abs(), of(10, "s"));
    }

    #[test]
    fn order_is_by_length() {
        let sorted =
            [of(-2, "s"), of(-1500, "ms"), of(-1, "s"), of(-1, "ns"), of(0, "s"), of(1, "ns"), of(1, "s")];
        assert!(sorted.is_sorted());
        assert!(of(1, "ns") > of(-1, "ns"));
    }

    #[test]
    fn arithmetic_is_checked() {
        assert_eq!(of(1, "s").checked_sub(of(1, "ns")), Some(of(999_999_999, "ns")));
        assert_eq!(of(-1, "s").checked_add(of(1, "ns")), Some(of(-999_999_999, "ns")));
        assert_eq!(of(315_576_000_000, "s").checked_add(of(1, "s")), None);
        let at = Timestamp::parse("2020-01-01T00:00:00Z").unwrap();
        assert_eq!(of(1, "ms").before(at), Timestamp::parse("2019-12-31T23:59:59.999Z").ok());
        assert_eq!(of(1, "d").after(at), Timestamp::parse("2020-01-02T00:00:00Z").ok());
        assert_eq!(of(8000 * 366, "d").after(at), None);
        assert_eq!(Duration::between(at, of(90, "m").after(at).unwrap()), Some(of(-90, "m")));
    }
}
