//! The functions of the rules language that need nothing but their arguments.

use base::Timestamp;

use crate::builtin::{Duration, LatLng, calendar, hash, number};
use crate::eval::Computed;
use crate::meter::Meter;
use crate::value::{Bytes, FaultKind, Str, Val};

use super::names::{Function, argument_count, signatures};
use super::paths;

/// Calls a function that reads no document.
pub fn call<'v>(function: Function, arguments: &[Val<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    let found = match (function, arguments) {
        (Function::Path, [Val::Str(text)]) => Ok(paths::parse(text)?),
        // More than one argument is warned about, and does no harm.
        (Function::Debug, [value, ..]) => Ok(value.clone()),
        (Function::Int, [value]) => to_int(value)?,
        (Function::Float, [value]) => to_float(value)?,
        (Function::String, [value]) => return Ok(Val::Str(string_of(value, meter)?)),
        (Function::Abs | Function::Ceil | Function::Floor | Function::Round, [Val::Int(value)]) => {
            match function {
                Function::Abs => Ok(Val::Int(value.wrapping_abs())),
                Function::Round => Ok(Val::Int(*value)),
                _ => Ok(Val::Float(number::float_from_int(*value))),
            }
        }
        (Function::Abs, [Val::Float(value)]) => Ok(Val::Float(value.abs())),
        (Function::Ceil, [Val::Float(value)]) => Ok(Val::Float(value.ceil())),
        (Function::Floor, [Val::Float(value)]) => Ok(Val::Float(value.floor())),
        (Function::Round, [Val::Float(value)]) => Ok(Val::Int(number::round(*value))),
        (Function::Sqrt, [value]) => float(value).map(|value| Val::Float(number::sqrt(value))),
        (Function::IsNan, [value]) => float(value).map(|value| Val::Bool(value.is_nan())),
        (Function::Pow, [base, exponent]) => match (float(base), float(exponent)) {
            (Ok(base), Ok(exponent)) => Ok(Val::Float(number::pow(base, exponent))),
            _ => Err(Mismatch),
        },
        (Function::TimestampDate, [Val::Int(year), Val::Int(month), Val::Int(day)]) => {
            let date = calendar::from_date(*year, *month, *day);
            let refused = || message(format!("Date is not valid. year: {year}, month: {month} day: {day}."));
            Ok(date.map(Val::Timestamp).ok_or_else(refused)?)
        }
        (Function::TimestampValue, [Val::Int(millis)]) => {
            Ok(calendar::from_millis(*millis).map(Val::Timestamp).ok_or_else(|| message(NO_TIMESTAMP))?)
        }
        (Function::TimestampValue, [Val::Str(text)]) => {
            Ok(timestamp(text.as_str()).map(Val::Timestamp).ok_or_else(|| message(NO_TIMESTAMP))?)
        }
        (Function::DurationValue, [Val::Int(amount), Val::Str(unit)]) => {
            let length = Duration::from(*amount, unit.as_str());
            let refused = || match Duration::from(0, unit.as_str()) {
                Some(_) => message(NO_DURATION),
                None => message(format!("Invalid regular expression pattern. Pattern: {}.", unit.as_str())),
            };
            Ok(length.map(Val::Duration).ok_or_else(refused)?)
        }
        (
            Function::DurationTime,
            [Val::Int(hours), Val::Int(minutes), Val::Int(seconds), Val::Int(nanos)],
        ) => {
            let length = Duration::time(*hours, *minutes, *seconds, *nanos);
            Ok(length.map(Val::Duration).ok_or_else(|| message(NO_DURATION))?)
        }
        (Function::DurationAbs, [Val::Duration(length)]) => Ok(Val::Duration(length.abs())),
        (Function::LatLngValue, [latitude, longitude]) => match (float(latitude), float(longitude)) {
            (Ok(latitude), Ok(longitude)) => match LatLng::new(latitude, longitude) {
                Ok(_) => Ok(Val::LatLng(base::GeoPoint { latitude, longitude })),
                Err(error) => return Err(FaultKind::Message(error.to_string())),
            },
            _ => Err(Mismatch),
        },
        (Function::Md5, [value]) => digest(value, hash::md5, meter)?,
        (Function::Sha256, [value]) => digest(value, hash::sha256, meter)?,
        (Function::Crc32, [value]) => digest(value, hash::crc32, meter)?,
        (Function::Crc32c, [value]) => digest(value, hash::crc32c, meter)?,
        _ => Err(Mismatch),
    };
    found.map_err(|Mismatch| refused(function.name(), function.name(), arguments))
}

