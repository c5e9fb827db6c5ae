//! Order-preserving encoding: `encode(a) < encode(b)` bytewise exactly when `a < b` in Firestore's order.
//!
//! A value is a tag byte (the type order) and a self-delimiting body, so encodings can be strung together into
//! keys. Strings and bytes are cut at [`INDEXED_VALUE_BYTES_MAX`]; cut values tie and are ordered by what follows
//! (the document name). Paths can be decoded again; values cannot, and need not be.
//!
//! Source: the type order and the tag numbers of Firestore's own client-side index.

use crate::limits::INDEXED_VALUE_BYTES_MAX;
use crate::time::Timestamp;
use crate::value::Value;

/// Tag bytes in type order.
pub mod tag {
    #![expect(missing_docs, reason = "the names are the types")]
    pub const NULL: u8 = 0x05;
    pub const BOOL: u8 = 0x0A;
    pub const NAN: u8 = 0x0D;
    pub const NUMBER: u8 = 0x0F;
    pub const TIMESTAMP: u8 = 0x14;
    pub const STRING: u8 = 0x19;
    pub const BYTES: u8 = 0x1E;
    pub const REFERENCE: u8 = 0x25;
    pub const GEO_POINT: u8 = 0x2D;
    pub const ARRAY: u8 = 0x32;
    pub const VECTOR: u8 = 0x35;
    pub const MAP: u8 = 0x37;
}

const END: u8 = 0x00;
const ENTRY: u8 = 0x01;
const ESCAPED_NUL: u8 = 0xFF;
const TERMINATED: u8 = 0x01;
const CUT: u8 = 0x02;
const SEGMENT_NUMBER: u8 = 0x10;
const SEGMENT_TEXT: u8 = 0x20;

/// A number split so that comparing the parts compares the numbers exactly: the largest double not above it, and
/// how far it lies above that double (0..=1023, since `i64` is nowhere further from a double). `None` is NaN.
pub fn number_parts(value: &Value) -> Option<(f64, u16)> {
    match value {
        Value::Integer(integer) => Some(integer_parts(*integer)),
        Value::Double(double) if double.is_nan() => None,
        // Adding zero turns −0 into 0, which orders the same.
        Value::Double(double) => Some((*double + 0.0, 0)),
        _ => None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the rounding is corrected below"
)]
fn integer_parts(integer: i64) -> (f64, u16) {
    let mut floor = integer as f64;
    if floor as i128 > i128::from(integer) {
        floor = floor.next_down();
    }
    let above = i128::from(integer) - floor as i128;
    (floor, u16::try_from(above).unwrap_or(u16::MAX))
}

/// A double as eight bytes in numeric order; not for NaN.
fn push_double(key: &mut Vec<u8>, double: f64) {
    let bits = (double + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    key.extend_from_slice(&ordered.to_be_bytes());
}

fn push_i64(key: &mut Vec<u8>, integer: i64) {
    key.extend_from_slice(&(integer.cast_unsigned() ^ 1 << 63).to_be_bytes());
}

fn push_escaped(key: &mut Vec<u8>, bytes: &[u8], terminator: u8) {
    for &byte in bytes {
        key.push(byte);
        if byte == 0 {
            key.push(ESCAPED_NUL);
        }
    }
    key.extend_from_slice(&[END, terminator]);
}

fn push_cut(key: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.get(..INDEXED_VALUE_BYTES_MAX) {
        Some(head) if bytes.len() > INDEXED_VALUE_BYTES_MAX => push_escaped(key, head, CUT),
        _ => push_escaped(key, bytes, TERMINATED),
    }
}

/// Appends the encoding of text that a key needs as a component of its own (never cut).
pub fn push_text(key: &mut Vec<u8>, text: &str) {
    push_escaped(key, text.as_bytes(), TERMINATED);
}

/// Appends a timestamp's body.
fn push_timestamp(key: &mut Vec<u8>, at: Timestamp) {
    push_i64(key, at.seconds);
    key.extend_from_slice(&at.nanos.to_be_bytes());
}

/// Appends a value.
pub fn push_value(key: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => key.push(tag::NULL),
        Value::Bool(truth) => key.extend_from_slice(&[tag::BOOL, u8::from(*truth)]),
        Value::Integer(_) | Value::Double(_) => match number_parts(value) {
            None => key.push(tag::NAN),
            Some((floor, above)) => {
                key.push(tag::NUMBER);
                push_double(key, floor);
                key.extend_from_slice(&above.to_be_bytes());
            }
        },
        Value::Timestamp(at) => {
            key.push(tag::TIMESTAMP);
            push_timestamp(key, *at);
        }
        Value::String(text) => {
            key.push(tag::STRING);
            push_cut(key, text.as_bytes());
        }
        Value::Bytes(bytes) => {
            key.push(tag::BYTES);
            push_cut(key, bytes);
        }
        Value::Reference(name) => {
            key.push(tag::REFERENCE);
            for segment in name.split('/') {
                push_segment(key, segment);
            }
            key.push(END);
        }
        Value::GeoPoint(point) => {
            key.push(tag::GEO_POINT);
            push_double(key, point.latitude);
            push_double(key, point.longitude);
        }
        Value::Array(items) => {
            key.push(tag::ARRAY);
            push_items(key, items);
        }
        Value::Map(fields) => match value.as_vector() {
            Some(components) => {
                key.push(tag::VECTOR);
                key.extend_from_slice(&u32::try_from(components.len()).unwrap_or(u32::MAX).to_be_bytes());
                push_items(key, components);
            }
            None => {
                key.push(tag::MAP);
                for (name, value) in fields {
                    key.push(ENTRY);
                    push_escaped(key, name.as_bytes(), TERMINATED);
                    push_value(key, value);
                }
                key.push(END);
            }
        },
    }
}

