//! Equality and order of rules values.
//!
//! Source: verdicts of the production service. Numbers compare by value, but inside lists and maps an integer
//! and a double stay distinct; values of different types are never equal; only like types are ordered.

use std::cmp::Ordering;

use super::{List, Map, Val};
use crate::builtin::number;

/// `a == b`.
pub fn equal(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Int(a), Val::Int(b)) => a == b,
        (Val::Float(a), Val::Float(b)) => a == b,
        (Val::Int(a), Val::Float(b)) | (Val::Float(b), Val::Int(a)) => {
            int_float(*a, *b) == Some(Ordering::Equal)
        }
        (Val::Str(a), Val::Str(b)) => a == b,
        (Val::Bytes(a), Val::Bytes(b)) => a.as_slice() == b.as_slice(),
        (Val::Timestamp(a), Val::Timestamp(b)) => a == b,
        (Val::Duration(a), Val::Duration(b)) => a == b,
        (Val::LatLng(a), Val::LatLng(b)) => a == b,
        (Val::Path(a), Val::Path(b)) => a == b,
        (Val::List(a), Val::List(b)) => lists_equal(a, b),
        (Val::Map(a), Val::Map(b)) => maps_equal(a, b),
        (Val::Set(a), Val::Set(b)) => a.len() == b.len() && a.iter().all(|item| contains(b, item)),
        _ => false,
    }
}

/// Whether two list members are the same: 1 and 1.0 are not.
pub fn same_member(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::Int(_), Val::Float(_)) | (Val::Float(_), Val::Int(_)) => false,
        _ => equal(a, b),
    }
}

fn lists_equal(a: &List<'_>, b: &List<'_>) -> bool {
    a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_member(&a, &b))
}

fn maps_equal(a: &Map<'_>, b: &Map<'_>) -> bool {
    a.len() == b.len()
        && a.keys().iter().all(|key| match (a.get(key.as_str()), b.get(key.as_str())) {
            (Some(a), Some(b)) => same_member(&a, &b),
            _ => false,
        })
}

/// Whether two values are the same to `diff()`: numbers compare by value however deep they are.
pub fn alike(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::List(a), Val::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| alike(&a, &b))
        }
        (Val::Map(a), Val::Map(b)) => {
            a.len() == b.len()
                && a.keys().iter().all(|key| match (a.get(key.as_str()), b.get(key.as_str())) {
                    (Some(a), Some(b)) => alike(&a, &b),
                    _ => false,
                })
        }
        _ => equal(a, b),
    }
}

/// Whether a set has the item; sets compare numbers by value.
pub fn contains(set: &[Val<'_>], item: &Val<'_>) -> bool {
    set.iter().any(|member| equal(member, item))
}

/// The order of two values, `None` when they have none: different types, unordered types, NaN.
pub fn order(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
        (Val::Float(a), Val::Float(b)) => a.partial_cmp(b),
        (Val::Int(a), Val::Float(b)) => int_float(*a, *b),
        (Val::Float(a), Val::Int(b)) => int_float(*b, *a).map(Ordering::reverse),
        (Val::Str(a), Val::Str(b)) => Some(order_texts(a.as_str(), b.as_str())),
        (Val::Bytes(a), Val::Bytes(b)) => Some(a.as_slice().cmp(b.as_slice())),
        (Val::Timestamp(a), Val::Timestamp(b)) => Some(a.cmp(b)),
        (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// By UTF-16 units, which differs from the order of code points only above U+DFFF.
fn order_texts(a: &str, b: &str) -> Ordering {
    const HIGH: u8 = 0xEE;
    if a.bytes().chain(b.bytes()).all(|byte| byte < HIGH) {
        return a.cmp(b);
    }
    a.encode_utf16().cmp(b.encode_utf16())
}

/// Whether values of these types can be ordered at all.
pub fn comparable(a: &Val<'_>, b: &Val<'_>) -> bool {
    matches!(
        (a, b),
        (Val::Int(_) | Val::Float(_), Val::Int(_) | Val::Float(_))
            | (Val::Str(_), Val::Str(_))
            | (Val::Bytes(_), Val::Bytes(_))
            | (Val::Timestamp(_), Val::Timestamp(_))
            | (Val::Duration(_), Val::Duration(_))
    )
}

/// Compares the integer as a double: beyond 2^53 it is the nearest one.
fn int_float(a: i64, b: f64) -> Option<Ordering> {
    number::float_from_int(a).partial_cmp(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_compares_with_a_double_as_one() {
        let order = |a, b| order(&Val::Int(a), &Val::Float(b));
        assert_eq!(order(1, 1.0), Some(Ordering::Equal));
        assert_eq!(order(1, 1.5), Some(Ordering::Less));
        assert_eq!(order(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(order(9_007_199_254_740_993, 9_007_199_254_740_992.0), Some(Ordering::Equal));
        assert_eq!(order(i64::MAX, 9_223_372_036_854_775_808.0), Some(Ordering::Equal));
        assert_eq!(order(i64::MAX, 9.3e18), Some(Ordering::Less));
        assert_eq!(order(i64::MIN, f64::NEG_INFINITY), Some(Ordering::Greater));
        assert_eq!(order(0, f64::NAN), None);
    }

    #[test]
    fn list_members_keep_their_number_type() {
        assert!(equal(&Val::Int(1), &Val::Float(1.0)));
        assert!(!same_member(&Val::Int(1), &Val::Float(1.0)));
        let (ints, floats) = (Val::list(vec![Val::Int(1)]), Val::list(vec![Val::Float(1.0)]));
        assert!(!equal(&ints, &floats));
    }
}
