//! Values as people read them in an explanation.

use std::fmt::Write;

use super::{Step, Val};

/// Items of a list or map shown before `…`.
const ITEMS_SHOWN_MAX: usize = 8;
/// Characters of a string shown before `…`.
const TEXT_SHOWN_MAX: usize = 80;
/// Levels of nesting shown before `…`.
const LEVELS_SHOWN_MAX: usize = 3;

/// The value in the rules language's own notation, shortened.
pub fn show(value: &Val<'_>) -> String {
    let mut out = String::new();
    push_shown(&mut out, value);
    out
}

/// Appends what [`show`] gives.
pub fn push_shown(out: &mut String, value: &Val<'_>) {
    write_value(out, value, 0);
}

fn write_value(out: &mut String, value: &Val<'_>, level: usize) {
    // Writing to a `String` cannot fail.
    let _ = match value {
        Val::Null => {
            out.push_str("null");
            Ok(())
        }
        Val::Bool(value) => {
            out.push_str(if *value { "true" } else { "false" });
            Ok(())
        }
        Val::Int(value) => write!(out, "{value}"),
        Val::Float(value) => write!(out, "{value:?}"),
        Val::Str(text) => {
            push_text(out, text.as_str());
            Ok(())
        }
        Val::Bytes(bytes) => write!(out, "bytes({})", bytes.as_slice().len()),
        Val::Timestamp(time) => write!(out, "timestamp('{time}')"),
        Val::Duration(length) => {
            write!(out, "duration({}.{:09}s)", length.seconds(), length.nanos().unsigned_abs())
        }
        Val::LatLng(point) => write!(out, "latlng({:?}, {:?})", point.latitude, point.longitude),
        Val::Path(segments) => segments.iter().try_for_each(|segment| write!(out, "/{}", segment.as_str())),
        Val::Template(steps) => steps.iter().try_for_each(|step| match step {
            Step::Text(text) => write!(out, "/{}", text.as_str()),
            Step::Variable { name, glob: false } => write!(out, "/{{{}}}", name.as_str()),
            Step::Variable { name, .. } => write!(out, "/{{{}=**}}", name.as_str()),
        }),
        Val::List(list) => {
            let items = (0..list.len()).map(|index| list.get(index).unwrap_or(Val::Null));
            push_items(out, ["[", "]"], items, level, |out, item| write_value(out, &item, level + 1));
            Ok(())
        }
        Val::Set(items) => {
            push_items(out, ["set[", "]"], items.iter(), level, |out, item| {
                write_value(out, item, level + 1)
            });
            Ok(())
        }
        Val::Map(map) => {
            push_items(out, ["{", "}"], map.keys().iter(), level, |out, key| {
                out.push_str(key.as_str());
                out.push_str(": ");
                write_value(out, &map.get(key.as_str()).unwrap_or(Val::Null), level + 1);
            });
            Ok(())
        }
        Val::Diff(_) => write!(out, "map_diff"),
        Val::Field(field) => write!(out, "{field}"),
        Val::Handle(_) => write!(out, "{}", value.type_name()),
    };
}

/// Appends a text in quotes, shortened.
pub(crate) fn push_text(out: &mut String, text: &str) {
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

/// Appends the items of a list or a map at a level of nesting, shortened.
pub(crate) fn push_items<I>(
    out: &mut String,
    [open, close]: [&str; 2],
    items: impl ExactSizeIterator<Item = I>,
    level: usize,
    mut push: impl FnMut(&mut String, I),
) {
    let len = items.len();
    out.push_str(open);
    if level >= LEVELS_SHOWN_MAX && len > 0 {
        out.push('…');
    } else {
        for (count, item) in items.enumerate().take(ITEMS_SHOWN_MAX) {
            if count > 0 {
                out.push_str(", ");
            }
            push(out, item);
        }
        if len > ITEMS_SHOWN_MAX {
            out.push_str(", …");
        }
    }
    out.push_str(close);
}
