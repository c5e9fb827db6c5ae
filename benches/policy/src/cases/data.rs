//! Short ways to write values.

use base::{Fields, Value};

pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub fn fields<const N: usize>(entries: [(&str, Value); N]) -> Fields {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(fields(entries))
}

/// A JSON value as one of ours.
pub fn stored(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(items) => Value::Array(items.iter().map(stored).collect()),
        serde_json::Value::Object(members) => {
            Value::Map(members.iter().map(|(name, value)| (name.clone(), stored(value))).collect())
        }
    }
}
