//! Values as JSON.
//!
//! Decoding is one pass over the text: what is too much is refused when it is met, before memory is spent on it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::draft::{Draft, Slot};
use super::key::{Key, KeyError};
use super::leaf::{Leaf, write_text};
use super::node::Node;
use super::path::{DEPTH_MAX, Path, PathError};

/// Leaves of a value that a client sends; a null in an object counts as one.
pub const LEAVES_MAX: usize = 190_000;

/// Nodes of a value that a client sends, with those that have children.
pub const NODES_MAX: usize = 4 * LEAVES_MAX;

/// Bytes of a text.
pub const TEXT_BYTES_MAX: usize = 10 * 1024 * 1024;

/// A value that cannot be one, and where in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueError {
    /// Keys from the innermost.
    below: Vec<Key>,
    /// What is wrong.
    pub problem: ValueProblem,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ValueProblem {
    /// It is not JSON.
    #[error("{0}")]
    Json(String),
    /// A name in an object is no key.
    #[error("{0}")]
    Key(KeyError),
    /// A path in an update is none.
    #[error("{0}")]
    Path(PathError),
    /// A name is in an object twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// It is too deep for its place.
    #[error("it is more than {DEPTH_MAX} levels below the root")]
    TooDeep,
    /// It has too many leaves or nodes.
    #[error("it has more than {LEAVES_MAX} leaves or {NODES_MAX} nodes")]
    TooMany,
    /// A text has more bytes than [`TEXT_BYTES_MAX`].
    #[error("a text has {0} bytes, the limit is {TEXT_BYTES_MAX}")]
    TextTooLong(usize),
    /// `.value` or `.sv` has siblings that are children.
    #[error("`{0}` is there beside other children")]
    Beside(&'static str),
    /// `.value` is no leaf.
    #[error("`.value` is an object, it may be a boolean, a number, a text or a server value")]
    Value,
    /// A priority is neither text nor number nor a server value.
    #[error("`.priority` is {0}, it may be a text, a number, a server value or null")]
    Priority(&'static str),
    /// A server value that does not exist.
    #[error("`.sv` is {0}, it may be \"timestamp\" or {{\"increment\": a number}}")]
    ServerValue(String),
    /// A sum is too large.
    #[error("{before} incremented by {by} is no number")]
    Increment {
        /// What was there.
        before: f64,
        /// What was to be added.
        by: f64,
    },
    /// An update is no object.
    #[error("an update is {0}, it may be an object of paths and values")]
    NoObject(&'static str),
}

impl ValueError {
    /// The place in the value.
    pub fn path(&self) -> Path {
        Path::from(self.below.iter().rev().cloned().collect::<Vec<_>>())
    }

    /// Whether the value is too large, not malformed.
    pub fn is_size(&self) -> bool {
        matches!(self.problem, ValueProblem::TooMany | ValueProblem::TextTooLong(_))
    }

    /// The error as seen from the node above.
    pub(super) fn below(mut self, key: &Key) -> Self {
        self.below.push(key.clone());
        self
    }
}

impl From<ValueProblem> for ValueError {
    fn from(problem: ValueProblem) -> Self {
        Self { below: Vec::new(), problem }
    }
}

/// Begins with the service's text for it.
impl fmt::Display for ValueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match &self.problem {
            problem if self.is_size() => {
                debug_assert!(!matches!(problem, ValueProblem::Json(_)));
                "Data to write exceeds the maximum size that can be modified with a single request."
            }
            ValueProblem::Key(_) => {
                "Invalid data; couldn't parse JSON object, array, or value. Perhaps you're using invalid \
                 characters in your key names."
            }
            _ => "Invalid data; couldn't parse JSON object, array, or value.",
        })?;
        write!(out, " At {}: {}", self.path(), self.problem)
    }
}

impl std::error::Error for ValueError {}

/// Reads a value as clients send it. `depth_left`: levels of keys it may have, [`DEPTH_MAX`] minus those of its place.
pub fn decode_value(json: &str, depth_left: usize) -> Result<Draft, ValueError> {
    let mut reading = Reading::default();
    reading.run(json, |reading, text| Value { reading, depth_left }.deserialize(text))
}

/// Changes of an update: places below a path, whether it is their priority, and values.
pub(super) type Changes = Vec<(Path, bool, Draft)>;

