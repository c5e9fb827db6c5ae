//! `'%s is %d'.format([…])`

use crate::meter::Meter;
use crate::syntax::cursor::Cursor;

use super::fault::{Computed, FaultKind};
use super::limit;
use super::number::{double_text, int_to_double, scientific, uint_to_double};
use super::time::duration_text;
use super::value::Value;

/// Digits after the point.
const PRECISION_MAX: usize = 100;
/// Digits without a precision.
const PRECISION: usize = 6;
/// What a short value takes.
const TEXT_WORK_UNITS: usize = 32;
/// Levels of lists and maps written.
const LEVELS_MAX: usize = 50;

/// Fills the clauses of a text with values.
pub fn format<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    let [Value::Str(template), Value::List(values)] = arguments else { return Err(FaultKind::NoOverload) };
    let mut out = String::new();
    let mut next = 0;
    let mut cursor = Cursor::new(template.as_str());
    while let Some(character) = cursor.bump() {
        if character != '%' {
            out.push(character);
            continue;
        }
        if cursor.eat("%") {
            out.push('%');
            continue;
        }
        let mut precision = None;
        if cursor.eat(".") {
            let digits = cursor.eat_while(|c| c.is_ascii_digit());
            let digits = digits.parse().ok().filter(|digits| *digits <= PRECISION_MAX);
            precision = Some(digits.ok_or_else(|| clause("invalid precision"))?);
        }
        let verb = cursor.bump().ok_or_else(|| clause("unexpected end of text"))?;
        let value =
            values.get(next).ok_or_else(|| FaultKind::Invalid(format!("index {next} out of range")))?;
        next += 1;
        write(&mut out, verb, precision, &value, meter)?;
    }
    limit(meter.take_work(out.len()))?;
    Ok(Value::text(out))
}

fn clause(why: &str) -> FaultKind {
    FaultKind::Invalid(format!("could not parse formatting clause: {why}"))
}

fn unfit(what: &str, value: &Value<'_>) -> FaultKind {
    FaultKind::Invalid(format!("error during formatting: {what}, was given {}", value.type_name()))
}

fn write(
    out: &mut String,
    verb: char,
    precision: Option<usize>,
    value: &Value<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), FaultKind> {
    match verb {
        's' => plain(out, value, 0, meter)?,
        'd' => match value {
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Uint(value) => out.push_str(&value.to_string()),
            Value::Double(value) => out.push_str(&named(*value).unwrap_or_else(|| double_text(*value))),
            other => return Err(unfit("decimal clause can only be used on integers", other)),
        },
        'f' => {
            let value = number(value, "fixed-point clause can only be used on doubles")?;
            let digits = precision.unwrap_or(PRECISION);
            out.push_str(&named(value).unwrap_or_else(|| format!("{value:.digits$}")));
        }
        'e' => {
            let value = number(value, "scientific clause can only be used on doubles")?;
            let digits = precision.unwrap_or(PRECISION);
            out.push_str(&named(value).unwrap_or_else(|| scientific(&format!("{value:.digits$e}"))));
        }
        'b' => match value {
            Value::Bool(value) => out.push_str(if *value { "1" } else { "0" }),
            _ => {
                whole(out, value, "only integers and bools can be formatted as binary", |n| format!("{n:b}"))?
            }
        },
        'o' => whole(out, value, "octal clause can only be used on integers", |n| format!("{n:o}"))?,
        'x' => hexadecimal(out, value, false)?,
        'X' => hexadecimal(out, value, true)?,
        other => return Err(clause(&format!("unrecognized formatting clause \"{other}\""))),
    }
    Ok(())
}

fn named(value: f64) -> Option<String> {
    if value.is_nan() {
        return Some("NaN".to_owned());
    }
    value.is_infinite().then(|| if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
}

fn number(value: &Value<'_>, what: &str) -> Result<f64, FaultKind> {
    match value {
        Value::Double(value) => Ok(*value),
        Value::Int(value) => Ok(int_to_double(*value)),
        Value::Uint(value) => Ok(uint_to_double(*value)),
        other => Err(unfit(what, other)),
    }
}

fn whole(
    out: &mut String,
    value: &Value<'_>,
    what: &str,
    digits: fn(u64) -> String,
) -> Result<(), FaultKind> {
    match value {
        Value::Int(value) => {
            if *value < 0 {
                out.push('-');
            }
            out.push_str(&digits(value.unsigned_abs()));
        }
        Value::Uint(value) => out.push_str(&digits(*value)),
        other => return Err(unfit(what, other)),
    }
    Ok(())
}

fn hexadecimal(out: &mut String, value: &Value<'_>, upper: bool) -> Result<(), FaultKind> {
    let bytes = match value {
        Value::Str(text) => text.as_str().as_bytes(),
        Value::Bytes(bytes) => bytes.as_slice(),
        _ => {
            let what = "only integers, byte buffers, and strings can be formatted as hex";
            return whole(out, value, what, if upper { |n| format!("{n:X}") } else { |n| format!("{n:x}") });
        }
    };
    out.push_str(&if upper { hex::encode_upper(bytes) } else { hex::encode(bytes) });
    Ok(())
}

fn plain(out: &mut String, value: &Value<'_>, level: usize, meter: &mut Meter<'_>) -> Result<(), FaultKind> {
    let length = match value {
        Value::Str(text) => text.as_str().len(),
        Value::Bytes(bytes) => bytes.as_slice().len(),
        _ => TEXT_WORK_UNITS,
    };
    limit(meter.take_work(length))?;
    if level > LEVELS_MAX {
        return Err(FaultKind::Limit);
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(&value.to_string()),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Uint(value) => out.push_str(&value.to_string()),
        Value::Double(value) => out.push_str(&named(*value).unwrap_or_else(|| double_text(*value))),
        Value::Str(text) | Value::Type(text) => out.push_str(text.as_str()),
        Value::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes.as_slice())),
        Value::Timestamp(time) => out.push_str(&time.to_string()),
        Value::Duration(length) => out.push_str(&duration_text(*length)),
        Value::Ip(address) => out.push_str(&address.to_string()),
        Value::Cidr(address, length) => out.push_str(&format!("{address}/{length}")),
        Value::Optional(_) => return Err(unfit("string clause cannot be used on this type", value)),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                plain(out, &item, level + 1, meter)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries = Vec::new();
            for key in map.keys() {
                let (mut name, mut text) = (String::new(), String::new());
                plain(&mut name, &key.value(), level + 1, meter)?;
                plain(&mut text, &map.get(&key).unwrap_or(Value::Null), level + 1, meter)?;
                entries.push(format!("{name}: {text}"));
            }
            entries.sort_unstable();
            out.push('{');
            out.push_str(&entries.join(", "));
            out.push('}');
        }
    }
    Ok(())
}
