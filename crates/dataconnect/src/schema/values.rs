//! Values of the schema's scalars: what JSON and GraphQL may say, and how it is written.
//!
//! Source: the reference, §5.1.

use apollo_compiler::Node;
use apollo_compiler::ast::Value;
use serde_json::{Map, Value as Json};

use super::{Base, ColumnType, Scalar};

/// Levels that a value may nest.
pub const LEVELS_MAX: usize = 100;

/// Why a value does not fit: continues a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Another type.
    #[error("is {observed}, not {wanted}")]
    Type {
        /// What it is.
        observed: String,
        /// What it should be.
        wanted: String,
    },
    /// The right type, but not a value of it.
    #[error("is {observed}, which is not {wanted}")]
    Text {
        /// What it is.
        observed: String,
        /// What it should be.
        wanted: String,
    },
    /// Missing where something is needed.
    #[error("is null")]
    Null,
    /// Too deep.
    #[error("nests deeper than {LEVELS_MAX} levels")]
    Deep,
    /// A variable in a constant.
    #[error("has the variable `${0}`, and must be a constant")]
    Variable(String),
}

/// A value as people read it, cut to a line.
pub fn shown(value: &Json) -> String {
    const SHOWN_MAX: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("`{}…`", text.get(..at).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

/// A literal as JSON. Words of enums become texts.
pub fn literal(value: &Value) -> Result<Json, Misfit> {
    literal_within(value, LEVELS_MAX)
}

fn literal_within(value: &Value, levels: usize) -> Result<Json, Misfit> {
    let levels = levels.checked_sub(1).ok_or(Misfit::Deep)?;
    Ok(match value {
        Value::Null => Json::Null,
        Value::Enum(name) => Json::String(name.to_string()),
        Value::Variable(name) => return Err(Misfit::Variable(name.to_string())),
        Value::String(text) => Json::String(text.clone()),
        Value::Float(number) => serde_json::from_str(number.as_str()).unwrap_or(Json::Null),
        Value::Int(number) => serde_json::from_str(number.as_str()).unwrap_or(Json::Null),
        Value::Boolean(value) => Json::Bool(*value),
        Value::List(items) => {
            let items = items.iter().map(|item| literal_within(item, levels));
            Json::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let mut map = Map::new();
            for (name, value) in fields {
                map.insert(name.to_string(), literal_within(value, levels)?);
            }
            Json::Object(map)
        }
    })
}

/// A constant of a column's type.
pub fn constant(value: &Node<Value>, ty: &ColumnType) -> Result<Json, Misfit> {
    let json = literal(value)?;
    if json.is_null() {
        return if ty.required { Err(Misfit::Null) } else { Ok(json) };
    }
    match (ty.list, &json) {
        (None, _) => coerce(json, &ty.base, &|_, _| true),
        (Some(_), Json::Array(items)) => {
            let items = items.iter().map(|item| coerce(item.clone(), &ty.base, &|_, _| true));
            Ok(Json::Array(items.collect::<Result<_, _>>()?))
        }
        (Some(_), _) => Ok(Json::Array(vec![coerce(json, &ty.base, &|_, _| true)?])),
    }
}

/// Checks a value that is not null, and writes it in the one form that the database reads. `is_value` says whether an
/// enum has a value.
pub fn coerce(value: Json, base: &Base, is_value: &dyn Fn(&str, &str) -> bool) -> Result<Json, Misfit> {
    let scalar = match base {
        Base::Scalar(scalar) => *scalar,
        Base::Enum(name) => {
            return match &value {
                Json::String(word) if is_value(name, word) => Ok(value),
                _ => Err(wrong(&value, &format!("a value of the enum `{name}`"))),
            };
        }
    };
    match scalar {
        Scalar::Any => Ok(value),
        Scalar::Boolean if value.is_boolean() => Ok(value),
        Scalar::String if value.is_string() => no_nul(value),
        Scalar::Int => match value.as_i64().or_else(|| whole(&value)).and_then(|n| i32::try_from(n).ok()) {
            Some(number) => Ok(number.into()),
            None => Err(wrong(&value, "an integer of 32 bits")),
        },
        Scalar::Int64 => {
            let from_text = || value.as_str().and_then(|text| text.parse::<i64>().ok());
            match value.as_i64().or_else(from_text).or_else(|| whole(&value)) {
                Some(number) => Ok(Json::String(number.to_string())),
                None => Err(wrong(&value, "an integer of 64 bits, as text or number")),
            }
        }
        Scalar::Float => match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) if value.is_number() => Ok((number + 0.0).into()),
            _ => Err(wrong(&value, "a finite number")),
        },
        Scalar::Uuid => parsed(&value, uuid, "a UUID"),
        Scalar::Date => parsed(&value, date, "a date such as 2026-11-30"),
        Scalar::Timestamp => parsed(&value, timestamp, "a time such as 2026-11-30T13:45:00Z"),
        Scalar::Vector => match &value {
            Json::Array(items) if items.iter().all(|item| item.as_f64().is_some_and(f64::is_finite)) => {
                Ok(value)
            }
            _ => Err(wrong(&value, "a list of finite numbers")),
        },
        Scalar::Boolean => Err(wrong(&value, "`true` or `false`")),
        Scalar::String => Err(wrong(&value, "text")),
    }
}

