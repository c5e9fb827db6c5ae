//! Values as JSON that is read back as it was written: what records keep of requests.
//!
//! JSON's own kinds are written as they are; the rest is an object with one key that begins with `$`.
//!
//! ```text
//! {"$timestamp": "2026-01-02T03:04:05Z"}   {"$bytes": "00ff"}   {"$reference": "projects/p/databases/d/documents/a/b"}
//! {"$geo": [52.5, 13.4]}   {"$double": "NaN"}   {"$map": {"$timestamp": "text in a map of this one key"}}
//! ```

use base::{Fields, GeoPoint, Timestamp, Value};
use serde_json::{Map, Value as Json, json};

/// A value as JSON.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => json!(value),
        Value::Double(value) if value.is_finite() => json!(value),
        Value::Double(value) => json!({ "$double": value.to_string() }),
        Value::Timestamp(time) => json!({ "$timestamp": time.to_string() }),
        Value::String(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => json!({ "$bytes": hex::encode(bytes) }),
        Value::Reference(name) => json!({ "$reference": name }),
        Value::GeoPoint(GeoPoint { latitude, longitude }) => json!({ "$geo": [latitude, longitude] }),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(fields) => {
            let is_special = fields.len() == 1 && fields.keys().all(|name| name.starts_with('$'));
            if is_special { json!({ "$map": fields_to_json(fields) }) } else { fields_to_json(fields) }
        }
    }
}

/// Fields as a JSON object.
pub fn fields_to_json(fields: &Fields) -> Json {
    Json::Object(fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect())
}

/// Reads what [`to_json`] wrote; `None` for anything else.
pub fn from_json(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::Integer(value),
            None => Value::Double(number.as_f64()?),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect::<Option<_>>()?),
        Json::Object(map) => match special(map) {
            Some((kind, inner)) => read_special(kind, inner)?,
            None => Value::Map(fields_from_json(json)?),
        },
    })
}

/// Reads what [`fields_to_json`] wrote; `None` for anything else.
pub fn fields_from_json(json: &Json) -> Option<Fields> {
    json.as_object()?.iter().map(|(name, value)| Some((name.clone(), from_json(value)?))).collect()
}

fn special(map: &Map<String, Json>) -> Option<(&str, &Json)> {
    let (name, inner) = map.iter().next().filter(|_| map.len() == 1)?;
    Some((name.strip_prefix('$')?, inner))
}

fn read_special(kind: &str, inner: &Json) -> Option<Value> {
    Some(match kind {
        "double" => Value::Double(inner.as_str()?.parse().ok()?),
        "timestamp" => Value::Timestamp(Timestamp::parse(inner.as_str()?).ok()?),
        "bytes" => Value::Bytes(hex::decode(inner.as_str()?).ok()?),
        "reference" => Value::Reference(inner.as_str()?.to_owned()),
        "geo" => {
            let coordinate = |at: usize| inner.get(at).and_then(Json::as_f64);
            Value::GeoPoint(GeoPoint { latitude: coordinate(0)?, longitude: coordinate(1)? })
        }
        "map" => Value::Map(fields_from_json(inner)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>()
                .prop_filter("NaN differs from itself", |value| !value.is_nan())
                .prop_map(Value::Double),
            (0i64..4_000_000_000_000_000).prop_map(|micros| Value::Timestamp(Timestamp::from_micros(micros))),
            ".{0,8}".prop_map(Value::String),
            proptest::collection::vec(any::<u8>(), 0..8).prop_map(Value::Bytes),
            Just(Value::Reference("projects/p/databases/(default)/documents/a/b".to_owned())),
            Just(Value::GeoPoint(GeoPoint { latitude: -1.5, longitude: 2.0 })),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map("\\$?(map|bytes|a)", inner, 0..3).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_read_back_as_it_was(value in value()) {
            let text = to_json(&value).to_string();
            prop_assert_eq!(from_json(&serde_json::from_str(&text).unwrap()), Some(value));
        }
    }
}
