//! The functions of the library: conversions, and where the others live.

use std::rc::Rc;

use base::Timestamp;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::meter::Meter;
use crate::re2::Regex;
use crate::value::{Bytes, Str};

use super::fault::{Computed, FaultKind};
use super::library::Function;
use super::number::{
    double_from_text, double_text, double_to_int, double_to_uint, int_to_double, uint_to_double,
};
use super::value::{List, Value, compare, equal};
use super::{format, limit, network, text, time};

/// Padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Calls a function. A receiver is the first argument.
pub fn call<'v>(function: Function, arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    match function {
        Function::Size => size(arguments, meter),
        Function::Matches => matches(arguments, meter),
        Function::Bool => to_bool(arguments),
        Function::Int => to_int(arguments),
        Function::Uint => to_uint(arguments),
        Function::Double => to_double(arguments),
        Function::String => to_string(arguments, meter),
        Function::Bytes => to_bytes(arguments, meter),
        Function::Timestamp => to_timestamp(arguments),
        Function::Duration => to_duration(arguments),
        Function::Dyn => only(arguments).cloned(),
        Function::Type => Ok(Value::Type(Str::Borrowed(only(arguments)?.type_name()))),
        Function::Format => format::format(arguments, meter),
        Function::Base64Encode | Function::Base64Decode => base64(function, arguments, meter),
        Function::SetsContains | Function::SetsEquivalent | Function::SetsIntersects => {
            sets(function, arguments, meter)
        }
        Function::OptionalNone
        | Function::OptionalOf
        | Function::OptionalOfNonZero
        | Function::OptionalHasValue
        | Function::OptionalValue
        | Function::OptionalOr
        | Function::OptionalOrValue => optional(function, arguments),
        of_family => family(of_family, arguments, meter),
    }
}

/// Functions that have a file of their own, by what they are about.
fn family<'v>(function: Function, arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    match function {
        Function::FullYear
        | Function::Month
        | Function::DayOfYear
        | Function::DayOfMonth
        | Function::Date
        | Function::DayOfWeek
        | Function::Hours
        | Function::Minutes
        | Function::Seconds
        | Function::Milliseconds => time::part(function, arguments),
        Function::Contains
        | Function::StartsWith
        | Function::EndsWith
        | Function::CharAt
        | Function::IndexOf
        | Function::LastIndexOf
        | Function::LowerAscii
        | Function::UpperAscii
        | Function::Replace
        | Function::Split
        | Function::Substring
        | Function::Trim
        | Function::Reverse
        | Function::Join
        | Function::Quote => text::call(function, arguments, meter),
        Function::Ceil
        | Function::Floor
        | Function::Round
        | Function::Trunc
        | Function::Abs
        | Function::Sign
        | Function::Sqrt
        | Function::IsNan
        | Function::IsInf
        | Function::IsFinite
        | Function::BitAnd
        | Function::BitOr
        | Function::BitXor
        | Function::BitNot
        | Function::BitShiftLeft
        | Function::BitShiftRight
        | Function::Greatest
        | Function::Least => super::math::call(function, arguments),
        Function::Ip
        | Function::IsIp
        | Function::IsCanonical
        | Function::Family
        | Function::IsUnspecified
        | Function::IsLoopback
        | Function::IsGlobalUnicast
        | Function::IsLinkLocalMulticast
        | Function::IsLinkLocalUnicast
        | Function::Cidr
        | Function::IsCidr
        | Function::ContainsIp
        | Function::ContainsCidr
        | Function::Masked
        | Function::PrefixLength => network::call(function, arguments),
        _ => Err(FaultKind::NoOverload),
    }
}

fn base64<'v>(function: Function, arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    match function {
        Function::Base64Encode => match only(arguments)? {
            Value::Bytes(bytes) => {
                limit(meter.take_work(bytes.as_slice().len() * 2))?;
                Ok(Value::text(BASE64.encode(bytes.as_slice())))
            }
            _ => Err(FaultKind::NoOverload),
        },
        Function::Base64Decode => match only(arguments)? {
            Value::Str(text) => {
                limit(meter.take_work(text.as_str().len()))?;
                let decoded = BASE64.decode(text.as_str());
                let decoded = decoded.map_err(|_| FaultKind::Invalid("illegal base64 data".to_owned()))?;
                Ok(Value::Bytes(Bytes::Shared(decoded.into())))
            }
            _ => Err(FaultKind::NoOverload),
        },
        _ => Err(FaultKind::NoOverload),
    }
}

