//! When a schedule is due: unix cron, and the syntax of App Engine.
//!
//! Source: the documentation of `cron.yaml` of App Engine; cron expressions are croner's.

use std::str::FromStr;

use croner::Cron;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// Where a schedule is that names no time zone: as in production.
const USUAL_ZONE: &str = "America/Los_Angeles";
/// How far ahead a day is looked for.
const DAYS_MAX: i32 = 366 * 8;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ORDINALS: [(&str, &str); 5] =
    [("1st", "first"), ("2nd", "second"), ("3rd", "third"), ("4th", "fourth"), ("5th", "fifth")];

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    when: When,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum When {
    Cron(Box<Cron>),
    /// So many seconds after each other.
    Every {
        seconds: i64,
        within: Option<(Time, Time)>,
        is_synchronized: bool,
    },
    /// On days, at a time.
    Days {
        days: Days,
        months: Vec<i8>,
        at: Time,
    },
}

#[derive(Clone, Debug)]
enum Days {
    /// Of the month.
    Numbers(Vec<i8>),
    /// These weekdays, the first, second, … of a month; without numbers all.
    Weekdays(Vec<i8>, Vec<Weekday>),
}

/// Why a text is no schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Its syntax.
    #[error(
        "`{0}` is neither a cron expression (`0 9 * * 1`) nor a schedule of App Engine (`every 5 minutes`, `every monday 09:00`)"
    )]
    Syntax(String),
    /// Its time zone.
    #[error("there is no time zone `{0}`: names are those of the tz database, such as `Europe/Berlin`")]
    Zone(String),
}

impl Schedule {
    /// Reads a schedule.
    pub fn new(text: &str, zone: Option<&str>) -> Result<Self, ScheduleError> {
        let name = zone.filter(|zone| !zone.is_empty()).unwrap_or(USUAL_ZONE);
        let zone = TimeZone::get(name).map_err(|_| ScheduleError::Zone(name.to_owned()))?;
        let lower = text.trim().to_lowercase();
        let is_cron = lower.split_whitespace().count() == 5
            && lower.chars().next().is_some_and(|first| first.is_ascii_digit() || first == '*')
            && !lower.contains(" of ");
        let when = match Cron::from_str(&lower) {
            Ok(cron) if is_cron || lower.starts_with('@') => Some(When::Cron(Box::new(cron))),
            _ => app_engine(&lower),
        };
        Ok(Self { when: when.ok_or_else(|| ScheduleError::Syntax(text.to_owned()))?, zone })
    }

    /// The first time after one, in microseconds; `None` when there is none.
    pub fn after(&self, micros: i64) -> Option<i64> {
        let after = Timestamp::from_microsecond(micros).ok()?.to_zoned(self.zone.clone());
        let next = match &self.when {
            When::Cron(cron) => cron.find_next_occurrence(&after, false).ok()?,
            When::Every { seconds, within, is_synchronized } => {
                every(&after, *seconds, *within, *is_synchronized)?
            }
            When::Days { days, months, at } => on_days(&after, days, months, *at)?,
        };
        Some(next.timestamp().as_microsecond())
    }
}

fn every(after: &Zoned, seconds: i64, within: Option<(Time, Time)>, is_synchronized: bool) -> Option<Zoned> {
    if within.is_none() && !is_synchronized {
        return after.checked_add(Span::new().try_seconds(seconds).ok()?).ok();
    }
    let (from, to) = within.unwrap_or((Time::midnight(), Time::MAX));
    for day in 0..=2 {
        let date = after.date().checked_add(Span::new().try_days(day).ok()?).ok()?;
        let mut at = date.to_datetime(from);
        let end = date.to_datetime(to);
        while at <= end {
            let zoned = at.to_zoned(after.time_zone().clone()).ok()?;
            if zoned > *after {
                return Some(zoned);
            }
            at = at.checked_add(Span::new().try_seconds(seconds).ok()?).ok()?;
        }
    }
    None
}

fn on_days(after: &Zoned, days: &Days, months: &[i8], at: Time) -> Option<Zoned> {
    let is_due = |date: Date| {
        (months.is_empty() || months.contains(&date.month()))
            && match days {
                Days::Numbers(numbers) => numbers.contains(&date.day()),
                Days::Weekdays(numbers, weekdays) => {
                    weekdays.contains(&date.weekday())
                        && (numbers.is_empty() || numbers.contains(&((date.day() - 1) / 7 + 1)))
                }
            }
    };
    let mut date = after.date();
    for _ in 0..DAYS_MAX {
        if is_due(date) {
            let zoned = date.to_datetime(at).to_zoned(after.time_zone().clone()).ok()?;
            if zoned > *after {
                return Some(zoned);
            }
        }
        date = date.tomorrow().ok()?;
    }
    None
}

