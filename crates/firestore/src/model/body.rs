//! A document's fields as protocol bytes (`google.firestore.v1.Document` with nothing but fields): written from values
//! without a message between, and read a few fields at a time.
//!
//! Invariant: what is written is byte for byte what the message would give, names in order.

use base::{Fields, Value};
use prost::Message;
use prost::encoding::{decode_varint, encode_varint};

use super::value::to_wire;

/// Wire types, the low bits of a tag.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const SIZED: u64 = 2;

/// Field numbers: of `Document`, of `ArrayValue` and `MapValue`, of a map's entry.
const FIELDS: u64 = 2;
const ITEMS: u64 = 1;
const ENTRY_NAME: u64 = 1;
const ENTRY_VALUE: u64 = 2;

/// The bytes of these fields.
pub fn encode(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    for (name, value) in fields {
        push_entry(&mut out, FIELDS, name, value);
    }
    out
}

fn push_entry(out: &mut Vec<u8>, number: u64, name: &str, value: &Value) {
    push_sized(out, number, |out| {
        if !name.is_empty() {
            push_bytes(out, ENTRY_NAME, name.as_bytes());
        }
        push_sized(out, ENTRY_VALUE, |out| push_value(out, value));
    });
}

fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => push_varint(out, 11, 0),
        Value::Bool(truth) => push_varint(out, 1, u64::from(*truth)),
        Value::Integer(integer) => push_varint(out, 2, integer.cast_unsigned()),
        Value::Double(double) => {
            encode_varint(3 << 3 | FIXED64, out);
            out.extend_from_slice(&double.to_le_bytes());
        }
        Value::Reference(name) => push_bytes(out, 5, name.as_bytes()),
        Value::Map(fields) => push_sized(out, 6, |out| {
            fields.iter().for_each(|(name, value)| push_entry(out, ITEMS, name, value));
        }),
        Value::Array(items) => push_sized(out, 9, |out| {
            items.iter().for_each(|item| push_sized(out, ITEMS, |out| push_value(out, item)));
        }),
        Value::String(text) => push_bytes(out, 17, text.as_bytes()),
        Value::Bytes(bytes) => push_bytes(out, 18, bytes),
        Value::Timestamp(_) | Value::GeoPoint(_) => to_wire(value.clone()).encode_raw(out),
    }
}

fn push_varint(out: &mut Vec<u8>, number: u64, varint: u64) {
    encode_varint(number << 3 | VARINT, out);
    encode_varint(varint, out);
}

fn push_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    encode_varint(number << 3 | SIZED, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends what `push` does with its length before it.
fn push_sized(out: &mut Vec<u8>, number: u64, push: impl FnOnce(&mut Vec<u8>)) {
    encode_varint(number << 3 | SIZED, out);
    let at = out.len();
    push(out);
    match u8::try_from(out.len() - at) {
        Ok(short) if short < 0x80 => out.insert(at, short),
        _ => {
            let mut length = Vec::new();
            encode_varint((out.len() - at) as u64, &mut length);
            out.splice(at..at, length);
        }
    }
}

/// The name and the value's bytes of the next field, which are taken from the body; `None` where it does not decode.
pub fn take_field<'a>(body: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (tag, mut entry) = (decode_varint(body).ok()?, take_bytes(body)?);
    if tag != (FIELDS << 3 | SIZED) {
        return None;
    }
    let (mut name, mut value) = (&[][..], &[][..]);
    while !entry.is_empty() {
        let tag = decode_varint(&mut entry).ok()?;
        let bytes = take_bytes(&mut entry)?;
        match (tag >> 3, tag & 7) {
            (ENTRY_NAME, SIZED) => name = bytes,
            (ENTRY_VALUE, SIZED) => value = bytes,
            _ => return None,
        }
    }
    Some((name, value))
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(decode_varint(from).ok()?).ok()?;
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}
