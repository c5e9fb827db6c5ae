//! Reads values from JSON text.
//!
//! One pass over the text: what is too much is refused when it is met, before memory is spent on it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::draft::{Draft, Slot};
use super::key::Key;
use super::leaf::Leaf;
use super::surrogate::without_lone_surrogates;
use super::value_error::{ValueError, ValueProblem};

/// Leaves of a value that a client sends; a null in an object counts as one.
pub const LEAVES_MAX: usize = 190_000;

/// Nodes of a value that a client sends, with those that have children.
pub const NODES_MAX: usize = 4 * LEAVES_MAX;

/// Bytes of a text.
pub const TEXT_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Reads a value as clients send it. `depth_left`: levels of keys it may have, [`DEPTH_MAX`] minus those of its place.
pub fn decode_value(json: &str, depth_left: usize) -> Result<Draft, ValueError> {
    let mut reading = Reading::default();
    reading.run(json, |reading, text| Value { reading, depth_left }.deserialize(text))
}

/// What is left and what went wrong.
pub(super) struct Reading {
    leaves_left: usize,
    nodes_left: usize,
    error: Option<ValueError>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { leaves_left: LEAVES_MAX, nodes_left: NODES_MAX, error: None }
    }
}

type Text<'j> = serde_json::Deserializer<serde_json::de::StrRead<'j>>;

impl Reading {
    pub(super) fn run<T>(
        &mut self,
        json: &str,
        read: impl FnOnce(&mut Self, &mut Text<'_>) -> Result<T, serde_json::Error>,
    ) -> Result<T, ValueError> {
        let json = without_lone_surrogates(json);
        let mut text = serde_json::Deserializer::from_str(&json);
        let value = read(self, &mut text).and_then(|value| text.end().map(|()| value));
        value.map_err(|error| {
            self.error.take().unwrap_or_else(|| ValueProblem::Json(error.to_string()).into())
        })
    }

    pub(super) fn fail<T, E: serde::de::Error>(&mut self, problem: ValueProblem) -> Result<T, E> {
        self.error = Some(problem.into());
        Err(E::custom("refused"))
    }

    fn leaf<E: serde::de::Error>(&mut self, leaf: Leaf) -> Result<Draft, E> {
        self.count()?;
        Ok(Draft::leaf(Slot::Known(leaf), None))
    }

    pub(super) fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        match self.leaves_left.checked_sub(1) {
            Some(left) => self.leaves_left = left,
            None => return self.fail(ValueProblem::TooMany),
        }
        self.count_node()
    }

    fn count_node<E: serde::de::Error>(&mut self) -> Result<(), E> {
        match self.nodes_left.checked_sub(1) {
            Some(left) => {
                self.nodes_left = left;
                Ok(())
            }
            None => self.fail(ValueProblem::TooMany),
        }
    }

    /// An error on its way up passes a key.
    pub(super) fn passes(&mut self, key: &Key) {
        self.error = self.error.take().map(|error| error.below(key));
    }
}