fn optional<'v>(function: Function, arguments: &[Value<'v>]) -> Computed<'v> {
    match function {
        Function::OptionalNone => Ok(Value::Optional(None)),
        Function::OptionalOf => Ok(Value::Optional(Some(Rc::new(only(arguments)?.clone())))),
        Function::OptionalOfNonZero => {
            let value = only(arguments)?;
            Ok(Value::Optional((!value.is_zero()).then(|| Rc::new(value.clone()))))
        }
        Function::OptionalHasValue => match only(arguments)? {
            Value::Optional(inner) => Ok(Value::Bool(inner.is_some())),
            _ => Err(FaultKind::NoOverload),
        },
        Function::OptionalValue => match only(arguments)? {
            Value::Optional(Some(inner)) => Ok((**inner).clone()),
            Value::Optional(None) => Err(FaultKind::NoValue),
            _ => Err(FaultKind::NoOverload),
        },
        Function::OptionalOr => match arguments {
            [Value::Optional(None), other @ Value::Optional(_)] => Ok(other.clone()),
            [first @ Value::Optional(Some(_)), Value::Optional(_)] => Ok(first.clone()),
            _ => Err(FaultKind::NoOverload),
        },
        Function::OptionalOrValue => match arguments {
            [Value::Optional(Some(inner)), _] => Ok((**inner).clone()),
            [Value::Optional(None), other] => Ok(other.clone()),
            _ => Err(FaultKind::NoOverload),
        },
        _ => Err(FaultKind::NoOverload),
    }
}

/// The one argument.
pub fn only<'a, 'v>(arguments: &'a [Value<'v>]) -> Result<&'a Value<'v>, FaultKind> {
    match arguments {
        [argument] => Ok(argument),
        _ => Err(FaultKind::NoOverload),
    }
}

/// A count as CEL's number.
pub fn count<'v>(count: usize) -> Value<'v> {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn conversion(to: &str) -> FaultKind {
    FaultKind::Invalid(format!("type conversion error: not a {to}"))
}

fn size<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    Ok(count(match only(arguments)? {
        Value::Str(text) => {
            limit(meter.take_work(text.as_str().len()))?;
            text.as_str().chars().count()
        }
        Value::Bytes(bytes) => bytes.as_slice().len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(FaultKind::NoOverload),
    }))
}

/// Making a program from a pattern costs far more than its length, and something always.
const PATTERN_WORK_UNITS_PER_BYTE: usize = 256;
const PATTERN_WORK_UNITS: usize = 20_000;

fn matches<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    let [Value::Str(text), Value::Str(pattern)] = arguments else { return Err(FaultKind::NoOverload) };
    let making = PATTERN_WORK_UNITS + pattern.as_str().len() * PATTERN_WORK_UNITS_PER_BYTE;
    limit(meter.take_work(text.as_str().len() + making))?;
    let regex = Regex::new(pattern.as_str()).map_err(|error| FaultKind::Invalid(error.to_string()))?;
    Ok(Value::Bool(regex.is_match(text.as_str())))
}

fn to_bool<'v>(arguments: &[Value<'v>]) -> Computed<'v> {
    match only(arguments)? {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::Str(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(conversion("bool")),
        },
        _ => Err(FaultKind::NoOverload),
    }
}

fn to_int<'v>(arguments: &[Value<'v>]) -> Computed<'v> {
    let value = match only(arguments)? {
        Value::Int(value) => Some(*value),
        Value::Uint(value) => i64::try_from(*value).ok(),
        Value::Double(value) => double_to_int(*value),
        Value::Str(text) => Some(text.as_str().parse().map_err(|_| conversion("int"))?),
        Value::Timestamp(time) => Some(time.seconds),
        _ => return Err(FaultKind::NoOverload),
    };
    value.map(Value::Int).ok_or(FaultKind::Range("int"))
}

fn to_uint<'v>(arguments: &[Value<'v>]) -> Computed<'v> {
    let value = match only(arguments)? {
        Value::Uint(value) => Some(*value),
        Value::Int(value) => u64::try_from(*value).ok(),
        Value::Double(value) => double_to_uint(*value),
        Value::Str(text) => Some(text.as_str().parse().map_err(|_| conversion("uint"))?),
        _ => return Err(FaultKind::NoOverload),
    };
    value.map(Value::Uint).ok_or(FaultKind::Range("uint"))
}

