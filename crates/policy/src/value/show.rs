//! Values as people read them in an explanation.

use std::fmt::Write;

use super::{Map, Val};

/// Items of a list or map shown before `…`.
const ITEMS_SHOWN_MAX: usize = 8;
/// Characters of a string shown before `…`.
const TEXT_SHOWN_MAX: usize = 80;
/// Levels of nesting shown before `…`.
const LEVELS_SHOWN_MAX: usize = 3;

/// The value in the rules language's own notation, shortened.
pub fn show(value: &Val<'_>) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out
}

fn write_value(out: &mut String, value: &Val<'_>, level: usize) {
    // Writing to a `String` cannot fail.
    let _ = match value {
        Val::Null => write!(out, "null"),
        Val::Bool(value) => write!(out, "{value}"),
        Val::Int(value) => write!(out, "{value}"),
        Val::Float(value) => write!(out, "{value:?}"),
        Val::Str(text) => {
            write_text(out, text.as_str());
            Ok(())
        }
        Val::Bytes(bytes) => write!(out, "bytes({})", bytes.as_slice().len()),
        Val::Timestamp(time) => write!(out, "timestamp('{time}')"),
        Val::Duration(length) => {
            write!(out, "duration({}.{:09}s)", length.seconds(), length.nanos().unsigned_abs())
        }
        Val::LatLng(point) => write!(out, "latlng({:?}, {:?})", point.latitude, point.longitude),
        Val::Path(segments) => segments.iter().try_for_each(|segment| write!(out, "/{}", segment.as_str())),
        Val::List(list) => {
            write_items(out, "[", list.iter(), list.len(), "]", level);
            Ok(())
        }
        Val::Set(items) => {
            write_items(out, "set[", items.iter().cloned(), items.len(), "]", level);
            Ok(())
        }
        Val::Map(map) => {
            write_map(out, map, level);
            Ok(())
        }
        Val::Diff(_) => write!(out, "map_diff"),
        Val::Field(field) => write!(out, "{field}"),
        Val::Handle(_) => write!(out, "{}", value.type_name()),
    };
}

fn write_text(out: &mut String, text: &str) {
    out.push('\'');
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
}

fn write_items<'v>(
    out: &mut String,
    open: &str,
    items: impl Iterator<Item = Val<'v>>,
    len: usize,
    close: &str,
    level: usize,
) {
    out.push_str(open);
    if level >= LEVELS_SHOWN_MAX && len > 0 {
        out.push('…');
    } else {
        for (count, item) in items.enumerate().take(ITEMS_SHOWN_MAX) {
            if count > 0 {
                out.push_str(", ");
            }
            write_value(out, &item, level + 1);
        }
        if len > ITEMS_SHOWN_MAX {
            out.push_str(", …");
        }
    }
    out.push_str(close);
}

fn write_map(out: &mut String, map: &Map<'_>, level: usize) {
    let keys = map.keys();
    out.push('{');
    if level >= LEVELS_SHOWN_MAX && !keys.is_empty() {
        out.push('…');
    } else {
        for (count, key) in keys.iter().enumerate().take(ITEMS_SHOWN_MAX) {
            if count > 0 {
                out.push_str(", ");
            }
            out.push_str(key.as_str());
            out.push_str(": ");
            write_value(out, &map.get(key.as_str()).unwrap_or(Val::Null), level + 1);
        }
        if keys.len() > ITEMS_SHOWN_MAX {
            out.push_str(", …");
        }
    }
    out.push('}');
}
