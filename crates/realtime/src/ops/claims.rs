//! What tokens and `auth_variable_override` say of a user, as rules see it and as clients are told.

use base::{Fields, Value};
use serde_json::Value as Json;

/// JSON as rules see it.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or_default()), Value::Integer)
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(value).collect()),
        Json::Object(entries) => Value::Map(fields(entries)),
    }
}

/// The members of an object as rules see them.
pub fn fields(entries: &serde_json::Map<String, Json>) -> Fields {
    entries.iter().map(|(name, member)| (name.clone(), value(member))).collect()
}

/// What rules see, as JSON. Claims are JSON, so nothing else comes here.
pub fn json(value: &Value) -> Json {
    match value {
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::Double(number) => Json::from(*number),
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(fields) => Json::Object(object(fields)),
        _ => Json::Null,
    }
}

/// Claims as JSON.
pub fn object(fields: &Fields) -> serde_json::Map<String, Json> {
    fields.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}