fn to_double<'v>(arguments: &[Value<'v>]) -> Computed<'v> {
    Ok(Value::Double(match only(arguments)? {
        Value::Double(value) => *value,
        Value::Int(value) => int_to_double(*value),
        Value::Uint(value) => uint_to_double(*value),
        Value::Str(text) => double_from_text(text.as_str()).ok_or_else(|| conversion("double"))?,
        _ => return Err(FaultKind::NoOverload),
    }))
}

fn to_string<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    if let Value::Bytes(bytes) = only(arguments)? {
        limit(meter.take_work(bytes.as_slice().len()))?;
    }
    Ok(Value::text(match only(arguments)? {
        text @ Value::Str(_) => return Ok(text.clone()),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => double_text(*value),
        Value::Bytes(bytes) => String::from_utf8(bytes.as_slice().to_vec())
            .map_err(|_| FaultKind::Invalid("invalid UTF-8 in bytes, cannot convert to string".to_owned()))?,
        Value::Timestamp(time) => time.to_string(),
        Value::Duration(length) => time::duration_text(*length),
        Value::Ip(address) => address.to_string(),
        Value::Cidr(address, length) => format!("{address}/{length}"),
        _ => return Err(FaultKind::NoOverload),
    }))
}

fn to_bytes<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    if let Value::Str(text) = only(arguments)? {
        limit(meter.take_work(text.as_str().len()))?;
    }
    match only(arguments)? {
        bytes @ Value::Bytes(_) => Ok(bytes.clone()),
        Value::Str(Str::Borrowed(text)) => Ok(Value::Bytes(Bytes::Borrowed(text.as_bytes()))),
        Value::Str(Str::Shared(text)) => Ok(Value::Bytes(Bytes::Shared(text.as_bytes().into()))),
        _ => Err(FaultKind::NoOverload),
    }
}

fn to_timestamp<'v>(arguments: &[Value<'v>]) -> Computed<'v> {
    let time = match only(arguments)? {
        Value::Timestamp(time) => Ok(*time),
        Value::Str(text) => Timestamp::parse(text.as_str()),
        Value::Int(seconds) => Timestamp::new(*seconds, 0),
        _ => return Err(FaultKind::NoOverload),
    };
    time.map(Value::Timestamp).map_err(|_| FaultKind::Range("timestamp"))
}

fn to_duration<'v>(arguments: &[Value<'v>]) -> Computed<'v> {
    match only(arguments)? {
        Value::Duration(length) => Ok(Value::Duration(*length)),
        Value::Str(text) => {
            time::duration_from_text(text.as_str()).map(Value::Duration).ok_or(FaultKind::Range("duration"))
        }
        _ => Err(FaultKind::NoOverload),
    }
}

fn sets<'v>(function: Function, arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
    let [Value::List(a), Value::List(b)] = arguments else { return Err(FaultKind::NoOverload) };
    Ok(Value::Bool(match function {
        Function::SetsContains => subset(b, a, meter)?,
        Function::SetsEquivalent => subset(a, b, meter)? && subset(b, a, meter)?,
        _ => {
            for item in a.iter() {
                if holds(b, &item, meter)? {
                    return Ok(Value::Bool(true));
                }
            }
            false
        }
    }))
}

fn holds<'v>(list: &List<'v>, item: &Value<'v>, meter: &mut Meter<'_>) -> Result<bool, FaultKind> {
    for known in list.iter() {
        if equal(&known, item, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn subset<'v>(small: &List<'v>, large: &List<'v>, meter: &mut Meter<'_>) -> Result<bool, FaultKind> {
    for item in small.iter() {
        if !holds(large, &item, meter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The greatest or the least of some numbers; of equal ones the first.
pub fn extreme<'v>(values: impl Iterator<Item = Value<'v>>, wanted: std::cmp::Ordering) -> Computed<'v> {
    let mut best: Option<Value<'v>> = None;
    for value in values {
        if !matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_)) {
            return Err(FaultKind::NoOverload);
        }
        let better = best.as_ref().is_none_or(|best| compare(&value, best) == Some(wanted));
        if better {
            best = Some(value);
        }
    }
    best.ok_or_else(|| FaultKind::Invalid("math: an empty list has no greatest or least".to_owned()))
}
