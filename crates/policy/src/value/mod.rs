//! The values a policy computes with, borrowed from the request wherever they come from it.
//!
//! A [`Val`] is cheap to clone. Reading a claim, a field or a path variable allocates nothing;
//! only what an expression makes (a joined string, a list, a path) is allocated, behind an `Rc`.

pub mod compare;
mod diff;
mod fault;
mod field;
pub mod json;
mod path;
pub mod report;
mod show;

use std::collections::BTreeMap;
use std::rc::Rc;

use base::{Fields, GeoPoint, Timestamp, Value};

use crate::builtin::Duration;

pub use diff::{KeyStatus, MapDiff};
pub use fault::{Fault, FaultKind, Outcome};
pub use field::{Child, Class, Comparison, Constraint, Fact, Facts, Field, Operator, is_exact};
pub use path::path_text;
pub(crate) use show::{push_items, push_text};
pub use show::{push_shown, show};

/// Text, borrowed or shared.
#[derive(Clone, Debug)]
pub enum Str<'v> {
    /// Borrowed from the request, a document or the ruleset.
    Borrowed(&'v str),
    /// Made by an expression.
    Shared(Rc<str>),
}

impl Str<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Str::Borrowed(text) => text,
            Str::Shared(text) => text,
        }
    }
}

impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Str::Shared(text.into())
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Str<'_> {}

impl PartialOrd for Str<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

/// Bytes, borrowed or shared.
#[derive(Clone, Debug)]
pub enum Bytes<'v> {
    /// Borrowed from a document.
    Borrowed(&'v [u8]),
    /// Made by an expression.
    Shared(Rc<[u8]>),
}

impl Bytes<'_> {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

/// A list, borrowed or shared.
#[derive(Clone, Debug)]
pub enum List<'v> {
    /// Borrowed from a document, a claim or a constant.
    Borrowed(&'v [Value]),
    /// Made by an expression.
    Shared(Rc<[Val<'v>]>),
}

impl<'v> List<'v> {
    /// How many items.
    pub fn len(&self) -> usize {
        match self {
            List::Borrowed(items) => items.len(),
            List::Shared(items) => items.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One item.
    pub fn get(&self, index: usize) -> Option<Val<'v>> {
        match self {
            List::Borrowed(items) => items.get(index).map(Val::from_value),
            List::Shared(items) => items.get(index).cloned(),
        }
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = Val<'v>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// Something with named members that is not stored as a map: the request, a resource, the query.
pub trait Members<'v> {
    /// The member, or `None` when it has no such member.
    fn member(&self, name: &str) -> Option<Val<'v>>;
    /// The names of the members it has.
    fn names(&self) -> Vec<&'static str>;
    /// Whether members stand for many documents' members (see [`Field`]).
    fn is_abstract(&self) -> bool {
        false
    }
}

/// A map from text to values.
#[derive(Clone)]
pub enum Map<'v> {
    /// A document's or a claim's map.
    Fields(&'v Fields),
    /// Made by an expression.
    Shared(Rc<BTreeMap<Str<'v>, Val<'v>>>),
    /// A view of the request.
    View(&'v dyn Members<'v>),
    /// A view made by an expression, such as what `get()` returns.
    SharedView(Rc<dyn Members<'v> + 'v>),
}

impl<'v> Map<'v> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Val<'v>> {
        match self {
            Map::Fields(fields) => fields.get(key).map(Val::from_value),
            Map::Shared(map) => {
                // A `Str` compares as its text, but `BTreeMap` wants to borrow it as one of `'v`; maps made by
                // expressions are small.
                map.iter().find(|(name, _)| name.as_str() == key).map(|(_, value)| value.clone())
            }
            Map::View(view) => view.member(key),
            Map::SharedView(view) => view.member(key),
        }
    }

    /// The keys in order.
    pub fn keys(&self) -> Vec<Str<'v>> {
        match self {
            Map::Fields(fields) => fields.keys().map(|key| Str::Borrowed(key)).collect(),
            Map::Shared(map) => map.keys().cloned().collect(),
            Map::View(view) => view.names().into_iter().map(Str::Borrowed).collect(),
            Map::SharedView(view) => view.names().into_iter().map(Str::Borrowed).collect(),
        }
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        match self {
            Map::Fields(fields) => fields.len(),
            Map::Shared(map) => map.len(),
            Map::View(view) => view.names().len(),
            Map::SharedView(view) => view.names().len(),
        }
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.keys().iter().map(Str::as_str)).finish()
    }
}

