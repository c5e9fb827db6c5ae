//! Values as people read them in an explanation.

use std::fmt::Write;

use super::number::double_text;
use super::value::{Key, Value};

/// Items of a list or map shown before `…`.
const ITEMS_SHOWN_MAX: usize = 8;
/// Characters of a string shown before `…`.
const TEXT_SHOWN_MAX: usize = 80;
/// Levels of nesting shown before `…`.
const LEVELS_SHOWN_MAX: usize = 3;

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
        Value::Str(text) => write!(out, "{}", quoted(text.as_str())),
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
            let items = list.iter().take(ITEMS_SHOWN_MAX).map(|item| (None, item));
            write_items(out, ['[', ']'], items, list.len(), level);
            Ok(())
        }
        Value::Map(map) => {
            let keys = map.keys();
            let items = keys
                .iter()
                .take(ITEMS_SHOWN_MAX)
                .map(|key| (Some(key.clone()), map.get(key).unwrap_or(Value::Null)));
            write_items(out, ['{', '}'], items, keys.len(), level);
            Ok(())
        }
    };
}

fn write_items<'v>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = (Option<Key<'v>>, Value<'v>)>,
    count: usize,
    level: usize,
) {
    out.push(open);
    if level >= LEVELS_SHOWN_MAX && count > 0 {
        out.push('…');
    } else {
        for (index, (key, value)) in items.enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            if let Some(key) = key {
                write_value(out, &key.value(), level + 1);
                out.push_str(": ");
            }
            write_value(out, &value, level + 1);
        }
        if count > ITEMS_SHOWN_MAX {
            out.push_str(", …");
        }
    }
    out.push(close);
}

fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for (count, character) in text.chars().enumerate() {
        if count == TEXT_SHOWN_MAX {
            out.push('…');
            break;
        }
        match character {
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            _ => out.push(character),
        }
    }
    out.push('\'');
    out
}
