//! The scale for JSON of which a tree is to be made (`serde_json`'s): one pass over the bytes.
//!
//! It counts and measures, it does not judge the grammar: where that is broken, less is made than was weighed.

use super::cost::{element, text};
use super::{Limits, Weight, WeightError};

/// A value in a tree.
const VALUE_BYTES: usize = 80;
/// An entry of an object: its hash, its name, its value, and its place in the index.
const ENTRY_BYTES: usize = 8 + 24 + VALUE_BYTES + 16;

/// Weighs a text of JSON.
pub fn weigh(json: &[u8], limits: &Limits) -> Result<Weight, WeightError> {
    let mut weight = Weight::default();
    let mut depth = 0_usize;
    let mut rest = json;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'"' => {
                let length = string(&mut rest);
                weight.add(text(length), limits)?;
            }
            b'[' | b'{' => {
                depth += 1;
                weight.enter(depth, limits)?;
                weight.count(1, limits)?;
                // Nothing is allocated for what stays empty, but room for four for a single value.
                let first = rest.iter().find(|byte| !byte.is_ascii_whitespace());
                if !matches!(first, Some(b']' | b'}')) {
                    let bytes = if *byte == b'[' { VALUE_BYTES } else { ENTRY_BYTES };
                    weight.add(element(bytes, 0), limits)?;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => {
                weight.count(1, limits)?;
                weight.add(element(ENTRY_BYTES, 1), limits)?;
            }
            _ => {}
        }
    }
    Ok(weight)
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
