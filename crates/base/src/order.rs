//! Firestore's total order and equality of values.
//!
//! null < false < true < NaN < numbers < timestamps < strings < bytes < references < geo points < arrays <
//! vectors < maps. Integers and doubles interleave exactly; strings compare by UTF-8 bytes, of which the first
//! [`INDEXED_VALUE_BYTES_MAX`] count. [`crate::key`] encodes the same order into bytes.

use std::cmp::Ordering;

use crate::key::{number_parts, numeric_id, tag};
use crate::limits::INDEXED_VALUE_BYTES_MAX;
use crate::value::{Fields, Value};

/// The value's class in the type order. Range filters compare within one class only.
pub fn class(value: &Value) -> u8 {
    match value {
        Value::Null => tag::NULL,
        Value::Bool(_) => tag::BOOL,
        Value::Integer(_) => tag::NUMBER,
        Value::Double(double) if double.is_nan() => tag::NAN,
        Value::Double(_) => tag::NUMBER,
        Value::Timestamp(_) => tag::TIMESTAMP,
        Value::String(_) => tag::STRING,
        Value::Bytes(_) => tag::BYTES,
        Value::Reference(_) => tag::REFERENCE,
        Value::GeoPoint(_) => tag::GEO_POINT,
        Value::Array(_) => tag::ARRAY,
        Value::Map(_) if value.as_vector().is_some() => tag::VECTOR,
        Value::Map(_) => tag::MAP,
    }
}

/// The total order of `orderBy`, cursors and indexes.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    let by_class = class(a).cmp(&class(b));
    if by_class.is_ne() {
        return by_class;
    }
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Integer(_) | Value::Double(_), Value::Integer(_) | Value::Double(_)) => compare_numbers(a, b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => compare_cut(a.as_bytes(), b.as_bytes()),
        (Value::Bytes(a), Value::Bytes(b)) => compare_cut(a, b),
        (Value::Reference(a), Value::Reference(b)) => compare_names(a, b),
        (Value::GeoPoint(a), Value::GeoPoint(b)) => (a.latitude + 0.0)
            .total_cmp(&(b.latitude + 0.0))
            .then((a.longitude + 0.0).total_cmp(&(b.longitude + 0.0))),
        (Value::Array(a), Value::Array(b)) => compare_items(a, b),
        (Value::Map(map_a), Value::Map(map_b)) => match (a.as_vector(), b.as_vector()) {
            (Some(a), Some(b)) => a.len().cmp(&b.len()).then_with(|| compare_items(a, b)),
            _ => compare_maps(map_a, map_b),
        },
        _ => Ordering::Equal,
    }
}

/// Equality as filters and array transforms see it: 3 equals 3.0, −0 equals 0, NaN equals NaN. Strings longer
/// than the indexed prefix compare whole.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, va), (kb, vb))| ka == kb && equal(va, vb))
        }
        _ => compare(a, b).is_eq(),
    }
}

/// Whether two values are the same in every way that a policy can see: 3 is not 3.0, and −0 is not 0.
pub fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        (Value::Integer(a), Value::Integer(b)) => a == b,
        (Value::Integer(_), Value::Double(_)) | (Value::Double(_), Value::Integer(_)) => false,
        (Value::GeoPoint(a), Value::GeoPoint(b)) => {
            a.latitude.to_bits() == b.latitude.to_bits() && a.longitude.to_bits() == b.longitude.to_bits()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, va), (kb, vb))| ka == kb && identical(va, vb))
        }
        _ => equal(a, b),
    }
}

fn compare_numbers(a: &Value, b: &Value) -> Ordering {
    match (number_parts(a), number_parts(b)) {
        (Some((a, above_a)), Some((b, above_b))) => a.total_cmp(&b).then(above_a.cmp(&above_b)),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// What takes part in the order, and whether more was cut off.
fn indexed(bytes: &[u8]) -> (&[u8], bool) {
    match bytes.get(..INDEXED_VALUE_BYTES_MAX) {
        Some(head) => (head, bytes.len() > INDEXED_VALUE_BYTES_MAX),
        None => (bytes, false),
    }
}

fn compare_cut(a: &[u8], b: &[u8]) -> Ordering {
    indexed(a).cmp(&indexed(b))
}

fn compare_items(a: &[Value], b: &[Value]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| compare(a, b))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn compare_maps(a: &Fields, b: &Fields) -> Ordering {
    a.iter()
        .zip(b)
        .map(|((name_a, a), (name_b, b))| {
            name_a.as_bytes().cmp(name_b.as_bytes()).then_with(|| compare(a, b))
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// The order of path segments: numeric ids first, by number, then text by bytes.
pub fn compare_segments(a: &str, b: &str) -> Ordering {
    match (canonical_number(a), canonical_number(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, None) => a.as_bytes().cmp(b.as_bytes()),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn canonical_number(segment: &str) -> Option<i64> {
    numeric_id(segment).filter(|number| segment == format!("__id{number}__"))
}

/// The order of resource names: segment by segment, a shorter name before its descendants.
pub fn compare_names(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) => {
                let order = compare_segments(a, b);
                if order.is_ne() {
                    return order;
                }
            }
            (a, b) => return a.is_some().cmp(&b.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::GeoPoint;

    #[test]
    fn the_type_order_stands() {
        let map = |entries: &[(&str, Value)]| {
            Value::Map(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        };
        let ascending = [
            Value::Null,
            Value::Bool(false),
            Value::Bool(true),
            Value::Double(f64::NAN),
            Value::Double(f64::NEG_INFINITY),
            Value::Integer(-1),
            Value::Integer(0),
            Value::Double(0.5),
            Value::Integer(1 << 53),
            Value::Integer((1 << 53) + 1),
            Value::Double(f64::INFINITY),
            Value::Timestamp(crate::Timestamp::EPOCH),
            Value::String(String::new()),
            Value::String("\u{FFFD}".into()),
            Value::String("\u{1F600}".into()),
            Value::Bytes(vec![]),
            Value::Reference("projects/p/databases/(default)/documents/c/__id9__".into()),
            Value::Reference("projects/p/databases/(default)/documents/c/__id10__".into()),
            Value::Reference("projects/p/databases/(default)/documents/c/a".into()),
            Value::Reference("projects/p/databases/(default)/documents/c/a/d/e".into()),
            Value::GeoPoint(GeoPoint { latitude: -1.0, longitude: 9.0 }),
            Value::Array(vec![]),
            Value::Array(vec![Value::Integer(1)]),
            map(&[("__type__", Value::String("__vector__".into())), ("value", Value::Array(vec![]))]),
            map(&[]),
            map(&[("a", Value::Integer(1))]),
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn zero_has_one_place_and_integers_equal_their_doubles() {
        assert!(equal(&Value::Double(-0.0), &Value::Integer(0)));
        assert!(equal(&Value::Integer(3), &Value::Double(3.0)));
        assert!(!equal(&Value::Integer((1 << 53) + 1), &Value::Double(9_007_199_254_740_992.0)));
    }
}
