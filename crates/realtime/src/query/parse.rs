//! Queries as clients send them: the wire's objects and REST's parameters.

use serde_json::Value;

use super::window::{Bound, BoundKey, ChildPath, Limit, Order, Query, Side};
use crate::model::{Key, Leaf, Path};

/// Bytes of a key in a range: clients compute some that are longer than a key may be.
const BOUND_KEY_BYTES_MAX: usize = 4 * 1024;

/// Why a query is none. The texts are the service's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The wire's object is none or has a wrong part.
    #[error("Invalid query: `{name}` is {seen}, it may be {allowed}")]
    Part {
        /// Its name on the wire.
        name: &'static str,
        /// What it is.
        seen: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// REST: there is a range or limit but no order.
    #[error("orderBy must be defined when other query parameters are defined")]
    NoOrder,
    /// REST: the order is no path in JSON.
    #[error("orderBy must be a valid JSON encoded path")]
    Order,
    /// REST: an end of a range is no JSON primitive.
    #[error("Constraint index field must be a JSON primitive")]
    Constraint,
    /// REST: a key in a range is no text in JSON.
    #[error("Constraint key field must be a string")]
    ConstraintKey,
    /// REST: the limit is none.
    #[error("{name} must be a positive integer, it is `{seen}`")]
    Limit {
        /// The parameter.
        name: &'static str,
        /// What it is.
        seen: String,
    },
    /// REST: two parameters exclude each other.
    #[error("{0} and {1} may not be used together")]
    Together(&'static str, &'static str),
}

/// REST's parameters of a query, decoded from the URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names are the URL's")]
pub struct RestParameters {
    pub order_by: Option<String>,
    pub start_at: Option<String>,
    pub start_after: Option<String>,
    pub end_at: Option<String>,
    pub end_before: Option<String>,
    pub equal_to: Option<String>,
    pub limit_to_first: Option<String>,
    pub limit_to_last: Option<String>,
}

impl Query {
    /// Of the wire's object.
    pub fn from_wire(q: &Value) -> Result<Query, QueryError> {
        let Value::Object(parts) = q else { return Err(part("q", q, "an object")) };
        let get = |name: &str| parts.get(name).filter(|value| !value.is_null());
        let order = match get("i") {
            None => Order::Priority,
            Some(Value::String(text)) => order(text, [".priority", ".key", ".value"]).ok_or_else(|| {
                part("i", &Value::String(text.clone()), ".key, .value, .priority or a path")
            })?,
            Some(other) => return Err(part("i", other, "a text")),
        };
        let range = |value: &'static str, key: &'static str, inclusive: &'static str, missing: BoundKey| {
            if !parts.contains_key(value) && !parts.contains_key(key) {
                return Ok(None);
            }
            let is_inclusive = match get(inclusive) {
                None => true,
                Some(Value::Bool(is_inclusive)) => *is_inclusive,
                Some(other) => return Err(part(inclusive, other, "a boolean")),
            };
            let named = match get(key) {
                None => None,
                Some(Value::String(text)) => Some(bound_key(text).ok_or_else(|| too_long(key, text))?),
                Some(other) => return Err(part(key, other, "a text")),
            };
            let given = parts.get(value).unwrap_or(&Value::Null);
            bound(&order, given, named, missing, is_inclusive).map(Some).ok_or_else(|| {
                part(value, given, "a text, and otherwise than by key a number, boolean or null")
            })
        };
        let start = range("sp", "sn", "sin", BoundKey::First)?;
        let end = range("ep", "en", "ein", BoundKey::Last)?;
        let side = match get("vf") {
            None if start.is_some() => Side::First,
            None => Side::Last,
            Some(Value::String(side)) if side == "l" => Side::First,
            Some(Value::String(side)) if side == "r" => Side::Last,
            Some(other) => return Err(part("vf", other, "\"l\" or \"r\"")),
        };
        let limit = match get("l") {
            None => None,
            Some(value) => {
                let count = whole(value).filter(|count| *count > 0);
                let count = count.ok_or_else(|| part("l", value, "a whole number from 1"))?;
                Some(Limit { count, side })
            }
        };
        Ok(Query { order, start, end, limit })
    }

    /// Of REST's parameters.
    pub fn from_rest(parameters: &RestParameters) -> Result<Query, QueryError> {
        let RestParameters { order_by, start_at, start_after, end_at, end_before, equal_to, .. } = parameters;
        let bounds = [start_at, start_after, end_at, end_before, equal_to];
        let limit = rest_limit(parameters)?;
        let Some(order_by) = order_by else {
            let is_plain = limit.is_none() && bounds.iter().all(|bound| bound.is_none());
            return if is_plain { Ok(Query::default()) } else { Err(QueryError::NoOrder) };
        };
        let Ok(Value::String(text)) = serde_json::from_str(order_by) else { return Err(QueryError::Order) };
        let order = order(&text, ["$priority", "$key", "$value"]).ok_or(QueryError::Order)?;
        let exclusive =
            [("startAt", start_at, "startAfter", start_after), ("endAt", end_at, "endBefore", end_before)];
        for (one, first, other, second) in exclusive {
            if first.is_some() && second.is_some() {
                return Err(QueryError::Together(one, other));
            }
            if equal_to.is_some() && (first.is_some() || second.is_some()) {
                return Err(QueryError::Together("equalTo", if first.is_some() { one } else { other }));
            }
        }
        let read = |text: &Option<String>, missing: BoundKey, is_inclusive: bool| {
            text.as_ref().map(|text| rest_bound(&order, text, missing, is_inclusive)).transpose()
        };
        let (first, last) = (BoundKey::First, BoundKey::Last);
        let start = match read(start_at, first.clone(), true)?.or(read(equal_to, first.clone(), true)?) {
            Some(start) => Some(start),
            None => read(start_after, last.clone(), false)?,
        };
        let end = match read(end_at, last.clone(), true)?.or(read(equal_to, last, true)?) {
            Some(end) => Some(end),
            None => read(end_before, first, false)?,
        };
        Ok(Query { order, start, end, limit })
    }
}