/// A path: its segments, decoded.
pub type Segments<'v> = Rc<[Str<'v>]>;

/// A segment of a path in which there are variables.
#[derive(Clone, Debug)]
pub enum Step<'v> {
    /// Text, decoded.
    Text(Str<'v>),
    /// `{name}`, or `{name=**}`.
    Variable {
        /// Its name.
        name: Str<'v>,
        /// Whether it stands for any number of segments.
        glob: bool,
    },
}

/// One value.
#[derive(Clone, Debug)]
pub enum Val<'v> {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text.
    Str(Str<'v>),
    /// Bytes.
    Bytes(Bytes<'v>),
    /// A point in time.
    Timestamp(Timestamp),
    /// A length of time.
    Duration(Duration),
    /// A point on the earth.
    LatLng(GeoPoint),
    /// A path.
    Path(Segments<'v>),
    /// A path with variables that nothing is bound to: equal to nothing, and only good for `bind()`.
    Template(Rc<[Step<'v>]>),
    /// A list.
    List(List<'v>),
    /// A map.
    Map(Map<'v>),
    /// A set: distinct values.
    Set(Rc<[Val<'v>]>),
    /// The difference of two maps, `after` compared with `before`.
    Diff(Rc<MapDiff<'v>>),
    /// A field of which only a query's constraints are known.
    Field(Field<'v>),
    /// Something the language keeps for itself.
    Handle(Handle),
}

/// What Realtime Database rules hold on to while they run, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// A place in the database.
    Snapshot(u32),
    /// The value of a place that has children.
    Object(u32),
    /// The query of a read.
    Query,
}

impl<'v> Val<'v> {
    /// A view of a stored value. Only a reference needs an allocation: it becomes a path.
    pub fn from_value(value: &'v Value) -> Self {
        match value {
            Value::Null => Val::Null,
            Value::Bool(value) => Val::Bool(*value),
            Value::Integer(value) => Val::Int(*value),
            Value::Double(value) => Val::Float(*value),
            Value::Timestamp(value) => Val::Timestamp(*value),
            Value::String(text) => Val::Str(Str::Borrowed(text)),
            Value::Bytes(bytes) => Val::Bytes(Bytes::Borrowed(bytes)),
            Value::Reference(name) => Val::Path(reference_segments(name)),
            Value::GeoPoint(point) => Val::LatLng(*point),
            Value::Array(items) => Val::List(List::Borrowed(items)),
            Value::Map(fields) => Val::Map(Map::Fields(fields)),
        }
    }

    /// Text made by an expression.
    pub fn text(text: impl Into<Rc<str>>) -> Self {
        Val::Str(Str::Shared(text.into()))
    }

    /// A list made by an expression.
    pub fn list(items: Vec<Val<'v>>) -> Self {
        Val::List(List::Shared(items.into()))
    }

    /// Whether it stands for many values, so that comparing or storing it would say nothing.
    pub fn is_abstract(&self) -> bool {
        match self {
            Val::Field(_) => true,
            Val::Map(Map::View(view)) => view.is_abstract(),
            Val::Map(Map::SharedView(view)) => view.is_abstract(),
            _ => false,
        }
    }

    /// The type's name in error texts.
    pub fn type_name(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Float(_) => "float",
            Val::Str(_) => "string",
            Val::Bytes(_) => "bytes",
            Val::Timestamp(_) => "timestamp",
            Val::Duration(_) => "duration",
            Val::LatLng(_) => "latlng",
            Val::Path(_) | Val::Template(_) => "path",
            Val::List(_) => "list",
            Val::Map(_) => "map",
            Val::Set(_) => "set",
            Val::Diff(_) => "map_diff",
            Val::Field(_) => "constraint",
            Val::Handle(Handle::Snapshot(_)) => "snapshot",
            Val::Handle(Handle::Object(_)) => "object",
            Val::Handle(Handle::Query) => "query",
        }
    }
}

/// `projects/P/databases/D/documents/a/b` as a policy sees it: `/databases/D/documents/a/b`.
fn reference_segments(name: &str) -> Segments<'_> {
    let mut segments: Vec<&str> = name.split('/').collect();
    if segments.first() == Some(&"projects") && segments.len() > 2 {
        segments.drain(..2);
    }
    segments.into_iter().map(Str::Borrowed).collect()
}
