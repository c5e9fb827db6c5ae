//! What operators, fields and indexes mean for values.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::builtin::Duration;
use crate::ir::Binary;
use crate::meter::Meter;
use crate::value::{Bytes, Str};

use super::fault::{Computed, FaultKind};
use super::limit;
use super::number::double_to_int;
use super::program::Access;
use super::show::show;
use super::value::{Key, List, Map, Value, compare, equal, is_ordered};

/// What was found, as the access wants it.
fn taken<'v>(found: Result<Value<'v>, FaultKind>, access: Access) -> Computed<'v> {
    match (access, found) {
        (Access::Plain, found) => found,
        (Access::Optional, Ok(value)) => Ok(Value::Optional(Some(Rc::new(value)))),
        (Access::Optional, Err(FaultKind::NoKey(_) | FaultKind::Index(_))) => Ok(Value::Optional(None)),
        (Access::Test, Ok(_)) => Ok(Value::Bool(true)),
        (Access::Test, Err(FaultKind::NoKey(_))) => Ok(Value::Bool(false)),
        (_, Err(kind)) => Err(kind),
    }
}

/// `object.name`
pub fn field<'v>(object: Value<'v>, name: &'v str, access: Access) -> Computed<'v> {
    match object {
        Value::Map(map) => match (map.field(name), access) {
            (Some(value), Access::Plain) => Ok(value),
            (Some(value), access) => taken(Ok(value), access),
            (None, access) => taken(Err(FaultKind::NoKey(name.to_owned())), access),
        },
        Value::Optional(None) if access == Access::Test => Ok(Value::Bool(false)),
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => {
            let access = if access == Access::Test { access } else { Access::Optional };
            field((*inner).clone(), name, access)
        }
        _ => Err(FaultKind::NoOverload),
    }
}

/// `object[index]`
pub fn index<'v>(object: Value<'v>, key: &Value<'v>, access: Access) -> Computed<'v> {
    match object {
        Value::List(list) => taken(item(&list, key), access),
        Value::Map(map) => {
            let found = match Key::of(key) {
                Some(key) => map.get(&key),
                None => None,
            };
            taken(found.ok_or_else(|| FaultKind::NoKey(show(key))), access)
        }
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => index((*inner).clone(), key, Access::Optional),
        _ => Err(FaultKind::NoOverload),
    }
}

fn item<'v>(list: &List<'v>, key: &Value<'v>) -> Computed<'v> {
    let index = match key {
        Value::Int(index) => usize::try_from(*index).ok(),
        Value::Uint(index) => usize::try_from(*index).ok(),
        Value::Double(index) if index.fract() == 0.0 => {
            double_to_int(*index).and_then(|index| usize::try_from(index).ok())
        }
        _ => return Err(FaultKind::Invalid("unsupported index type".to_owned())),
    };
    index.and_then(|index| list.get(index)).ok_or_else(|| FaultKind::Index(show(key)))
}

/// `-value`
pub fn negate<'v>(value: &Value<'v>) -> Computed<'v> {
    match value {
        Value::Int(value) => value.checked_neg().map(Value::Int).ok_or(FaultKind::Overflow),
        Value::Double(value) => Ok(Value::Double(-value)),
        _ => Err(FaultKind::NoOverload),
    }
}

/// `left op right`
pub fn binary<'v>(op: Binary, left: &Value<'v>, right: &Value<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
    match op {
        Binary::Equal | Binary::NotEqual => {
            Ok(Value::Bool(equal(left, right, meter)? == (op == Binary::Equal)))
        }
        Binary::Less => order(left, right, meter, |order| order == Ordering::Less),
        Binary::LessOrEqual => order(left, right, meter, |order| order != Ordering::Greater),
        Binary::Greater => order(left, right, meter, |order| order == Ordering::Greater),
        Binary::GreaterOrEqual => order(left, right, meter, |order| order != Ordering::Less),
        Binary::In => contains(left, right, meter),
        Binary::Add => add(left, right, meter),
        Binary::Subtract => subtract(left, right),
        Binary::Multiply => match (left, right) {
            (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
            _ => whole(left, right, i64::checked_mul, u64::checked_mul, FaultKind::Overflow),
        },
        Binary::Divide => match (left, right) {
            (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
            (Value::Int(i64::MIN), Value::Int(-1)) => Err(FaultKind::Overflow),
            _ => whole(left, right, i64::checked_div, u64::checked_div, FaultKind::DivideByZero),
        },
        Binary::Remainder => match (left, right) {
            (Value::Int(i64::MIN), Value::Int(-1)) => Err(FaultKind::Overflow),
            _ => whole(left, right, i64::checked_rem, u64::checked_rem, FaultKind::ModulusByZero),
        },
    }
}

fn whole<'v>(
    left: &Value<'v>,
    right: &Value<'v>,
    signed: fn(i64, i64) -> Option<i64>,
    unsigned: fn(u64, u64) -> Option<u64>,
    error: FaultKind,
) -> Computed<'v> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => signed(*a, *b).map(Value::Int).ok_or(error),
        (Value::Uint(a), Value::Uint(b)) => unsigned(*a, *b).map(Value::Uint).ok_or(error),
        _ => Err(FaultKind::NoOverload),
    }
}

