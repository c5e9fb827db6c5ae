//! Times relative to the request: `{now: true, sub: {days: 30}, truncateTo: DAY}`.
//!
//! All arithmetic is in UTC. `add` and `sub` come before `truncateTo`; a week begins on Monday; months clamp.

use serde_json::{Map, Value as Json};

use super::{Builder, Failure, object};
use crate::schema::{Base, Scalar};

const UNITS: [(&str, &str); 7] = [
    ("years", "years"),
    ("months", "months"),
    ("weeks", "weeks"),
    ("days", "days"),
    ("hours", "hours"),
    ("minutes", "mins"),
    ("seconds", "secs"),
];

impl Builder<'_> {
    /// The request's time.
    pub(super) fn now(&mut self) -> Result<String, Failure> {
        self.bind(Some(self.given.now.to_owned()), "timestamptz")
    }

    /// An interval of a duration.
    pub(super) fn interval(&mut self, value: &Json, path: &str) -> Result<String, Failure> {
        let duration = object(value, path)?;
        let mut parts = Vec::new();
        for (unit, sql) in UNITS {
            if let Some(count) = duration.get(unit).filter(|count| !count.is_null()) {
                let cast = Base::Scalar(Scalar::Int);
                parts.push(format!("{sql} => {}", self.bind_one(count, &cast, &format!("{path}.{unit}"))?));
            }
        }
        let mut interval = format!("make_interval({})", parts.join(", "));
        if let Some(count) = duration.get("milliseconds").filter(|count| !count.is_null()) {
            let bound = self.bind_one(count, &Base::Scalar(Scalar::Int), &format!("{path}.milliseconds"))?;
            interval = format!("({interval} + {bound} * interval '1 millisecond')");
        }
        Ok(interval)
    }

    fn moved(&mut self, base: String, relative: &Map<String, Json>, path: &str) -> Result<String, Failure> {
        let mut moved = base;
        for (name, sign) in [("add", '+'), ("sub", '-')] {
            if let Some(duration) = relative.get(name).filter(|duration| !duration.is_null()) {
                moved = format!("({moved} {sign} {})", self.interval(duration, &format!("{path}.{name}"))?);
            }
        }
        let word = relative.get("truncateTo").and_then(Json::as_str);
        let word =
            word.filter(|word| ["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"].contains(word));
        Ok(match word {
            Some(word) => format!("date_trunc('{}', {moved})", word.to_ascii_lowercase()),
            None => moved,
        })
    }

    /// A time.
    pub(super) fn relative_time(&mut self, value: &Json, path: &str) -> Result<String, Failure> {
        let relative = object(value, path)?;
        let base = match relative.get("at").filter(|at| !at.is_null()) {
            Some(at) => self.bind_one(at, &Base::Scalar(Scalar::Timestamp), &format!("{path}.at"))?,
            None => self.now()?,
        };
        let moved = self.moved(format!("({base} AT TIME ZONE 'UTC')"), relative, path)?;
        Ok(format!("({moved} AT TIME ZONE 'UTC')"))
    }

    /// A date.
    pub(super) fn relative_date(&mut self, value: &Json, path: &str) -> Result<String, Failure> {
        let relative = object(value, path)?;
        let base = match relative.get("on").filter(|on| !on.is_null()) {
            Some(on) => self.bind_one(on, &Base::Scalar(Scalar::Date), &format!("{path}.on"))?,
            None => format!("({} AT TIME ZONE 'UTC')::date", self.now()?),
        };
        let moved = self.moved(format!("{base}::timestamp"), relative, path)?;
        Ok(format!("({moved})::date"))
    }
}
