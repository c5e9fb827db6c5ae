//! The parts of a timestamp in UTC, and timestamps made from parts.

use base::Timestamp;
use base::time::{civil_from_days, days_from_civil};

use super::Duration;

const SECONDS_PER_DAY: i64 = 86_400;

/// The year, 1 to 9999.
pub fn year(at: Timestamp) -> i64 {
    civil_from_days(days(at)).0
}

/// The month, 1 to 12.
pub fn month(at: Timestamp) -> i64 {
    i64::from(civil_from_days(days(at)).1)
}

/// The day of the month, 1 to 31.
pub fn day(at: Timestamp) -> i64 {
    i64::from(civil_from_days(days(at)).2)
}

/// The hour, 0 to 23.
pub fn hours(at: Timestamp) -> i64 {
    second_of_day(at) / 3600
}

/// The minute, 0 to 59.
pub fn minutes(at: Timestamp) -> i64 {
    second_of_day(at) / 60 % 60
}

/// The second, 0 to 59.
pub fn seconds(at: Timestamp) -> i64 {
    second_of_day(at) % 60
}

/// The nanoseconds within the second.
pub fn nanos(at: Timestamp) -> i64 {
    i64::from(at.nanos)
}

/// The day of the week, 1 (Monday) to 7 (Sunday).
pub fn day_of_week(at: Timestamp) -> i64 {
    // 1970-01-01 was a Thursday.
    (days(at) + 3).rem_euclid(7) + 1
}

/// The day of the year, 1 to 366.
pub fn day_of_year(at: Timestamp) -> i64 {
    days(at) - days_from_civil(year(at), 1, 1) + 1
}

/// Midnight of the day.
pub fn date(at: Timestamp) -> Timestamp {
    Timestamp { seconds: days(at) * SECONDS_PER_DAY, nanos: 0 }
}

/// The time since midnight.
pub fn time(at: Timestamp) -> Duration {
    Duration::of_day(second_of_day(at), at.nanos)
}

/// Milliseconds since 1970; finer digits are cut off.
pub fn to_millis(at: Timestamp) -> i64 {
    at.seconds.saturating_mul(1000).saturating_add(i64::from(at.nanos / 1_000_000))
}

/// Midnight of a date of the years 1 to 9999; `None` when there is no such day.
pub fn from_date(year: i64, month: i64, day: i64) -> Option<Timestamp> {
    let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    Timestamp::new(days * SECONDS_PER_DAY, 0).ok()
}

/// From milliseconds since 1970; `None` outside the years 1 to 9999.
pub fn from_millis(millis: i64) -> Option<Timestamp> {
    let nanos = u32::try_from(millis.rem_euclid(1000)).ok()? * 1_000_000;
    Timestamp::new(millis.div_euclid(1000), nanos).ok()
}

fn days(at: Timestamp) -> i64 {
    at.seconds.div_euclid(SECONDS_PER_DAY)
}

fn second_of_day(at: Timestamp) -> i64 {
    at.seconds.rem_euclid(SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn parts_of_a_moment() {
        let t = at("2024-02-29T13:14:15.123456789Z");
        assert_eq!((year(t), month(t), day(t)), (2024, 2, 29));
        assert_eq!((hours(t), minutes(t), seconds(t), nanos(t)), (13, 14, 15, 123_456_789));
        assert_eq!((day_of_week(t), day_of_year(t)), (4, 60));
        assert_eq!(date(t), at("2024-02-29T00:00:00Z"));
        assert_eq!(time(t), Duration::time(13, 14, 15, 123_456_789).unwrap());
        assert_eq!(to_millis(t), 1_709_212_455_123);
    }

    #[test]
    fn before_the_epoch_parts_count_forward() {
        let t = at("1969-12-31T23:59:59.5Z");
        assert_eq!((year(t), day_of_year(t), hours(t), seconds(t)), (1969, 365, 23, 59));
        assert_eq!(to_millis(t), -500);
        assert_eq!(from_millis(-500), Some(t));
        assert_eq!(date(t), at("1969-12-31T00:00:00Z"));
    }

    #[test]
    fn monday_is_one_and_sunday_seven() {
        assert_eq!(day_of_week(at("2024-01-01T00:00:00Z")), 1);
        assert_eq!(day_of_week(at("2024-01-07T23:59:59Z")), 7);
        assert_eq!(day_of_week(at("0001-01-01T00:00:00Z")), 1);
        assert_eq!(day_of_year(at("2024-12-31T00:00:00Z")), 366);
    }

    #[test]
    fn only_real_dates() {
        assert_eq!(from_date(2024, 2, 29), Some(at("2024-02-29T00:00:00Z")));
        for (y, m, d) in
            [(2023, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (0, 1, 1), (10_000, 1, 1), (1, -1, 1)]
        {
            assert_eq!(from_date(y, m, d), None, "{y} {m} {d}");
        }
        assert_eq!(from_date(i64::MAX, i64::MAX, i64::MIN), None);
        assert_eq!(from_millis(i64::MAX), None);
        assert_eq!(from_millis(i64::MIN), None);
        assert_eq!(from_millis(253_402_300_799_999), Some(at("9999-12-31T23:59:59.999Z")));
        assert_eq!(from_millis(253_402_300_800_000), None);
    }
}
