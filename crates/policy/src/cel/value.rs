//! The values CEL computes with.
//!
//! Not the core's `Val`: CEL tells unsigned from signed numbers, has types and optionals as values, and its maps
//! may have numbers and booleans as keys. Text, bytes and lengths of time are the core's. A value is cheap to clone,
//! and what comes from the caller's data or from the program's constants is borrowed.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use base::{Fields, Timestamp, Value as Stored};

use crate::builtin::Duration;
use crate::meter::Meter;
use crate::value::{Bytes, Str};

use super::fault::FaultKind;
use super::limit;

/// One value.
#[derive(Clone, Debug)]
pub enum Value<'v> {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed number of 64 bits.
    Int(i64),
    /// An unsigned number of 64 bits.
    Uint(u64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    Str(Str<'v>),
    /// Bytes.
    Bytes(Bytes<'v>),
    /// A point in time.
    Timestamp(Timestamp),
    /// A length of time.
    Duration(Duration),
    /// A list.
    List(List<'v>),
    /// A map.
    Map(Map<'v>),
    /// A type, by its name.
    Type(Str<'v>),
    /// Something that may be absent.
    Optional(Option<Rc<Value<'v>>>),
    /// An internet address.
    Ip(IpAddr),
    /// An internet address and the length of its network's prefix.
    Cidr(IpAddr, u8),
}

/// A value that is known when the program is made.
#[derive(Clone, Debug)]
pub enum Constant {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    Str(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// A type, by its name.
    Type(Box<str>),
    /// A list of constants.
    List(Box<[Constant]>),
}

/// A list.
#[derive(Clone, Debug)]
pub enum List<'v> {
    /// The caller's.
    Stored(&'v [Stored]),
    /// The program's.
    Constant(&'v [Constant]),
    /// Made by an expression, with its levels of nesting.
    Shared(Rc<[Value<'v>]>, u32),
}

/// A map.
#[derive(Clone, Debug)]
pub enum Map<'v> {
    /// The caller's.
    Stored(&'v Fields),
    /// Made by an expression, or by the caller of parts, with its levels of nesting.
    Shared(Rc<BTreeMap<Key<'v>, Value<'v>>>, u32),
}

/// A key of a map. Numbers are the same key when they are the same number.
#[derive(Clone, Debug)]
pub enum Key<'v> {
    /// A boolean.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// Text.
    Str(Str<'v>),
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        fn parts<'k>(key: &'k Key<'_>) -> (u8, i128, &'k str) {
            match key {
                Key::Bool(value) => (0, i128::from(*value), ""),
                Key::Int(value) => (1, i128::from(*value), ""),
                Key::Uint(value) => (1, i128::from(*value), ""),
                Key::Str(text) => (2, 0, text.as_str()),
            }
        }
        parts(self).cmp(&parts(other))
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key<'_> {}

impl<'v> Key<'v> {
    /// A value as a key: a double that is a whole number finds that number. `None` when it can be no key.
    pub fn of(value: &Value<'v>) -> Option<Self> {
        Some(match value {
            Value::Bool(value) => Key::Bool(*value),
            Value::Int(value) => Key::Int(*value),
            Value::Uint(value) => Key::Uint(*value),
            Value::Str(text) => Key::Str(text.clone()),
            Value::Double(value) if value.fract() == 0.0 => match super::number::double_to_int(*value) {
                Some(whole) => Key::Int(whole),
                None => Key::Uint(super::number::double_to_uint(*value)?),
            },
            _ => return None,
        })
    }

    /// The key as a value.
    pub fn value(&self) -> Value<'v> {
        match self {
            Key::Bool(value) => Value::Bool(*value),
            Key::Int(value) => Value::Int(*value),
            Key::Uint(value) => Value::Uint(*value),
            Key::Str(text) => Value::Str(text.clone()),
        }
    }
}

impl Constant {
    /// Whether a value of the commonest kinds equals this, and the work of finding out: the same as [`equal`] says of it.
    pub(super) fn equals(&self, value: &Value<'_>) -> Option<(bool, usize)> {
        Some(match (value, self) {
            (Value::Str(a), Constant::Str(b)) => {
                let a = a.as_str();
                (a == &**b, 1 + a.len().min(b.len()))
            }
            (Value::Bool(a), Constant::Bool(b)) => (a == b, 1),
            (Value::Null, Constant::Null) => (true, 1),
            (Value::Str(_) | Value::Bool(_) | Value::Map(_) | Value::List(_), Constant::Null) => (false, 1),
            _ => return None,
        })
    }

    /// The value, borrowed.
    pub fn value(&self) -> Value<'_> {
        match self {
            Constant::Null => Value::Null,
            Constant::Bool(value) => Value::Bool(*value),
            Constant::Int(value) => Value::Int(*value),
            Constant::Uint(value) => Value::Uint(*value),
            Constant::Double(value) => Value::Double(*value),
            Constant::Str(text) => Value::Str(Str::Borrowed(text)),
            Constant::Bytes(bytes) => Value::Bytes(Bytes::Borrowed(bytes)),
            Constant::Type(name) => Value::Type(Str::Borrowed(name)),
            Constant::List(items) => Value::List(List::Constant(items)),
        }
    }
}

impl<'v> List<'v> {
    /// How many items.
    pub fn len(&self) -> usize {
        match self {
            List::Stored(items) => items.len(),
            List::Constant(items) => items.len(),
            List::Shared(items, _) => items.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One item.
    pub fn get(&self, index: usize) -> Option<Value<'v>> {
        match self {
            List::Stored(items) => items.get(index).map(Value::from_stored),
            List::Constant(items) => items.get(index).map(Constant::value),
            List::Shared(items, _) => items.get(index).cloned(),
        }
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'v>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'v> Map<'v> {
    /// The value of a name.
    pub fn field(&self, name: &'v str) -> Option<Value<'v>> {
        match self {
            Map::Stored(fields) => fields.get(name).map(Value::from_stored),
            Map::Shared(map, _) => map.get(&Key::Str(Str::Borrowed(name))).cloned(),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &Key<'v>) -> Option<Value<'v>> {
        match (self, key) {
            (Map::Stored(fields), Key::Str(name)) => fields.get(name.as_str()).map(Value::from_stored),
            (Map::Stored(_), _) => None,
            (Map::Shared(map, _), key) => map.get(key).cloned(),
        }
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        match self {
            Map::Stored(fields) => fields.len(),
            Map::Shared(map, _) => map.len(),
        }
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys in order.
    pub fn keys(&self) -> Vec<Key<'v>> {
        match self {
            Map::Stored(fields) => fields.keys().map(|name| Key::Str(Str::Borrowed(name))).collect(),
            Map::Shared(map, _) => map.keys().cloned().collect(),
        }
    }
}

impl<'v> Value<'v> {
    /// A view of the caller's data. Only a geographic point, which CEL has no type for, is copied: to a map.
    pub fn from_stored(stored: &'v Stored) -> Self {
        match stored {
            Stored::Null => Value::Null,
            Stored::Bool(value) => Value::Bool(*value),
            Stored::Integer(value) => Value::Int(*value),
            Stored::Double(value) => Value::Double(*value),
            Stored::Timestamp(value) => Value::Timestamp(*value),
            Stored::String(text) | Stored::Reference(text) => Value::Str(Str::Borrowed(text)),
            Stored::Bytes(bytes) => Value::Bytes(Bytes::Borrowed(bytes)),
            Stored::GeoPoint(point) => Value::record([
                ("latitude", Value::Double(point.latitude)),
                ("longitude", Value::Double(point.longitude)),
            ]),
            Stored::Array(items) => Value::List(List::Stored(items)),
            Stored::Map(fields) => Value::Map(Map::Stored(fields)),
        }
    }

    /// Text made by an expression.
    pub fn text(text: impl Into<Rc<str>>) -> Self {
        Value::Str(Str::Shared(text.into()))
    }

    /// A list of values.
    pub fn list(items: Vec<Value<'v>>) -> Self {
        let levels = 1 + items.iter().map(Value::levels).max().unwrap_or(0);
        Value::List(List::Shared(items.into(), levels))
    }

    /// A map from names.
    pub fn record(entries: impl IntoIterator<Item = (&'v str, Value<'v>)>) -> Self {
        let entries = entries.into_iter().map(|(name, value)| (Key::Str(Str::Borrowed(name)), value));
        Value::map(entries.collect())
    }

    /// A map of values.
    pub fn map(entries: BTreeMap<Key<'v>, Value<'v>>) -> Self {
        let levels = 1 + entries.values().map(Value::levels).max().unwrap_or(0);
        Value::Map(Map::Shared(Rc::new(entries), levels))
    }

    /// Levels of lists, maps and optionals within each other, as far as expressions made them.
    pub fn levels(&self) -> u32 {
        let mut value = self;
        let mut levels = 0;
        loop {
            match value {
                Value::List(List::Shared(_, inner)) | Value::Map(Map::Shared(_, inner)) => {
                    return levels + inner;
                }
                Value::Optional(Some(inner)) => {
                    levels += 1;
                    value = inner;
                }
                _ => return levels,
            }
        }
    }

    /// The type's name as `type(value)` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::Str(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Timestamp(_) => "google.protobuf.Timestamp",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Type(_) => "type",
            Value::Optional(_) => "optional_type",
            Value::Ip(_) => "net.IP",
            Value::Cidr(..) => "net.CIDR",
        }
    }

    /// Whether it is the zero of its type: what `optional.ofNonZeroValue` takes as absent.
    pub fn is_zero(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Int(value) => *value == 0,
            Value::Uint(value) => *value == 0,
            Value::Double(value) => *value == 0.0,
            Value::Str(text) => text.as_str().is_empty(),
            Value::Bytes(bytes) => bytes.as_slice().is_empty(),
            Value::Timestamp(time) => *time == Timestamp::EPOCH,
            Value::Duration(length) => *length == Duration::default(),
            Value::List(list) => list.is_empty(),
            Value::Map(map) => map.is_empty(),
            Value::Optional(inner) => inner.is_none(),
            Value::Type(_) | Value::Ip(_) | Value::Cidr(..) => false,
        }
    }
}

/// `==`: numbers are equal when they are the same number, values of unlike types never are. What is compared counts
/// as work: values may share parts, so that they are far larger than the memory they take.
pub fn equal(left: &Value<'_>, right: &Value<'_>, meter: &mut Meter<'_>) -> Result<bool, FaultKind> {
    if let (Value::Str(a), Value::Str(b)) = (left, right) {
        limit(meter.take_work(1 + a.as_str().len().min(b.as_str().len())))?;
        return Ok(a == b);
    }
    limit(meter.take_work(1))?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => {
            limit(meter.take_work(a.as_slice().len().min(b.as_slice().len())))?;
            a.as_slice() == b.as_slice()
        }
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Ip(a), Value::Ip(b)) => a.to_canonical() == b.to_canonical(),
        (Value::Cidr(a, m), Value::Cidr(b, n)) => a == b && m == n,
        (Value::Optional(None), Value::Optional(None)) => true,
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => equal(a, b, meter)?,
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal(&a, &b, meter)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => a.len() == b.len() && equal_maps(a, b, meter)?,
        _ => compare_numbers(left, right) == Some(Ordering::Equal),
    })
}

/// The shorter of the two lifetimes serves both maps.
fn equal_maps<'m>(a: &Map<'m>, b: &Map<'m>, meter: &mut Meter<'_>) -> Result<bool, FaultKind> {
    limit(meter.take_work(a.len()))?;
    for key in a.keys() {
        match (a.get(&key), b.get(&key)) {
            (Some(a), Some(b)) if equal(&a, &b, meter)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The order of two values, `None` when they have none: of unlike types, or a NaN ([`is_ordered`] tells).
pub fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.as_slice().cmp(b.as_slice())),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        _ => compare_numbers(left, right),
    }
}

/// Whether values of these types have an order.
pub fn is_ordered(left: &Value<'_>, right: &Value<'_>) -> bool {
    let number = |value: &Value<'_>| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_));
    number(left) && number(right) || compare(left, right).is_some()
}

fn compare_numbers(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    Some(match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Uint(a), Value::Uint(b)) => a.cmp(b),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b)?,
        (Value::Int(a), Value::Uint(b)) => i128::from(*a).cmp(&i128::from(*b)),
        (Value::Uint(a), Value::Int(b)) => i128::from(*a).cmp(&i128::from(*b)),
        (Value::Int(a), Value::Double(b)) => compare_int_double(*a, *b)?,
        (Value::Double(a), Value::Int(b)) => compare_int_double(*b, *a)?.reverse(),
        (Value::Uint(a), Value::Double(b)) => compare_uint_double(*a, *b)?,
        (Value::Double(a), Value::Uint(b)) => compare_uint_double(*b, *a)?.reverse(),
        _ => return None,
    })
}

/// By rounding the whole number, as cel-go does within the range of the type.
fn compare_int_double(whole: i64, double: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if double < -LIMIT {
        Some(Ordering::Greater)
    } else if double > LIMIT {
        Some(Ordering::Less)
    } else {
        super::number::int_to_double(whole).partial_cmp(&double)
    }
}

fn compare_uint_double(whole: u64, double: f64) -> Option<Ordering> {
    if double < 0.0 {
        Some(Ordering::Greater)
    } else if double > super::number::uint_to_double(u64::MAX) {
        Some(Ordering::Less)
    } else {
        super::number::uint_to_double(whole).partial_cmp(&double)
    }
}
