//! Functions of text. Positions count characters, as cel-go's do.

use crate::meter::Meter;
use crate::value::Str;

use super::fault::{Computed, FaultKind};
use super::functions::count;
use super::library::Function;
use super::limit;
use super::value::Value;

/// Calls one of them.
pub fn call<'v>(function: Function, arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    let Some((receiver, rest)) = arguments.split_first() else { return Err(FaultKind::NoOverload) };
    let text = match receiver {
        Value::Str(text) => text.as_str(),
        Value::List(list) => {
            limit(meter.take_work(list.len()))?;
            return match (function, rest) {
                (Function::Reverse, []) => {
                    let mut items: Vec<Value<'v>> = list.iter().collect();
                    items.reverse();
                    Ok(Value::list(items))
                }
                (Function::Join, []) => join(list.iter(), "", meter),
                (Function::Join, [Value::Str(separator)]) => join(list.iter(), separator.as_str(), meter),
                _ => Err(FaultKind::NoOverload),
            };
        }
        _ => return Err(FaultKind::NoOverload),
    };
    limit(meter.take_work(text.len()))?;
    match (function, rest) {
        (Function::Contains, [Value::Str(part)]) => Ok(Value::Bool(text.contains(part.as_str()))),
        (Function::StartsWith, [Value::Str(part)]) => Ok(Value::Bool(text.starts_with(part.as_str()))),
        (Function::EndsWith, [Value::Str(part)]) => Ok(Value::Bool(text.ends_with(part.as_str()))),
        (Function::CharAt, [Value::Int(index)]) => char_at(text, *index),
        (Function::IndexOf, [Value::Str(part)]) => index_of(text, part.as_str(), 0),
        (Function::IndexOf, [Value::Str(part), Value::Int(from)]) => index_of(text, part.as_str(), *from),
        (Function::LastIndexOf, [Value::Str(part)]) => last_index_of(text, part.as_str(), None),
        (Function::LastIndexOf, [Value::Str(part), Value::Int(from)]) => {
            last_index_of(text, part.as_str(), Some(*from))
        }
        (Function::LowerAscii, []) => Ok(Value::text(text.to_ascii_lowercase())),
        (Function::UpperAscii, []) => Ok(Value::text(text.to_ascii_uppercase())),
        (Function::Replace, [Value::Str(from), Value::Str(to)]) => {
            replace(text, from.as_str(), to.as_str(), -1, meter)
        }
        (Function::Replace, [Value::Str(from), Value::Str(to), Value::Int(times)]) => {
            replace(text, from.as_str(), to.as_str(), *times, meter)
        }
        (Function::Split, [Value::Str(separator)]) => split(text, separator.as_str(), -1, meter),
        (Function::Split, [Value::Str(separator), Value::Int(pieces)]) => {
            split(text, separator.as_str(), *pieces, meter)
        }
        (Function::Substring, [Value::Int(start)]) => substring(text, *start, None),
        (Function::Substring, [Value::Int(start), Value::Int(end)]) => substring(text, *start, Some(*end)),
        (Function::Trim, []) => Ok(match receiver {
            Value::Str(Str::Borrowed(text)) => Value::Str(Str::Borrowed(text.trim())),
            _ => Value::text(text.trim()),
        }),
        (Function::Reverse, []) => Ok(Value::text(text.chars().rev().collect::<String>())),
        (Function::Quote, []) => Ok(Value::text(quote(text))),
        _ => Err(FaultKind::NoOverload),
    }
}

fn out_of_range(index: i64) -> FaultKind {
    FaultKind::Invalid(format!("index out of range: {index}"))
}

/// The byte offset of a character, which may be the end.
fn offset(text: &str, index: i64) -> Result<usize, FaultKind> {
    let wanted = usize::try_from(index).map_err(|_| out_of_range(index))?;
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().nth(wanted).ok_or_else(|| out_of_range(index))
}

fn char_at<'v>(text: &str, index: i64) -> Computed<'v> {
    let at = offset(text, index)?;
    Ok(Value::text(text.get(at..).and_then(|rest| rest.chars().next()).map(String::from).unwrap_or_default()))
}

fn characters_before<'v>(text: &str, at: usize) -> Value<'v> {
    count(text.get(..at).map_or(0, |before| before.chars().count()))
}

fn index_of<'v>(text: &str, part: &str, from: i64) -> Computed<'v> {
    let from_byte = offset(text, from)?;
    let found = text.get(from_byte..).and_then(|rest| rest.find(part));
    Ok(found.map_or(Value::Int(-1), |at| characters_before(text, from_byte + at)))
}

/// The last one that begins at `from` or before.
fn last_index_of<'v>(text: &str, part: &str, from: Option<i64>) -> Computed<'v> {
    let end = match from {
        None => text.len(),
        Some(from) => offset(text, from)?.saturating_add(part.len()).min(text.len()),
    };
    // The end may fall into a character; what ends there does not match anyway.
    let mut end = end;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let found = text.get(..end).and_then(|before| before.rfind(part));
    Ok(found.map_or(Value::Int(-1), |at| characters_before(text, at)))
}

fn substring<'v>(text: &str, start: i64, end: Option<i64>) -> Computed<'v> {
    let from = offset(text, start)?;
    let to = end.map_or(Ok(text.len()), |end| offset(text, end))?;
    match text.get(from..to) {
        Some(part) => Ok(Value::text(part)),
        None => Err(FaultKind::Invalid(format!(
            "invalid substring range. start: {start}, end: {}",
            end.unwrap_or_default()
        ))),
    }
}

fn replace<'v>(text: &str, from: &str, to: &str, times: i64, meter: &mut Meter<'_>) -> Computed<'v> {
    let times = usize::try_from(times).unwrap_or(usize::MAX);
    let made = text.matches(from).count().min(times).saturating_mul(to.len());
    limit(meter.take_work(made.saturating_add(text.len())))?;
    Ok(Value::text(text.replacen(from, to, times)))
}

fn split<'v>(text: &str, separator: &str, pieces: i64, meter: &mut Meter<'_>) -> Computed<'v> {
    if pieces == 0 {
        return Ok(Value::list(Vec::new()));
    }
    limit(meter.take_work(text.len().saturating_mul(PIECE_WORK_UNITS)))?;
    let most = usize::try_from(pieces).unwrap_or(usize::MAX);
    let list = if separator.is_empty() {
        let mut list: Vec<Value<'v>> = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next().filter(|_| list.len() + 1 < most) {
            let (piece, after) = rest.split_at(first.len_utf8());
            list.push(Value::text(piece));
            rest = after;
        }
        if !rest.is_empty() {
            list.push(Value::text(rest));
        }
        list
    } else {
        text.splitn(most, separator).map(Value::text).collect()
    };
    Ok(Value::list(list))
}

/// A piece takes more memory than its bytes.
const PIECE_WORK_UNITS: usize = 16;

fn join<'v>(items: impl Iterator<Item = Value<'v>>, separator: &str, meter: &mut Meter<'_>) -> Computed<'v> {
    let mut out = String::new();
    for (index, item) in items.enumerate() {
        let Value::Str(text) = item else { return Err(FaultKind::NoOverload) };
        limit(meter.take_work(text.as_str().len() + separator.len()))?;
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(text.as_str());
    }
    Ok(Value::text(out))
}

fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