/// The arguments fit no signature.
pub struct Mismatch;

/// A value, or no signature fits.
pub type Found<'v> = Result<Val<'v>, Mismatch>;

/// The text for arguments that fit no signature of a function or method.
pub fn refused<'v>(qualified: &str, name: &'static str, arguments: &[Val<'_>]) -> FaultKind<'v> {
    let expected: Vec<&str> = signatures(qualified).collect();
    if expected.is_empty() {
        return FaultKind::FunctionNotFound(Str::Borrowed(name));
    }
    let fits = expected.iter().any(|signature| argument_count(signature) == arguments.len());
    let expected = expected.join(", ");
    if !fits {
        return FaultKind::Arguments { received: arguments.len(), expected };
    }
    let types: Vec<&str> = arguments.iter().map(Val::type_name).collect();
    FaultKind::Unsupported { received: format!("{qualified}({})", types.join(", ")), expected }
}

const NO_TIMESTAMP: &str = "Timestamp is not valid. Seconds must be in range [-62,135,596,800, +253,402,300,799]. Nanos must \
                            be in range [0, +999,999,999].";
const NO_DURATION: &str = "Duration is not valid. Seconds must be in range [-315,576,000,000, +315,576,000,000]. Nanos must be \
                           in range [-999,999,999, +999,999,999]. Nanos must have the same sign as seconds.";

fn message<'v>(text: impl Into<String>) -> FaultKind<'v> {
    FaultKind::Message(text.into())
}

/// `2024-01-31T12:00:00.5Z`, or with an offset.
fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim_start();
    let plain = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
    plain.then(|| Timestamp::parse(text).ok()).flatten()
}

fn conversion<'v>(text: &Str<'_>, to: &str) -> FaultKind<'v> {
    let text = text.as_str();
    FaultKind::Message(format!(
        "Type conversion error. Argument: [{text}], From type: [string], To type: [{to}]."
    ))
}

fn float(value: &Val<'_>) -> Result<f64, Mismatch> {
    match value {
        Val::Int(value) => Ok(number::float_from_int(*value)),
        Val::Float(value) => Ok(*value),
        _ => Err(Mismatch),
    }
}

fn to_int<'v>(value: &Val<'v>) -> Result<Found<'v>, FaultKind<'v>> {
    Ok(match value {
        Val::Int(value) => Ok(Val::Int(*value)),
        Val::Float(value) => Ok(Val::Int(number::int_from_float(*value))),
        Val::Str(text) => {
            Ok(Val::Int(number::int_from_text(text.as_str()).ok_or_else(|| conversion(text, "int"))?))
        }
        _ => Err(Mismatch),
    })
}

fn to_float<'v>(value: &Val<'v>) -> Result<Found<'v>, FaultKind<'v>> {
    Ok(match value {
        Val::Str(text) => {
            Ok(Val::Float(number::float_from_text(text.as_str()).ok_or_else(|| conversion(text, "float"))?))
        }
        other => float(other).map(Val::Float),
    })
}

/// `string(value)`, as a path and `join()` have it too.
pub fn string_of<'v>(value: &Val<'v>, meter: &mut Meter<'_>) -> Result<Str<'v>, FaultKind<'v>> {
    Ok(match value {
        Val::Null => Str::Borrowed("null"),
        Val::Bool(value) => Str::Borrowed(if *value { "true" } else { "false" }),
        Val::Int(value) => Str::from(value.to_string()),
        Val::Float(value) => Str::from(number::float_text(*value)),
        Val::Str(text) => text.clone(),
        Val::Path(segments) => {
            let text = paths::text(segments);
            meter.work(text.len())?;
            Str::from(text)
        }
        Val::Template(steps) => Str::from(paths::template_text(steps)),
        other => return Err(refused("string", "string", std::slice::from_ref(other))),
    })
}

fn digest<'v>(
    value: &Val<'v>,
    hash: fn(&[u8]) -> Vec<u8>,
    meter: &mut Meter<'_>,
) -> Result<Found<'v>, FaultKind<'v>> {
    let bytes = match value {
        Val::Str(text) => text.as_str().as_bytes(),
        Val::Bytes(bytes) => bytes.as_slice(),
        _ => return Ok(Err(Mismatch)),
    };
    meter.work(bytes.len())?;
    Ok(Ok(Val::Bytes(Bytes::Shared(hash(bytes).into()))))
}
