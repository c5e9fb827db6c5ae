//! The scale for protocol messages: one pass over the bytes.
//!
//! Source: the protocol buffers' encoding, and what `prost` makes of it.

use super::cost::{element, entry, text};
use super::shape::{Field, Shape, Width};
use super::{Limits, Weight, WeightError};

/// Wire types, the low bits of a key.
const VARINT: u64 = 0;
const EIGHT: u64 = 1;
const SIZED: u64 = 2;
const GROUP: u64 = 3;
const GROUP_END: u64 = 4;
const FOUR: u64 = 5;

/// Weighs the bytes of a message.
pub fn weigh(shape: &'static Shape, message: &[u8], limits: &Limits) -> Result<Weight, WeightError> {
    let mut scale = Scale { limits, weight: Weight::default() };
    scale.message(shape, message, 0)?;
    Ok(scale.weight)
}

struct Scale<'l> {
    limits: &'l Limits,
    weight: Weight,
}

impl Scale<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), WeightError> {
        self.weight.add(bytes, self.limits)
    }

    fn message(&mut self, shape: &'static Shape, message: &[u8], depth: usize) -> Result<(), WeightError> {
        self.weight.enter(depth, self.limits)?;
        let mut rest = message;
        // Elements and entries so far; of all the repeated fields of a message, which has hardly ever more than one.
        let (mut elements, mut entries) = (0, 0);
        while !rest.is_empty() {
            let (number, wire) = key(&mut rest)?;
            self.weight.count(1, self.limits)?;
            let field = usize::try_from(number).ok().and_then(|number| shape.fields.get(number));
            let field = field.unwrap_or(&Field::Unknown);
            if wire != SIZED {
                let width = match field {
                    Field::Unknown => {
                        self.skip(number, wire, &mut rest, depth)?;
                        continue;
                    }
                    Field::Scalar(width) => *width,
                    Field::Scalars(width, bytes) => {
                        self.add(element(*bytes, elements))?;
                        elements += 1;
                        *width
                    }
                    _ => return Err(WeightError::Malformed),
                };
                scalar(width, wire, &mut rest)?;
                continue;
            }
            let value = sized(&mut rest)?;
            match field {
                Field::Unknown => {}
                Field::Scalar(_) => return Err(WeightError::Malformed),
                Field::Scalars(width, bytes) => {
                    let count = packed(*width, value)?;
                    self.weight.count(count, self.limits)?;
                    self.add(
                        element(*bytes, 1).saturating_mul(count).saturating_add(element(*bytes, elements)),
                    )?;
                    elements += count;
                }
                Field::Text => self.add(text(value.len()))?,
                Field::Texts(bytes) => {
                    self.add(element(*bytes, elements).saturating_add(text(value.len())))?;
                    elements += 1;
                }
                Field::Message(inner) => self.message(inner, value, depth + 1)?,
                Field::Messages(inner, bytes) => {
                    self.add(element(*bytes, elements))?;
                    elements += 1;
                    self.message(inner, value, depth + 1)?;
                }
                Field::Map(inner, node_bytes) => {
                    self.add(entry(*node_bytes, entries))?;
                    entries += 1;
                    self.message(inner, value, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// Passes over a field that the message does not have.
    fn skip(&mut self, number: u64, wire: u64, rest: &mut &[u8], depth: usize) -> Result<(), WeightError> {
        match wire {
            VARINT => varint(rest).map(drop),
            EIGHT => take(rest, 8).map(drop),
            FOUR => take(rest, 4).map(drop),
            SIZED => sized(rest).map(drop),
            GROUP => loop {
                self.weight.enter(depth + 1, self.limits)?;
                self.weight.count(1, self.limits)?;
                match key(rest)? {
                    (end, GROUP_END) if end == number => return Ok(()),
                    (_, GROUP_END) => return Err(WeightError::Malformed),
                    (inner, wire) => self.skip(inner, wire, rest, depth + 1)?,
                }
            },
            _ => Err(WeightError::Malformed),
        }
    }
}

/// A field's number and wire type.
fn key(rest: &mut &[u8]) -> Result<(u64, u64), WeightError> {
    let key = varint(rest)?;
    let (number, wire) = (key >> 3, key & 7);
    if number == 0 || key > u64::from(u32::MAX) { Err(WeightError::Malformed) } else { Ok((number, wire)) }
}

fn varint(rest: &mut &[u8]) -> Result<u64, WeightError> {
    // Nearly all keys and lengths have one byte.
    if let [byte @ 0..0x80, tail @ ..] = *rest {
        *rest = tail;
        return Ok(u64::from(*byte));
    }
    let mut value = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            // The tenth byte has one bit left.
            if index == 9 && *byte > 1 {
                break;
            }
            *rest = rest.get(index + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(WeightError::Malformed)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], WeightError> {
    let (value, tail) = rest.split_at_checked(length).ok_or(WeightError::Malformed)?;
    *rest = tail;
    Ok(value)
}

fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], WeightError> {
    let length = varint(rest)?;
    take(rest, usize::try_from(length).map_err(|_| WeightError::Malformed)?)
}

fn scalar(width: Width, wire: u64, rest: &mut &[u8]) -> Result<(), WeightError> {
    match (width, wire) {
        (Width::Varint, VARINT) => varint(rest).map(drop),
        (Width::Four, FOUR) => take(rest, 4).map(drop),
        (Width::Eight, EIGHT) => take(rest, 8).map(drop),
        _ => Err(WeightError::Malformed),
    }
}

/// How many numbers there are.
fn packed(width: Width, value: &[u8]) -> Result<usize, WeightError> {
    let of = |bytes: usize| {
        if value.len().is_multiple_of(bytes) { Ok(value.len() / bytes) } else { Err(WeightError::Malformed) }
    };
    match width {
        Width::Varint => Ok(value.iter().filter(|byte| **byte < 0x80).count()),
        Width::Four => of(4),
        Width::Eight => of(8),
    }
}