pub(super) fn decode_update(json: &str, above: &Path) -> Result<Changes, ValueError> {
    let mut reading = Reading::default();
    reading.run(json, |reading, text| text.deserialize_any(Update { reading, above }))
}

/// What is left and what went wrong.
struct Reading {
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
    fn run<T>(
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

    fn fail<T, E: serde::de::Error>(&mut self, problem: ValueProblem) -> Result<T, E> {
        self.error = Some(problem.into());
        Err(E::custom("refused"))
    }

    fn leaf<E: serde::de::Error>(&mut self, leaf: Leaf) -> Result<Draft, E> {
        self.count()?;
        Ok(Draft::leaf(Slot::Known(leaf), None))
    }

    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
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
    fn passes(&mut self, key: &Key) {
        self.error = self.error.take().map(|error| error.below(key));
    }
}

/// Escapes of surrogates that are not halves of a pair become U+FFFD. JavaScript writes them, JSON parsers refuse them.
fn without_lone_surrogates(json: &str) -> Cow<'_, str> {
    if !json.contains("\\ud") && !json.contains("\\uD") {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => 0,
            (Some(_), _) => 6,
            // A backslash and what it escapes, which may be another backslash.
            (None, _) => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (kept, after) = match length {
            0 => ("\\ufffd", escape.get(6..)),
            _ => (escape.get(..length).unwrap_or(escape), escape.get(length..)),
        };
        out.push_str(kept);
        rest = after.unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The UTF-16 unit of a text that begins with an escape of one.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Reads a value.
struct Value<'r> {
    reading: &'r mut Reading,
    depth_left: usize,
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
                    let value = entries.next_value_seed(Value { reading: &mut *reading, depth_left: 0 })?;
                    object.set_value(value).or_else(|problem| reading.fail(problem))?;
                }
                Name::Priority => {
                    let value = entries.next_value_seed(Value { reading: &mut *reading, depth_left: 0 })?;
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
            let (place, is_priority) = super::write::priority_of(&raw);
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

/// Appends a value as the wire has it: with priorities, never as an array.
pub fn encode_export(node: Option<&Node>, out: &mut String) {
    let Some(node) = node else { return out.push_str("null") };
    match (node.value(), node.priority()) {
        (Some(leaf), None) => leaf.write_json(out),
        (Some(leaf), Some(priority)) => {
            out.push_str(r#"{".value":"#);
            leaf.write_json(out);
            out.push_str(r#",".priority":"#);
            priority.write_json(out);
            out.push('}');
        }
        (None, priority) => {
            let mut before = '{';
            for (key, child) in node.children() {
                out.push(before);
                before = ',';
                write_text(key.as_str(), out);
                out.push(':');
                encode_export(Some(child), out);
            }
            if let Some(priority) = priority {
                out.push_str(r#",".priority":"#);
                priority.write_json(out);
            }
            out.push('}');
        }
    }
}

/// Appends a value as REST has it: without priorities, and as an array when its keys are mostly those of one.
pub fn encode_plain(node: Option<&Node>, out: &mut String) {
    let Some(node) = node else { return out.push_str("null") };
    if let Some(leaf) = node.value() {
        return leaf.write_json(out);
    }
    if is_array(node) {
        let mut before = '[';
        let mut next = 0;
        for (key, child) in node.children() {
            let index = array_index(key).unwrap_or(next);
            while next < index {
                out.push(before);
                before = ',';
                out.push_str("null");
                next += 1;
            }
            out.push(before);
            before = ',';
            encode_plain(Some(child), out);
            next += 1;
        }
        return out.push(']');
    }
    let mut before = '{';
    for (key, child) in node.children() {
        out.push(before);
        before = ',';
        write_text(key.as_str(), out);
        out.push(':');
        encode_plain(Some(child), out);
    }
    out.push('}');
}

/// Whether all keys are indices and less than half of an array would be null.
fn is_array(node: &Node) -> bool {
    let children = node.children();
    // Indices that are 32-bit integers are in their order: the last is the largest.
    let largest = children.last().and_then(|(key, _)| array_index(key));
    largest.is_some_and(|largest| largest < 2 * children.len())
        && children.iter().all(|(key, _)| array_index(key).is_some())
}

/// `^(0|[1-9]\d*)$` as far as it can be an index here.
fn array_index(key: &Key) -> Option<usize> {
    let text = key.as_str();
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    canonical.then(|| text.parse::<u32>().ok()).flatten().and_then(|index| usize::try_from(index).ok())
}