fn app_engine(text: &str) -> Option<When> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (every, rest) = match words.as_slice() {
        ["every", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if let (true, [count, unit, how @ ..]) = (every, rest)
        && let Ok(count) = count.parse::<i64>()
    {
        let unit = match *unit {
            "minute" | "minutes" | "mins" | "min" => 60,
            "hour" | "hours" => 3600,
            _ => return None,
        };
        let seconds = count.checked_mul(unit).filter(|seconds| *seconds > 0)?;
        let (within, is_synchronized) = match how {
            [] => (None, false),
            ["synchronized"] => (None, true),
            ["from", from, "to", to] => (Some((time(from)?, time(to)?)), false),
            _ => return None,
        };
        return Some(When::Every { seconds, within, is_synchronized });
    }
    let at = time(rest.last()?)?;
    let (days, months) = match rest.split_last()?.1 {
        [days] if every => (*days, None),
        [numbers, days] => return dated(numbers, Some(days), None, at),
        [days, "of", months] => return dated(days, None, Some(months), at),
        [numbers, days, "of", months] => return dated(numbers, Some(days), Some(months), at),
        _ => return None,
    };
    dated(days, None, months, at)
}

/// `NUMBERS of MONTHS`, `ORDINALS WEEKDAYS of MONTHS`, `WEEKDAYS`.
fn dated(first: &str, weekdays: Option<&str>, months: Option<&str>, at: Time) -> Option<When> {
    let months = match months {
        None | Some("month") => Vec::new(),
        Some(months) => list(months, |name| number_of(&MONTHS, name))?,
    };
    let weekday = |name: &str| match name {
        "day" => Some((1..=7).filter_map(|day| Weekday::from_monday_one_offset(day).ok()).collect()),
        name => Some(vec![Weekday::from_monday_one_offset(number_of(&WEEKDAYS, name)?).ok()?]),
    };
    let weekdays_of = |text: &str| list(text, weekday).map(|days| days.into_iter().flatten().collect());
    let ordinal = |name: &str| {
        let at = ORDINALS.iter().position(|(short, long)| [*short, *long].contains(&name))?;
        i8::try_from(at + 1).ok()
    };
    let days = match weekdays {
        Some(weekdays) => Days::Weekdays(list(first, ordinal)?, weekdays_of(weekdays)?),
        None => match list(first, |day| day.parse::<i8>().ok().filter(|day| (1..=31).contains(day))) {
            Some(numbers) => Days::Numbers(numbers),
            None => Days::Weekdays(Vec::new(), weekdays_of(first)?),
        },
    };
    Some(When::Days { days, months, at })
}

fn list<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(|item| read(item.trim())).collect()
}

/// The place of a name among names, from one on; names may be longer than three letters.
fn number_of(names: &[&str], name: &str) -> Option<i8> {
    let at = names.iter().position(|short| name.len() >= 3 && name.starts_with(short))?;
    i8::try_from(at + 1).ok()
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, zone: &str, after: &str) -> String {
        let schedule = Schedule::new(schedule, Some(zone)).unwrap_or_else(|error| panic!("{error}"));
        let after: Timestamp = after.parse().unwrap();
        let next = schedule.after(after.as_microsecond()).unwrap();
        Timestamp::from_microsecond(next).unwrap().to_string()
    }

    #[test]
    fn schedules_are_due_when_production_is() {
        let after = "2026-11-30T16:30:00Z"; // a Monday
        for (schedule, zone, expected) in [
            ("* * * * *", "UTC", "2026-11-30T16:31:00Z"),
            ("*/20 * * * *", "UTC", "2026-11-30T16:40:00Z"),
            ("0 9 * * 1", "UTC", "2026-12-07T09:00:00Z"),
            ("0 9 * * *", "Europe/Berlin", "2026-12-01T08:00:00Z"),
            ("every 5 minutes", "UTC", "2026-11-30T16:35:00Z"),
            ("every 24 hours", "UTC", "2026-12-01T16:30:00Z"),
            ("every 2 hours synchronized", "UTC", "2026-11-30T18:00:00Z"),
            ("every 15 mins from 18:00 to 19:00", "UTC", "2026-11-30T18:00:00Z"),
            ("every 15 mins from 14:00 to 15:00", "UTC", "2026-12-01T14:00:00Z"),
            ("every day 09:00", "UTC", "2026-12-01T09:00:00Z"),
            ("every day 00:00", "America/Los_Angeles", "2026-12-01T08:00:00Z"),
            ("every monday 09:00", "UTC", "2026-12-07T09:00:00Z"),
            ("every tue,Thu 9:30", "UTC", "2026-12-01T09:30:00Z"),
            ("1 of month 09:00", "UTC", "2026-12-01T09:00:00Z"),
            ("1,8,15 of jan,april 04:05", "UTC", "2027-01-01T04:05:00Z"),
            ("2nd,third monday of march 17:00", "UTC", "2027-03-08T17:00:00Z"),
            ("1st monday of month 17:00", "UTC", "2026-12-07T17:00:00Z"),
            // A day on which the clock goes forward: 02:30 does not exist there.
            ("30 2 28 3 *", "Europe/Berlin", "2027-03-28T01:30:00Z"),
        ] {
            let found = next(schedule, zone, after);
            // Gaps are the crates' business: the time is near.
            if schedule.starts_with("30 2") {
                assert!(found.starts_with("2027-03-28T0"), "{schedule}: {found}");
            } else {
                assert_eq!(found, expected, "{schedule} in {zone}");
            }
        }
    }

    #[test]
    fn what_is_no_schedule_is_said() {
        for text in [
            "",
            "every",
            "every 0 minutes",
            "every 5 fortnights",
            "61 * * * *",
            "every day",
            "sometimes 09:00",
        ] {
            assert!(matches!(Schedule::new(text, None), Err(ScheduleError::Syntax(_))), "{text}");
        }
        assert!(matches!(Schedule::new("* * * * *", Some("Mars/Olympus")), Err(ScheduleError::Zone(_))));
    }
}
