//! Values written as JSON.

use base::{Fields, GeoPoint, Timestamp, Value};
use serde_json::Value as Json;

/// A value: JSON, with `{"$timestamp": …}`, `$reference`, `$bytes` (hex) and `$geo` for what JSON has not.
pub fn value(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Value::Integer(value),
            (None, Some(value)) => Value::Double(value),
            (None, None) => return Err(format!("`{number}` is no number of 64 bits")),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(value).collect::<Result<_, _>>()?),
        Json::Object(map) => match (map.len(), map.iter().next()) {
            (1, Some((key, inner))) if key.starts_with('$') => match special(key, inner) {
                Some(special) => special?,
                None => Value::Map(fields(json)?),
            },
            _ => Value::Map(fields(json)?),
        },
    })
}

/// The fields of an object.
pub fn fields(json: &Json) -> Result<Fields, String> {
    let Json::Object(map) = json else { return Err(format!("`{json}` is not an object")) };
    map.iter().map(|(name, json)| Ok((name.clone(), value(json)?))).collect()
}

fn special(key: &str, inner: &Json) -> Option<Result<Value, String>> {
    let wrong = |what: &str| Some(Err(format!("`{inner}` is not {what}")));
    match (key, inner) {
        ("$timestamp", Json::String(text)) => match Timestamp::parse(text) {
            Ok(time) => Some(Ok(Value::Timestamp(time))),
            Err(_) => wrong("a time such as 2026-01-02T03:04:05Z"),
        },
        ("$reference", Json::String(text)) => {
            Some(Ok(Value::Reference(format!("projects/demo/databases/(default)/documents{text}"))))
        }
        ("$bytes", Json::String(text)) => match hex::decode(text) {
            Ok(bytes) => Some(Ok(Value::Bytes(bytes))),
            Err(_) => wrong("bytes in hex"),
        },
        ("$geo", Json::Array(point)) => {
            match (point.first().and_then(Json::as_f64), point.get(1).and_then(Json::as_f64)) {
                (Some(latitude), Some(longitude)) => {
                    Some(Ok(Value::GeoPoint(GeoPoint { latitude, longitude })))
                }
                _ => wrong("a latitude and a longitude"),
            }
        }
        _ => None,
    }
}