fn rest_limit(parameters: &RestParameters) -> Result<Option<Limit>, QueryError> {
    let RestParameters { limit_to_first, limit_to_last, .. } = parameters;
    if limit_to_first.is_some() && limit_to_last.is_some() {
        return Err(QueryError::Together("limitToFirst", "limitToLast"));
    }
    let first = limit_to_first.as_ref().map(|text| ("limitToFirst", text, Side::First));
    let last = limit_to_last.as_ref().map(|text| ("limitToLast", text, Side::Last));
    let Some((name, text, side)) = first.or(last) else { return Ok(None) };
    match text.parse().ok().filter(|count| *count > 0) {
        Some(count) => Ok(Some(Limit { count, side })),
        None => Err(QueryError::Limit { name, seen: shown(text) }),
    }
}

/// A JSON primitive, and after a comma a key.
fn rest_bound(order: &Order, text: &str, missing: BoundKey, is_inclusive: bool) -> Result<Bound, QueryError> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next().and_then(Result::ok).ok_or(QueryError::Constraint)?;
    let rest = text.get(values.byte_offset()..).unwrap_or_default().trim();
    let named = match rest.strip_prefix(',') {
        None if rest.is_empty() => None,
        None => return Err(QueryError::Constraint),
        Some(key) => match serde_json::from_str(key) {
            Ok(Value::String(key)) => Some(bound_key(&key).ok_or(QueryError::ConstraintKey)?),
            _ => return Err(QueryError::ConstraintKey),
        },
    };
    bound(order, &value, named, missing, is_inclusive).ok_or(QueryError::Constraint)
}

/// What a query is ordered by, with the names of priority, key and value.
fn order(text: &str, [priority, key, value]: [&str; 3]) -> Option<Order> {
    if text == priority {
        return Some(Order::Priority);
    }
    if text == key {
        return Some(Order::Key);
    }
    if text == value {
        return Some(Order::Value);
    }
    Path::parse(text).ok().and_then(ChildPath::new).map(Order::Child)
}

fn bound(
    order: &Order,
    value: &Value,
    named: Option<BoundKey>,
    missing: BoundKey,
    is_inclusive: bool,
) -> Option<Bound> {
    if *order == Order::Key {
        let key = match value {
            Value::String(text) => bound_key(text)?,
            Value::Null => named.unwrap_or(missing),
            _ => return None,
        };
        return Some(Bound { value: None, key, is_inclusive });
    }
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(Leaf::Bool(*value)),
        Value::String(text) => Some(Leaf::from(text.as_str())),
        Value::Number(number) => Some(match number.as_i64() {
            Some(value) => Leaf::Integer(value),
            None => Leaf::number_of(number.as_f64()?)?,
        }),
        Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Bound { value, key: named.unwrap_or(missing), is_inclusive })
}

/// A key in a range, with the names that clients have for the ends.
fn bound_key(text: &str) -> Option<BoundKey> {
    match text {
        "[MIN_NAME]" | "[MIN_KEY]" => Some(BoundKey::First),
        "[MAX_NAME]" | "[MAX_KEY]" => Some(BoundKey::Last),
        _ => (text.len() <= BOUND_KEY_BYTES_MAX).then(|| BoundKey::Key(Key::unchecked(text))),
    }
}

/// A number that is whole, also if it is written as a double.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
fn whole(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
}

fn part(name: &'static str, seen: &Value, allowed: &'static str) -> QueryError {
    QueryError::Part { name, seen: shown(&seen.to_string()), allowed }
}

fn too_long(name: &'static str, text: &str) -> QueryError {
    QueryError::Part { name, seen: format!("a text of {} bytes", text.len()), allowed: "a key" }
}

/// Not more than a line of what a client sent.
fn shown(text: &str) -> String {
    const CHARACTERS_MAX: usize = 100;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
