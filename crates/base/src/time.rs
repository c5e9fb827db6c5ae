//! A point in time as the protocols carry it: seconds and nanoseconds since 1970, years 1 to 9999.

use std::fmt;

/// Seconds since the epoch and nanoseconds within the second (always `0..1_000_000_000`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01T00:00:00Z, negative before.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

/// The text or number is not a timestamp of the years 1 to 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a timestamp between the years 1 and 9999")]
pub struct TimestampError;

const SECONDS_MIN: i64 = -62_135_596_800;
const SECONDS_MAX: i64 = 253_402_300_799;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp { seconds: 0, nanos: 0 };

    /// Checks the ranges the protocols allow.
    pub fn new(seconds: i64, nanos: u32) -> Result<Self, TimestampError> {
        if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) || nanos >= 1_000_000_000 {
            return Err(TimestampError);
        }
        Ok(Self { seconds, nanos })
    }

    /// From microseconds since the epoch: the store's versions are such numbers.
    pub fn from_micros(micros: i64) -> Self {
        let seconds = micros.div_euclid(1_000_000);
        let rest = micros.rem_euclid(1_000_000);
        Self { seconds, nanos: u32::try_from(rest * 1000).unwrap_or(0) }
    }

    /// Microseconds since the epoch, truncating what is finer. Years 1 to 9999 fit an `i64`.
    pub fn micros(self) -> i64 {
        self.seconds.saturating_mul(1_000_000).saturating_add(i64::from(self.nanos / 1000))
    }

    /// Firestore keeps microseconds; finer digits are cut off.
    pub fn truncate_to_micros(self) -> Self {
        Self { seconds: self.seconds, nanos: self.nanos / 1000 * 1000 }
    }

    /// Server timestamps have millisecond precision.
    pub fn truncate_to_millis(self) -> Self {
        Self { seconds: self.seconds, nanos: self.nanos / 1_000_000 * 1_000_000 }
    }

    /// Reads RFC 3339 with 0 to 9 fraction digits and any offset.
    ///
    /// Our own few lines because general time crates stop short of the last hours of the year 9999.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let (seconds, nanos) = parse_rfc3339(text.as_bytes()).ok_or(TimestampError)?;
        Self::new(seconds, nanos)
    }
}

/// RFC 3339, always ending in `Z`, with 0, 3, 6 or 9 fraction digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.seconds.div_euclid(86_400);
        let second = self.seconds.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        let mut text = Digits::default();
        text.number(year, 4);
        for (separator, part) in [
            (b'-', i64::from(month)),
            (b'-', i64::from(day)),
            (b'T', second / 3600),
            (b':', second / 60 % 60),
            (b':', second % 60),
        ] {
            text.push(separator);
            text.number(part, 2);
        }
        let (fraction, width) = match self.nanos {
            0 => (0, 0),
            nanos if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
            nanos if nanos.is_multiple_of(1000) => (nanos / 1000, 6),
            nanos => (nanos, 9),
        };
        if width > 0 {
            text.push(b'.');
            text.number(fraction.into(), width);
        }
        text.push(b'Z');
        f.write_str(text.as_str())
    }
}

/// Text of a known form, put together without the formatter: every document has two timestamps.
#[derive(Default)]
struct Digits {
    /// As long as the longest: `9999-12-31T23:59:59.999999999Z`.
    bytes: [u8; 30],
    length: usize,
}

impl Digits {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// So many digits of a number that has no more.
    fn number(&mut self, number: i64, width: u32) {
        for place in (0..width).rev() {
            let digit = number / 10i64.pow(place) % 10;
            self.push(b'0' + u8::try_from(digit).unwrap_or(0));
        }
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

fn digits(bytes: &[u8], range: std::ops::Range<usize>) -> Option<u32> {
    bytes.get(range)?.iter().try_fold(0u32, |number, byte| {
        byte.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u32::from(byte - b'0')))
    })
}

fn parse_rfc3339(bytes: &[u8]) -> Option<(i64, u32)> {
    let at = |index: usize, allowed: &[u8]| bytes.get(index).is_some_and(|byte| allowed.contains(byte));
    if !(at(4, b"-") && at(7, b"-") && at(10, b"Tt ") && at(13, b":") && at(16, b":")) {
        return None;
    }
    let (year, month, day) = (i64::from(digits(bytes, 0..4)?), digits(bytes, 5..7)?, digits(bytes, 8..10)?);
    let (hour, minute, second) = (digits(bytes, 11..13)?, digits(bytes, 14..16)?, digits(bytes, 17..19)?);
    let days = days_from_civil(year, month, day);
    if !(1..=12).contains(&month)
        || civil_from_days(days) != (year, month, day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let mut end = 19;
    let mut nanos = 0;
    if at(end, b".") {
        let start = end + 1;
        end = start + bytes.get(start..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = u32::try_from(end - start).ok().filter(|length| (1..=9).contains(length))?;
        nanos = digits(bytes, start..end)? * 10u32.pow(9 - length);
    }
    let offset = match bytes.get(end..)? {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digits(bytes, end + 1..end + 3)?, digits(bytes, end + 4..end + 6)?);
            let seconds = i64::from(hours * 3600 + minutes * 60);
            if hours > 23 || minutes > 59 {
                return None;
            }
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    Some((days * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset, nanos))
}

/// Proleptic Gregorian year, month and day of a day number (0 = 1970-01-01).
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

/// The day number (0 = 1970-01-01) of a proleptic Gregorian date; the inverse of [`civil_from_days`].
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_with_the_shortest_of_0_3_6_9_digits() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-24T15:01:55.120Z",
            "2026-11-24T15:01:55.000001Z",
            "2026-11-24T15:01:55.000000001Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "1969-12-31T23:59:59.500Z",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2020-02-29T12:00:00+02:00").unwrap().to_string(),
            "2020-02-29T10:00:00Z"
        );
        for text in [
            "tomorrow",
            "",
            "2020-02-30T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:00",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00.1234567890Z",
            "0000-12-31T23:59:59Z",
            "2020-01-01T00:00:00+1:00",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn micros_round_trip_before_and_after_the_epoch() {
        for micros in [0, 1, -1, 1_764_000_000_123_456, -62_135_596_800_000_000] {
            assert_eq!(Timestamp::from_micros(micros).micros(), micros);
        }
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in [-719_162, -1, 0, 59, 60, 11_016, 20_781, 2_932_896] {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, d), days);
        }
    }
}
