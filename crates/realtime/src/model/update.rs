//! Reads updates: objects of paths and values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::decode::{Reading, Value};
use super::draft::Draft;
use super::path::{DEPTH_MAX, Path, PathError};
use super::value_error::{ValueError, ValueProblem};
use super::write::priority_of;

/// Changes of an update: places below a path, whether it is their priority, and values.
pub(super) type Changes = Vec<(Path, bool, Draft)>;

pub(super) fn decode_update(json: &str, above: &Path) -> Result<Changes, ValueError> {
    let mut reading = Reading::default();
    reading.run(json, |reading, text| text.deserialize_any(Update { reading, above }))
}

/// Reads an update: an object of paths.
struct Update<'r> {
    reading: &'r mut Reading,
    above: &'r Path,
}

impl<'de> Visitor<'de> for Update<'_> {
    type Value = Changes;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Changes, A::Error> {
        let mut changes = Vec::new();
        while let Some(raw) = entries.next_key::<Cow<'_, str>>()? {
            let (place, is_priority) = priority_of(&raw);
            let path = match self.above.parse_below(place) {
                Ok(path) => path,
                Err(PathError::Key(error)) => return self.reading.fail(ValueProblem::Key(error)),
                Err(error) => return self.reading.fail(ValueProblem::Path(error)),
            };
            let depth_left = DEPTH_MAX.saturating_sub(path.keys().len());
            let value = entries.next_value_seed(Value { reading: &mut *self.reading, depth_left });
            let value =
                value.inspect_err(|_| path.keys().iter().rev().for_each(|key| self.reading.passes(key)))?;
            if value.is_null() {
                self.reading.count()?;
            }
            changes.push((path, is_priority, value));
        }
        Ok(changes)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Changes, E> {
        self.reading.fail(ValueProblem::NoObject("null"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Changes, E> {
        self.reading.fail(ValueProblem::NoObject("a boolean"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Changes, E> {
        self.reading.fail(ValueProblem::NoObject("a number"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Changes, E> {
        self.reading.fail(ValueProblem::NoObject("a number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Changes, E> {
        self.reading.fail(ValueProblem::NoObject("a number"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Changes, E> {
        self.reading.fail(ValueProblem::NoObject("a text"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Changes, A::Error> {
        self.reading.fail(ValueProblem::NoObject("an array"))
    }
}
