//! The functions of the rules language that need nothing but their arguments.

use crate::builtin::{Duration, LatLng, calendar, hash, number};
use crate::eval::Computed;
use crate::meter::Meter;
use crate::value::{Bytes, FaultKind, Segments, Str, Val};

use super::names::{Function, argument_count, signatures};
use super::paths;

/// Calls a function that reads no document.
pub fn call<'v>(function: Function, arguments: &[Val<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    let found = match (function, arguments) {
        (Function::Path, [Val::Str(text)]) => Ok(Val::Path(paths::parse(text))),
        (Function::Debug, [value]) => Ok(value.clone()),
        (Function::Int, [value]) => to_int(value),
        (Function::Float, [value]) => to_float(value),
        (Function::String, [value]) => to_text(value, meter)?,
        (Function::Abs | Function::Ceil | Function::Floor | Function::Round, [Val::Int(value)]) => {
            match function {
                Function::Abs => Ok(number::abs(*value).map(Val::Int).ok_or(FaultKind::Overflow)?),
                _ => Ok(Val::Int(*value)),
            }
        }
        (Function::Abs, [Val::Float(value)]) => Ok(Val::Float(value.abs())),
        (Function::Ceil, [Val::Float(value)]) => whole(number::ceil(*value)),
        (Function::Floor, [Val::Float(value)]) => whole(number::floor(*value)),
        (Function::Round, [Val::Float(value)]) => whole(number::round(*value)),
        (Function::Sqrt, [value]) => float(value).map(|value| Val::Float(number::sqrt(value))),
        (Function::IsNan, [value]) => float(value).map(|value| Val::Bool(value.is_nan())),
        (Function::Pow, [base, exponent]) => match (float(base), float(exponent)) {
            (Ok(base), Ok(exponent)) => Ok(Val::Float(number::pow(base, exponent))),
            _ => Err(Mismatch),
        },
        (Function::TimestampDate, [Val::Int(year), Val::Int(month), Val::Int(day)]) => {
            let date = calendar::from_date(*year, *month, *day);
            Ok(date.map(Val::Timestamp).ok_or_else(|| bad("timestamp.date", "not a date"))?)
        }
        (Function::TimestampValue, [Val::Int(millis)]) => {
            let at = calendar::from_millis(*millis);
            Ok(at.map(Val::Timestamp).ok_or_else(|| bad("timestamp.value", "out of range"))?)
        }
        (Function::DurationValue, [Val::Int(amount), Val::Str(unit)]) => {
            let length = Duration::from(*amount, unit.as_str());
            Ok(length
                .map(Val::Duration)
                .ok_or_else(|| bad("duration.value", "unknown unit or out of range"))?)
        }
        (
            Function::DurationTime,
            [Val::Int(hours), Val::Int(minutes), Val::Int(seconds), Val::Int(nanos)],
        ) => {
            let length = Duration::time(*hours, *minutes, *seconds, *nanos);
            Ok(length.map(Val::Duration).ok_or_else(|| bad("duration.time", "out of range"))?)
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

fn bad<'v>(function: &str, reason: &str) -> FaultKind<'v> {
    FaultKind::Message(format!("Invalid argument provided to call. Function: [{function}]: {reason}."))
}

fn whole<'v>(value: Option<i64>) -> Found<'v> {
    // Too large for an integer, infinite or NaN: no integer is right.
    value.map(Val::Int).ok_or(Mismatch)
}

fn float(value: &Val<'_>) -> Result<f64, Mismatch> {
    match value {
        Val::Int(value) => Ok(number::float_from_int(*value)),
        Val::Float(value) => Ok(*value),
        _ => Err(Mismatch),
    }
}

fn to_int<'v>(value: &Val<'v>) -> Found<'v> {
    match value {
        Val::Int(value) => Ok(Val::Int(*value)),
        Val::Float(value) => whole(number::int_from_float(*value)),
        Val::Str(text) => whole(number::int_from_text(text.as_str())),
        _ => Err(Mismatch),
    }
}

fn to_float<'v>(value: &Val<'v>) -> Found<'v> {
    match value {
        Val::Str(text) => number::float_from_text(text.as_str()).map(Val::Float).ok_or(Mismatch),
        other => float(other).map(Val::Float),
    }
}

fn to_text<'v>(value: &Val<'v>, meter: &mut Meter<'_>) -> Result<Found<'v>, FaultKind<'v>> {
    Ok(match value {
        Val::Null => Ok(Val::text("null")),
        Val::Bool(value) => Ok(Val::text(if *value { "true" } else { "false" })),
        Val::Int(value) => Ok(Val::text(value.to_string())),
        Val::Float(value) => Ok(Val::text(number::float_text(*value))),
        Val::Str(_) => Ok(value.clone()),
        Val::Path(segments) => {
            let text = paths::text(segments);
            meter.work(text.len())?;
            Ok(Val::text(text))
        }
        _ => Err(Mismatch),
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

/// `path.bind(map)`: segments `{name}` are replaced by the map's values.
pub fn bind<'v>(segments: &Segments<'v>, map: &crate::value::Map<'v>) -> Computed<'v> {
    let bound: Result<Vec<Str<'v>>, FaultKind<'v>> = segments
        .iter()
        .map(|segment| {
            let Some(name) = segment.as_str().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
            else {
                return Ok(segment.clone());
            };
            match map.get(name) {
                Some(Val::Str(text)) => Ok(text),
                Some(other) => Err(FaultKind::Unsupported {
                    received: format!("path.bind(map[string, {}])", other.type_name()),
                    expected: "path.bind(map[string, string])".to_owned(),
                }),
                None => Err(FaultKind::UndefinedProperty(name.to_owned().into())),
            }
        })
        .collect();
    Ok(Val::Path(bound?.into()))
}