/// Reads a value.
pub(super) struct Value<'r> {
    pub(super) reading: &'r mut Reading,
    pub(super) depth_left: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Draft;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Draft, D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Draft;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Draft, E> {
        Ok(Draft::null())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Draft, E> {
        self.reading.leaf(Leaf::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Draft, E> {
        self.reading.leaf(Leaf::Integer(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "what does not fit 64 bits is a double")]
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Draft, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Draft, E> {
        match Leaf::number_of(value) {
            Some(leaf) => self.reading.leaf(leaf),
            None => self.reading.fail(ValueProblem::Json(format!("{value} is no number"))),
        }
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Draft, E> {
        if value.len() > TEXT_BYTES_MAX {
            return self.reading.fail(ValueProblem::TextTooLong(value.len()));
        }
        self.reading.leaf(Leaf::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Draft, A::Error> {
        let Self { reading, depth_left } = self;
        let mut children = Vec::new();
        for index in 0.. {
            // What is too deep is refused when it is no null.
            let below = depth_left.saturating_sub(1);
            let item = items.next_element_seed(Value { reading: &mut *reading, depth_left: below });
            let item = item.inspect_err(|_| reading.passes(&Key::index(index)))?;
            match item {
                None => break,
                Some(item) if item.is_null() => {}
                Some(_) if depth_left == 0 => return reading.fail(ValueProblem::TooDeep),
                Some(item) => children.push((Key::index(index), item)),
            }
        }
        if !children.is_empty() {
            reading.count_node()?;
        }
        Ok(Draft::inner(children, None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Draft, A::Error> {
        let Self { reading, depth_left } = self;
        let mut object = Object::default();
        while let Some(name) = entries.next_key_seed(NameSeed { reading: &mut *reading })? {
            match name {
                Name::Child(key) => {
                    let Some(below) = depth_left.checked_sub(1) else {
                        return reading.fail(ValueProblem::TooDeep);
                    };
                    let value = entries.next_value_seed(Value { reading: &mut *reading, depth_left: below });
                    let value = value.inspect_err(|_| reading.passes(&key))?;
                    if value.is_null() {
                        reading.count()?;
                    }
                    object.children.push((key, value));
                }
                Name::Value => {
                    let value = entries.next_value_seed(Value { reading: &mut *reading, depth_left: 1 })?;
                    object.set_value(value).or_else(|problem| reading.fail(problem))?;
                }
                Name::Priority => {
                    let value = entries.next_value_seed(Value { reading: &mut *reading, depth_left: 1 })?;
                    object.set_priority(value).or_else(|problem| reading.fail(problem))?;
                }
                Name::Server => {
                    let slot = entries.next_value_seed(Server { reading: &mut *reading })?;
                    reading.count()?;
                    object.set_server(slot).or_else(|problem| reading.fail(problem))?;
                }
            }
        }
        if !object.children.is_empty() {
            reading.count_node()?;
        }
        object.finish().or_else(|problem| reading.fail(problem))
    }
}

/// What an object had so far. Nulls are kept, so that what is there twice is noticed.
#[derive(Default)]
struct Object {
    children: Vec<(Key, Draft)>,
    value: Option<Option<Slot>>,
    priority: Option<Option<Slot>>,
    server: Option<Slot>,
}

impl Object {
    fn set_value(&mut self, value: Draft) -> Result<(), ValueProblem> {
        let value = value.into_slot().map_err(|_| ValueProblem::Value)?;
        once(self.value.replace(value), ".value")
    }

    fn set_priority(&mut self, value: Draft) -> Result<(), ValueProblem> {
        let priority = value.into_slot().map_err(|_| ValueProblem::Priority("an object"))?;
        if matches!(priority, Some(Slot::Known(Leaf::Bool(_)))) {
            return Err(ValueProblem::Priority("a boolean"));
        }
        once(self.priority.replace(priority), ".priority")
    }

    fn set_server(&mut self, slot: Slot) -> Result<(), ValueProblem> {
        once(self.server.replace(slot), ".sv")
    }

    fn finish(self) -> Result<Draft, ValueProblem> {
        let Self { mut children, value, priority, server } = self;
        let priority = priority.flatten();
        match (value, server) {
            (Some(_), _) if !children.is_empty() => return Err(ValueProblem::Beside(".value")),
            (_, Some(_)) if !children.is_empty() => return Err(ValueProblem::Beside(".sv")),
            (Some(_), Some(_)) => return Err(ValueProblem::Beside(".sv")),
            (Some(None), None) => return Ok(Draft::null()),
            (Some(Some(slot)), None) | (None, Some(slot)) => return Ok(Draft::leaf(slot, priority)),
            (None, None) => {}
        }
        if !children.is_sorted_by(|(left, _), (right, _)| left < right) {
            children.sort_by(|(left, _), (right, _)| left.cmp(right));
            let twice = children.windows(2).find_map(|pair| match pair {
                [(left, _), (right, _)] if left == right => Some(left.to_string()),
                _ => None,
            });
            if let Some(key) = twice {
                return Err(ValueProblem::Twice(key));
            }
        }
        children.retain(|(_, child)| !child.is_null());
        Ok(Draft::inner(children, priority))
    }
}

fn once<T>(before: Option<T>, name: &'static str) -> Result<(), ValueProblem> {
    if before.is_some() { Err(ValueProblem::Twice(name.to_owned())) } else { Ok(()) }
}

/// A name in an object.
enum Name {
    Child(Key),
    Value,
    Priority,
    Server,
}

struct NameSeed<'r> {
    reading: &'r mut Reading,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Name, D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Name;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name, E> {
        match text {
            ".value" => Ok(Name::Value),
            ".priority" => Ok(Name::Priority),
            ".sv" => Ok(Name::Server),
            _ => match Key::new(text) {
                Ok(key) => Ok(Name::Child(key)),
                Err(error) => self.reading.fail(ValueProblem::Key(error)),
            },
        }
    }
}

/// Reads what `.sv` is.
struct Server<'r> {
    reading: &'r mut Reading,
}

impl Server<'_> {
    fn unknown<T, E: serde::de::Error>(self, seen: impl Into<String>) -> Result<T, E> {
        self.reading.fail(ValueProblem::ServerValue(seen.into()))
    }
}

impl<'de> DeserializeSeed<'de> for Server<'_> {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Slot, D::Error> {
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Server<'_> {
    type Value = Slot;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a server value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Slot, E> {
        if text == "timestamp" {
            return Ok(Slot::Timestamp);
        }
        let seen: String = text.chars().take(64).collect();
        self.unknown(format!("{seen:?}"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Slot, A::Error> {
        let Some(name) = entries.next_key::<Cow<'_, str>>()? else { return self.unknown("an empty object") };
        if name != "increment" {
            let seen: String = name.chars().take(64).collect();
            return self.unknown(format!("{{{seen:?}: …}}"));
        }
        let by = entries.next_value_seed(Value { reading: &mut *self.reading, depth_left: 0 })?;
        let by = match by.into_slot() {
            Ok(Some(Slot::Known(by @ (Leaf::Integer(_) | Leaf::Double(_))))) => by,
            _ => return self.unknown("an increment by something that is no number"),
        };
        match entries.next_key::<Cow<'_, str>>()? {
            None => Ok(Slot::Increment(by)),
            Some(_) => self.unknown("an object with more than `increment`"),
        }
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Slot, E> {
        self.unknown("null")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Slot, E> {
        self.unknown(value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Slot, E> {
        self.unknown(value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Slot, E> {
        self.unknown(value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Slot, E> {
        self.unknown(value.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Slot, A::Error> {
        self.unknown("an array")
    }
}
