//! Field paths: `a.b`, with back-ticks around names that are not plain identifiers.
//!
//! Source: the `FieldReference` and `DocumentMask` syntax of the Firestore protocol.

use std::fmt;

use crate::limits::FIELD_NAME_BYTES_MAX;
use crate::value::{Fields, Value};

/// The segments of a path into a document's maps; at least one, none empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<String>);

/// Why a text is not a field path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldPathError {
    /// The text, or one of its segments, is empty or not well formed.
    #[error("Invalid property path \"{0}\".")]
    Malformed(String),
    /// Longer than [`FIELD_NAME_BYTES_MAX`].
    #[error("Property path is longer than {FIELD_NAME_BYTES_MAX} bytes.")]
    TooLong,
}

/// The name that stands for the document itself in queries and masks.
pub const DOCUMENT_ID: &str = "__name__";

impl FieldPath {
    /// A path of one segment, taken as it is.
    pub fn single(name: impl Into<String>) -> Self {
        Self(vec![name.into()])
    }

    /// A path of these segments; `None` when there are none or one is empty.
    pub fn from_segments(segments: Vec<String>) -> Option<Self> {
        (!segments.is_empty() && segments.iter().all(|segment| !segment.is_empty())).then_some(Self(segments))
    }

    /// Reads the protocol's form.
    pub fn parse(text: &str) -> Result<Self, FieldPathError> {
        let malformed = || FieldPathError::Malformed(text.to_owned());
        if text.len() > FIELD_NAME_BYTES_MAX {
            return Err(FieldPathError::TooLong);
        }
        let mut segments = Vec::new();
        let mut characters = text.chars().peekable();
        loop {
            let mut segment = String::new();
            if characters.peek() == Some(&'`') {
                characters.next();
                loop {
                    match characters.next().ok_or_else(malformed)? {
                        '`' => break,
                        '\\' => segment.push(characters.next().ok_or_else(malformed)?),
                        character => segment.push(character),
                    }
                }
            } else {
                while let Some(&character) = characters.peek() {
                    if character == '.' {
                        break;
                    }
                    let starts = character.is_ascii_alphabetic() || character == '_';
                    if !(starts || !segment.is_empty() && character.is_ascii_digit()) {
                        return Err(malformed());
                    }
                    segment.push(character);
                    characters.next();
                }
            }
            if segment.is_empty() {
                return Err(malformed());
            }
            segments.push(segment);
            match characters.next() {
                None => return Ok(Self(segments)),
                Some('.') => {}
                Some(_) => return Err(malformed()),
            }
        }
    }

    /// The segments, outermost first.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether this is `__name__`, the document itself.
    pub fn is_document_id(&self) -> bool {
        matches!(self.0.as_slice(), [name] if name == DOCUMENT_ID)
    }

    /// Whether this path is `other` or leads to it.
    pub fn is_prefix_of(&self, other: &FieldPath) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The value at this path, own keys of maps only.
    pub fn get<'a>(&self, fields: &'a Fields) -> Option<&'a Value> {
        let (last, outer) = self.0.split_last()?;
        let mut map = fields;
        for segment in outer {
            match map.get(segment)? {
                Value::Map(inner) => map = inner,
                _ => return None,
            }
        }
        map.get(last)
    }

    /// Puts a value at this path; what stands in the way and is not a map becomes one.
    pub fn set(&self, fields: &mut Fields, value: Value) {
        let Some((last, outer)) = self.0.split_last() else { return };
        let mut map = fields;
        for segment in outer {
            let slot = map.entry(segment.clone()).or_default();
            if !matches!(slot, Value::Map(_)) {
                *slot = Value::Map(Fields::new());
            }
            match slot {
                Value::Map(inner) => map = inner,
                _ => return,
            }
        }
        map.insert(last.clone(), value);
    }

    /// Takes the value at this path away, if it is there; emptied maps stay.
    pub fn remove(&self, fields: &mut Fields) {
        let Some((last, outer)) = self.0.split_last() else { return };
        let mut map = fields;
        for segment in outer {
            match map.get_mut(segment) {
                Some(Value::Map(inner)) => map = inner,
                _ => return,
            }
        }
        map.remove(last);
    }
}

/// The protocol's form, with back-ticks only where needed.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            let plain = !segment.starts_with(|c: char| c.is_ascii_digit())
                && segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if plain {
                f.write_str(segment)?;
            } else {
                write!(f, "`{}`", segment.replace('\\', "\\\\").replace('`', "\\`"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_and_print() {
        for (text, segments) in [
            ("a", &["a"][..]),
            ("a.b_1", &["a", "b_1"]),
            ("`a.b`.c", &["a.b", "c"]),
            ("`\\`x\\\\`", &["`x\\"]),
            ("`1`", &["1"]),
        ] {
            let path = FieldPath::parse(text).unwrap();
            assert_eq!(path.segments(), segments);
            assert_eq!(path.to_string(), text);
        }
        for text in ["", ".", "a.", ".a", "a..b", "1a", "a b", "`a", "`a`b", "é", "``"] {
            assert!(FieldPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn set_get_and_remove_walk_maps() {
        let mut fields = Fields::new();
        let path = FieldPath::parse("a.b").unwrap();
        FieldPath::single("a").set(&mut fields, Value::Integer(1));
        path.set(&mut fields, Value::Bool(true));
        assert_eq!(path.get(&fields), Some(&Value::Bool(true)));
        path.remove(&mut fields);
        assert_eq!(path.get(&fields), None);
        assert_eq!(fields.get("a"), Some(&Value::Map(Fields::new())));
    }
}