fn push_items(key: &mut Vec<u8>, items: &[Value]) {
    for item in items {
        push_value(key, item);
    }
    key.push(END);
}

/// The number in an id of the form `__id<number>__`; such ids sort before all others, by number.
pub fn numeric_id(segment: &str) -> Option<i64> {
    segment.strip_prefix("__id")?.strip_suffix("__")?.parse().ok()
}

/// Appends one path segment. A path is its segments in a row; a shorter path sorts before its descendants.
pub fn push_segment(key: &mut Vec<u8>, segment: &str) {
    match numeric_id(segment) {
        // `__id007__` is text: only the canonical spelling is numeric, so that decoding gives back what was encoded.
        Some(number) if segment == format!("__id{number}__") => {
            key.push(SEGMENT_NUMBER);
            push_i64(key, number);
        }
        _ => {
            key.push(SEGMENT_TEXT);
            push_escaped(key, segment.as_bytes(), TERMINATED);
        }
    }
}

/// Takes one segment off the front of an encoded path: the segment and what follows it. `None` when the bytes do
/// not start with a segment.
pub fn split_segment(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    match kind {
        SEGMENT_NUMBER => {
            let (number, rest) = rest.split_at_checked(8)?;
            let number = u64::from_be_bytes(number.try_into().ok()?) ^ 1 << 63;
            Some((format!("__id{}__", number.cast_signed()), rest))
        }
        SEGMENT_TEXT => {
            let (text, rest) = split_escaped(rest)?;
            Some((String::from_utf8(text).ok()?, rest))
        }
        _ => None,
    }
}

/// Takes a text component written by [`push_text`] off the front.
pub fn split_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (text, rest) = split_escaped(bytes)?;
    Some((String::from_utf8(text).ok()?, rest))
}

fn split_escaped(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut plain = Vec::new();
    let mut rest = bytes;
    loop {
        let nul = rest.iter().position(|&byte| byte == 0)?;
        let (head, tail) = rest.split_at_checked(nul)?;
        plain.extend_from_slice(head);
        let (marks, tail) = tail.split_at_checked(2)?;
        rest = tail;
        match marks {
            [_, ESCAPED_NUL] => plain.push(0),
            [_, TERMINATED] => return Some((plain, rest)),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;
    use crate::order;
    use crate::value::{GeoPoint, VECTOR_TYPE};

    fn encode(value: &Value) -> Vec<u8> {
        let mut key = Vec::new();
        push_value(&mut key, value);
        key
    }

    fn value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            (-3i64..3).prop_map(Value::Integer),
            any::<f64>().prop_map(Value::Double),
            (-3i8..3).prop_map(|n| Value::Double(f64::from(n) / 2.0)),
            prop_oneof![Just(1i64 << 53), Just((1 << 53) + 1), Just(i64::MAX), Just(i64::MIN)]
                .prop_map(Value::Integer),
            prop_oneof![
                Just(9_007_199_254_740_992.0),
                Just(9.223_372_036_854_776e18),
                Just(-0.0),
                Just(f64::NAN)
            ]
            .prop_map(Value::Double),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number,
            (any::<i32>(), 0u32..1_000_000_000)
                .prop_map(|(s, n)| Value::Timestamp(Timestamp { seconds: s.into(), nanos: n })),
            "[a\u{0}é\u{1F600}]{0,3}".prop_map(Value::String),
            proptest::collection::vec(0u8..3, 0..4).prop_map(Value::Bytes),
            proptest::collection::vec(
                prop_oneof![Just("a"), Just("b"), Just("__id7__"), Just("__id-1__")],
                1..4
            )
            .prop_map(|path| Value::Reference(path.join("/"))),
            (-90.0..90.0, -180.0..180.0)
                .prop_map(|(latitude, longitude)| Value::GeoPoint(GeoPoint { latitude, longitude })),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                proptest::collection::btree_map("[a\u{0}b]{1,2}", inner, 0..3).prop_map(Value::Map),
                proptest::collection::vec((-3i8..3).prop_map(|n| Value::Double(n.into())), 0..3).prop_map(
                    |items| {
                        Value::Map(
                            [
                                ("__type__".to_owned(), Value::String(VECTOR_TYPE.into())),
                                ("value".to_owned(), Value::Array(items)),
                            ]
                            .into(),
                        )
                    }
                ),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn bytes_order_as_values_do(a in value(), b in value()) {
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), order::compare(&a, &b));
            prop_assert_eq!(order::equal(&a, &b), order::compare(&a, &b) == Ordering::Equal);
        }

        #[test]
        fn segments_round_trip(segment in "[^/]{1,8}|__id-?[0-9]{1,20}__") {
            let mut key = Vec::new();
            push_segment(&mut key, &segment);
            key.push(9);
            prop_assert_eq!(split_segment(&key), Some((segment, &[9u8][..])));
        }
    }

    #[test]
    fn cut_strings_tie() {
        let (a, b) = ("x".repeat(1501), format!("{}y", "x".repeat(1500)));
        assert_eq!(encode(&Value::String(a.clone())), encode(&Value::String(b)));
        assert!(encode(&Value::String(a)) > encode(&Value::String("x".repeat(1500))));
    }

    #[test]
    fn garbage_is_not_a_segment() {
        for bytes in [&b""[..], b"\x10abc", b"\x20abc", b"\x20a\0\x07", b"\x33"] {
            assert_eq!(split_segment(bytes), None);
        }
    }
}