fn wrong(value: &Json, wanted: &str) -> Misfit {
    Misfit::Type { observed: shown(value), wanted: wanted.to_owned() }
}

/// PostgreSQL's text has no NUL.
fn no_nul(value: Json) -> Result<Json, Misfit> {
    match value.as_str() {
        Some(text) if text.contains('\0') => Err(Misfit::Text {
            observed: shown(&value),
            wanted: "text that the database can hold: it has a NUL".to_owned(),
        }),
        _ => Ok(value),
    }
}

fn whole(value: &Json) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT_MAX)?;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within what a double holds exactly")]
    Some(number as i64)
}

fn parsed(value: &Json, read: fn(&str) -> Option<String>, wanted: &str) -> Result<Json, Misfit> {
    match value.as_str() {
        None => Err(wrong(value, wanted)),
        Some(text) => read(text)
            .map(Json::String)
            .ok_or_else(|| Misfit::Text { observed: shown(value), wanted: wanted.to_owned() }),
    }
}

/// 32 lower-case hexadecimal digits.
pub fn uuid(text: &str) -> Option<String> {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let has_dashes = text.len() == 36;
    let mut digits = String::with_capacity(32);
    for (at, letter) in text.char_indices() {
        match letter {
            '-' if has_dashes && matches!(at, 8 | 13 | 18 | 23) => {}
            _ if letter.is_ascii_hexdigit() => digits.push(letter.to_ascii_lowercase()),
            _ => return None,
        }
    }
    (digits.len() == 32).then_some(digits)
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// `YYYY-MM-DD`; what comes after a `T` does not count.
pub fn date(text: &str) -> Option<String> {
    let day = text.split_once('T').map_or(text, |(day, _)| day);
    let mut parts = day.split('-');
    let (year, month, of_month) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (y, m, d) = (digits(year, 4)?, digits(month, 2)?, digits(of_month, 2)?);
    let is_leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let length = match m {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    ((1..=length).contains(&d) && y > 0).then(|| day.to_owned())
}

/// RFC 3339, with a fraction of up to nine digits cut to microseconds.
pub fn timestamp(text: &str) -> Option<String> {
    const YEARS: std::ops::RangeInclusive<u32> = 1583..=9999;
    let (day, rest) = text.split_once('T')?;
    let day = date(day)?;
    if !YEARS.contains(&digits(day.get(..4)?, 4)?) {
        return None;
    }
    let zone_at = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut parts = clock.split(':');
    let (h, m, s) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || digits(h, 2)? > 23 || digits(m, 2)? > 59 || digits(s, 2)? > 59 {
        return None;
    }
    if zone != "Z" {
        let (hours, minutes) = zone.get(1..)?.split_once(':')?;
        if digits(hours, 2)? > 23 || digits(minutes, 2)? > 59 {
            return None;
        }
    }
    let micros = fraction.get(..6).unwrap_or(fraction);
    Some(format!("{day}T{clock}.{micros}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_many_forms() {
        let plain = "0f8fad5bd9cb469fa16570867728950e";
        for text in [
            plain,
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
            "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        ] {
            assert_eq!(uuid(text).as_deref(), Some(plain), "{text}");
        }
        for text in ["", "0f8f", "0f8fad5b-d9cb-469f-a165-70867728950", "0f8fad5bd9cb469fa16570867728950g"] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_strict_and_cut_to_microseconds() {
        assert_eq!(
            timestamp("2026-11-30T13:45:00.123456789Z").as_deref(),
            Some("2026-11-30T13:45:00.123456Z")
        );
        assert!(timestamp("2024-02-29T00:00:00+05:30").is_some());
        for text in [
            "2026-11-30",
            "2026-11-30t13:45:00Z",
            "2026-11-30T13:45:00",
            "2026-11-30T24:00:00Z",
            "1500-01-01T00:00:00Z",
            "2026-11-30T13:45:00z",
            "2026-1-3T13:45:00Z",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        assert_eq!(date("2024-02-30"), None);
        assert_eq!(date("2024-02-29T99").as_deref(), Some("2024-02-29"));
    }
}
