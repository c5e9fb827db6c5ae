//! Parts of timestamps and durations, time zones, and durations as text.

use std::sync::LazyLock;

use base::Timestamp;
use jiff::tz::TimeZoneDatabase;

use crate::builtin::{Duration, calendar};

use super::fault::{Computed, FaultKind};
use super::library::Function;
use super::value::Value;

/// The zones that come with the program: no file is read.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// `time.getHours()`, `time.getHours('Europe/Berlin')`, `length.getHours()` and the others.
pub fn part<'v>(function: Function, arguments: &[Value<'v>]) -> Computed<'v> {
    let time = match arguments {
        [Value::Duration(length)] => {
            let seconds = length.seconds();
            return Ok(Value::Int(match function {
                Function::Hours => seconds / 3600,
                Function::Minutes => seconds / 60,
                Function::Seconds => seconds,
                Function::Milliseconds => i64::from(length.nanos() / 1_000_000),
                _ => return Err(FaultKind::NoOverload),
            }));
        }
        [Value::Timestamp(time)] => *time,
        [Value::Timestamp(time), Value::Str(zone)] => {
            let seconds = offset(zone.as_str(), *time)
                .ok_or_else(|| FaultKind::Invalid(format!("unknown time zone {}", zone.as_str())))?;
            // A little before year 1 or after 9999 at worst: the calendar knows those too.
            Timestamp { seconds: time.seconds + seconds, nanos: time.nanos }
        }
        _ => return Err(FaultKind::NoOverload),
    };
    Ok(Value::Int(match function {
        Function::FullYear => calendar::year(time),
        Function::Month => calendar::month(time) - 1,
        Function::DayOfYear => calendar::day_of_year(time) - 1,
        Function::DayOfMonth => calendar::day(time) - 1,
        Function::Date => calendar::day(time),
        Function::DayOfWeek => calendar::day_of_week(time) % 7,
        Function::Hours => calendar::hours(time),
        Function::Minutes => calendar::minutes(time),
        Function::Seconds => calendar::seconds(time),
        Function::Milliseconds => i64::from(time.nanos / 1_000_000),
        _ => return Err(FaultKind::NoOverload),
    }))
}

/// Seconds east of Greenwich.
fn offset(zone: &str, time: Timestamp) -> Option<i64> {
    let (sign, digits) = match zone.as_bytes().first()? {
        b'-' => (-1, zone.get(1..)?),
        b'+' => (1, zone.get(1..)?),
        _ => (1, zone),
    };
    if let Some((hours, minutes)) = digits.split_once(':') {
        let number = |text: &str, max| text.parse::<u8>().ok().filter(|n| *n <= max).map(i64::from);
        return Some(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60));
    }
    let zone = ZONES.get(zone).ok()?;
    let nanos = i32::try_from(time.nanos).ok()?;
    // The last hours of the year 9999 are beyond what the zones know; nothing changes there.
    let moment = jiff::Timestamp::new(time.seconds, nanos).unwrap_or(jiff::Timestamp::MAX);
    Some(i64::from(zone.to_offset(moment).seconds()))
}

/// `1h30m`, `-1.5s`: numbers with units, largest first or not, added up.
pub fn duration_from_text(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(Duration::default());
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        rest = after;
        let unit: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.len() > FRACTION_DIGITS_MAX {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { i128::from(whole.parse::<i64>().ok()?) };
        let mut nanos = whole * unit;
        if !fraction.is_empty() {
            let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
            nanos += i128::from(fraction.parse::<i64>().ok()?) * unit / scale;
        }
        total = total.checked_add(nanos)?;
    }
    let total = if negative { -total } else { total };
    let seconds = i64::try_from(total / 1_000_000_000).ok()?;
    let nanos = i64::try_from(total % 1_000_000_000).ok()?;
    Duration::time(0, 0, seconds, nanos)
}

/// Digits after the point of one number of a duration.
const FRACTION_DIGITS_MAX: usize = 18;

/// Seconds with as many digits as it takes: `90s`, `-1.5s`.
pub fn duration_text(length: Duration) -> String {
    let (seconds, nanos) = (length.seconds(), length.nanos());
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let mut text = format!("{sign}{}", seconds.unsigned_abs());
    if nanos != 0 {
        let digits = format!("{:09}", nanos.unsigned_abs());
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
    text.push('s');
    text
}
