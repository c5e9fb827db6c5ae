//! Values as people read them in an explanation.

use std::fmt::Write;

use super::number::double_text;
use super::value::Value;
use crate::value::{push_items, push_text};

/// The value in CEL's own notation, shortened.
pub fn show(value: &Value<'_>) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out
}

fn write_value(out: &mut String, value: &Value<'_>, level: usize) {
    // Writing to a `String` cannot fail.
    let _ = match value {
        Value::Null => write!(out, "null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Uint(value) => write!(out, "{value}u"),
        Value::Double(value) if value.fract() == 0.0 && value.abs() < 1e15 => write!(out, "{value:.1}"),
        Value::Double(value) => write!(out, "{}", double_text(*value)),
        Value::Str(text) => {
            push_text(out, text.as_str());
            Ok(())
        }
        Value::Bytes(bytes) => write!(out, "bytes({})", bytes.as_slice().len()),
        Value::Timestamp(time) => write!(out, "timestamp('{time}')"),
        Value::Duration(length) => write!(out, "duration('{}')", super::time::duration_text(*length)),
        Value::Type(name) => write!(out, "{}", name.as_str()),
        Value::Optional(None) => write!(out, "optional.none()"),
        Value::Optional(Some(inner)) => {
            out.push_str("optional.of(");
            write_value(out, inner, level + 1);
            write!(out, ")")
        }
        Value::Ip(address) => write!(out, "ip('{address}')"),
        Value::Cidr(address, length) => write!(out, "cidr('{address}/{length}')"),
        Value::List(list) => {
            let items = (0..list.len()).map(|index| list.get(index).unwrap_or(Value::Null));
            push_items(out, ["[", "]"], items, level, |out, item| write_value(out, &item, level + 1));
            Ok(())
        }
        Value::Map(map) => {
            push_items(out, ["{", "}"], map.keys().iter(), level, |out, key| {
                write_value(out, &key.clone().value(), level + 1);
                out.push_str(": ");
                write_value(out, &map.get(key).unwrap_or(Value::Null), level + 1);
            });
            Ok(())
        }
    };
}
