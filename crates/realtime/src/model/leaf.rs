//! Values without children.

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// 2^63: whole numbers below it are integers.
const WHOLE_END: f64 = 9_223_372_036_854_775_808.0;

/// A value without children.
///
/// Numbers are canonical when they are made by [`Leaf::number_of`] or decoded: a double that is a whole number of 64
/// bits is an `Integer` (so `1.0` is `1` and `-0` is `0`), and none is NaN or infinite.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Double(f64),
    /// A text.
    Text(Arc<str>),
}

impl Leaf {
    /// A number; `None` for NaN and infinities.
    pub fn number_of(value: f64) -> Option<Leaf> {
        if !value.is_finite() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
        Some(if value.fract() == 0.0 && (-WHOLE_END..WHOLE_END).contains(&value) {
            Leaf::Integer(value as i64)
        } else {
            Leaf::Double(value)
        })
    }

    /// Its number if it is one.
    #[expect(clippy::cast_precision_loss, reason = "clients and rules compare doubles")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Leaf::Integer(value) => Some(*value as f64),
            Leaf::Double(value) => Some(*value),
            Leaf::Bool(_) | Leaf::Text(_) => None,
        }
    }

    /// Appends it for a row: a tag, then what it needs; texts to the end of their length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Leaf::Bool(value) => out.push(if *value { 2 } else { 1 }),
            Leaf::Integer(value) => {
                out.push(3);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Leaf::Double(value) => {
                out.push(4);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Leaf::Text(text) => {
                out.push(5);
                out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Takes one leaf from the front. `None` when the bytes are not what [`Leaf::encode`] writes.
    pub fn decode(bytes: &mut &[u8]) -> Option<Leaf> {
        let (tag, rest) = bytes.split_first()?;
        let (leaf, rest) = match tag {
            1 | 2 => (Leaf::Bool(*tag == 2), rest),
            3 => {
                let (value, rest) = rest.split_at_checked(8)?;
                (Leaf::Integer(i64::from_be_bytes(value.try_into().ok()?)), rest)
            }
            4 => {
                let (value, rest) = rest.split_at_checked(8)?;
                let value = f64::from_be_bytes(value.try_into().ok()?);
                (value.is_finite().then_some(Leaf::Double(value))?, rest)
            }
            5 => {
                let (length, rest) = rest.split_at_checked(4)?;
                let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
                let (text, rest) = rest.split_at_checked(length)?;
                (Leaf::Text(Arc::from(std::str::from_utf8(text).ok()?)), rest)
            }
            _ => return None,
        };
        *bytes = rest;
        Some(leaf)
    }

    /// As rules see it.
    pub fn as_rules(&self) -> policy::rtdb::Leaf<'_> {
        match self {
            Leaf::Bool(value) => policy::rtdb::Leaf::Bool(*value),
            Leaf::Text(text) => policy::rtdb::Leaf::Text(text),
            Leaf::Integer(_) | Leaf::Double(_) => {
                policy::rtdb::Leaf::Number(self.number().unwrap_or_default())
            }
        }
    }

    /// As facts for rules have it.
    pub fn to_value(&self) -> base::Value {
        match self {
            Leaf::Bool(value) => base::Value::Bool(*value),
            Leaf::Integer(value) => base::Value::Integer(*value),
            Leaf::Double(value) => base::Value::Double(*value),
            Leaf::Text(text) => base::Value::String(text.to_string()),
        }
    }

    /// Appends it as JSON. Numbers are written as JavaScript writes them.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Leaf::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Leaf::Integer(value) => {
                let _ = write!(out, "{value}");
            }
            Leaf::Double(value) => write_double(*value, out),
            Leaf::Text(text) => write_text(text, out),
        }
    }

    /// About the bytes of its JSON.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Leaf::Bool(_) => 5,
            Leaf::Integer(_) | Leaf::Double(_) => 8,
            Leaf::Text(text) => text.len() + 2,
        }
    }
}

/// Decimal digits from 1e-6 to 1e21, otherwise with an exponent that has a sign.
fn write_double(value: f64, out: &mut String) {
    if value == 0.0 {
        out.push('0');
    } else if (1e-6..1e21).contains(&value.abs()) {
        let _ = write!(out, "{value}");
    } else {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        let _ = write!(out, "{digits}e{sign}{exponent}");
    }
}

/// Appends a text in quotation marks.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

impl PartialEq for Leaf {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Leaf::Bool(left), Leaf::Bool(right)) => left == right,
            (Leaf::Integer(left), Leaf::Integer(right)) => left == right,
            (Leaf::Double(left), Leaf::Double(right)) => left == right,
            (Leaf::Text(left), Leaf::Text(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for Leaf {}

impl Hash for Leaf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Leaf::Bool(value) => value.hash(state),
            Leaf::Integer(value) => value.hash(state),
            Leaf::Double(value) => (value + 0.0).to_bits().hash(state),
            Leaf::Text(text) => text.hash(state),
        }
    }
}

impl From<&str> for Leaf {
    fn from(text: &str) -> Self {
        Leaf::Text(Arc::from(text))
    }
}