fn order<'v>(
    left: &Value<'v>,
    right: &Value<'v>,
    meter: &mut Meter<'_>,
    fits: fn(Ordering) -> bool,
) -> Computed<'v> {
    if let Value::Str(text) = left {
        limit(meter.take_work(text.as_str().len()))?;
    }
    match compare(left, right) {
        Some(order) => Ok(Value::Bool(fits(order))),
        // A NaN is in no order with anything.
        None if is_ordered(left, right) => Ok(Value::Bool(false)),
        None => Err(FaultKind::NoOverload),
    }
}

fn contains<'v>(item: &Value<'v>, within: &Value<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
    match within {
        Value::List(list) => {
            for known in list.iter() {
                if equal(item, &known, meter)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        Value::Map(map) => Ok(Value::Bool(Key::of(item).is_some_and(|key| match (map, &key) {
            (Map::Stored(fields), Key::Str(name)) => fields.contains_key(name.as_str()),
            (Map::Stored(_), _) => false,
            (Map::Shared(map, _), key) => map.contains_key(key),
        }))),
        _ => Err(FaultKind::NoOverload),
    }
}

const TIME_RANGE: FaultKind = FaultKind::Range("timestamp");
const DURATION_RANGE: FaultKind = FaultKind::Range("duration");

fn add<'v>(left: &Value<'v>, right: &Value<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
    match (left, right) {
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::Str(a), Value::Str(b)) => {
            let (a, b) = (a.as_str(), b.as_str());
            limit(meter.take_work(a.len() + b.len()))?;
            Ok(Value::Str(Str::from([a, b].concat())))
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            let (a, b) = (a.as_slice(), b.as_slice());
            limit(meter.take_work(a.len() + b.len()))?;
            Ok(Value::Bytes(Bytes::Shared([a, b].concat().into())))
        }
        (Value::List(a), Value::List(b)) => {
            // An item is larger than a byte.
            limit(meter.take_work((a.len() + b.len()) * 32))?;
            Ok(Value::list(a.iter().chain(b.iter()).collect()))
        }
        (Value::Timestamp(time), Value::Duration(length))
        | (Value::Duration(length), Value::Timestamp(time)) => {
            length.after(*time).map(Value::Timestamp).ok_or(TIME_RANGE)
        }
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_add(*b).map(Value::Duration).ok_or(DURATION_RANGE)
        }
        _ => whole(left, right, i64::checked_add, u64::checked_add, FaultKind::Overflow),
    }
}

fn subtract<'v>(left: &Value<'v>, right: &Value<'v>) -> Computed<'v> {
    match (left, right) {
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => {
            let length =
                Duration::between(*a, *b).filter(|length| length.seconds().abs() < NANOS_SECONDS_MAX);
            length.map(Value::Duration).ok_or(DURATION_RANGE)
        }
        (Value::Timestamp(time), Value::Duration(length)) => {
            length.before(*time).map(Value::Timestamp).ok_or(TIME_RANGE)
        }
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_sub(*b).map(Value::Duration).ok_or(DURATION_RANGE)
        }
        _ => whole(left, right, i64::checked_sub, u64::checked_sub, FaultKind::Overflow),
    }
}

/// cel-go counts a difference of two timestamps in 64 bits of nanoseconds: seconds beyond that are out of range.
const NANOS_SECONDS_MAX: i64 = i64::MAX / 1_000_000_000;
