//! The scale for JSON of which a tree is to be made (`serde_json`'s): one pass over the bytes.
//!
//! It counts and measures, it does not judge the grammar: where that is broken, the parser makes less than was weighed.

use base::Status;

use super::cost::{element, text};
use super::{Limits, Weight, WeightError, charge, message_bytes_max};

/// A value in a tree.
const VALUE_BYTES: usize = 80;
/// An entry of an object: its hash, its name, its value, and its place in the index.
const ENTRY_BYTES: usize = 8 + 24 + VALUE_BYTES + 16;
/// The parser goes no deeper, so nothing is made of what is deeper.
const LEVELS_MAX: u32 = 128;

/// Weighs the tree of a text and charges the request that is being answered with it.
pub fn charge_tree(json: &[u8]) -> Result<(), Status> {
    let limits = Limits { bytes: message_bytes_max(), ..Limits::default() };
    let weight = weigh(json, &limits)?;
    Ok(charge(weight.bytes)?)
}

/// Weighs a text.
pub fn weigh(json: &[u8], limits: &Limits) -> Result<Weight, WeightError> {
    let mut weight = Weight::default();
    // The open objects and lists, one bit each; a set one is an object.
    let (mut open, mut levels) = (0_u128, 0_u32);
    let mut rest = json;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'"' => {
                let length = string(&mut rest);
                weight.add(text(length), limits)?;
            }
            b'[' | b'{' => {
                if levels == LEVELS_MAX {
                    break;
                }
                levels += 1;
                open = open << 1 | u128::from(*byte == b'{');
                weight.depth = weight.depth.max(usize::try_from(levels).unwrap_or_default());
                weight.count(1, limits)?;
                // What stays empty takes nothing; a single value has room for four.
                let first = rest.iter().find(|byte| !byte.is_ascii_whitespace());
                if !matches!(first, Some(b']' | b'}')) {
                    weight.add(element(value_bytes(open), 0), limits)?;
                }
            }
            b']' | b'}' => {
                levels = levels.saturating_sub(1);
                open >>= 1;
            }
            b',' => {
                weight.count(1, limits)?;
                weight.add(element(value_bytes(open), 1), limits)?;
            }
            _ => {}
        }
    }
    Ok(weight)
}

/// What a value takes where it is.
fn value_bytes(open: u128) -> usize {
    if open & 1 == 1 { ENTRY_BYTES } else { VALUE_BYTES }
}

/// Passes over a string whose opening quote was read; its length, escapes as they are written.
fn string(rest: &mut &[u8]) -> usize {
    let mut length = 0;
    loop {
        let tail = rest.get(length..).unwrap_or_default();
        let Some(plain) = tail.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            length += tail.len();
            *rest = &[];
            return length;
        };
        length += plain;
        if tail.get(plain) == Some(&b'"') {
            *rest = rest.get(length + 1..).unwrap_or_default();
            return length;
        }
        length += 2;
    }
}
