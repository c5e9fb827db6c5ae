//! Firestore's value: what documents hold, rules read and indexes order.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// The fields of a document or a map, in UTF-8 byte order of their names.
pub type Fields = BTreeMap<String, Value>;

/// A point on the earth: latitude −90..=90, longitude −180..=180, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct GeoPoint {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// One value. A vector is a map with `__type__: "__vector__"` (see [`Value::as_vector`]), as on the wire.
///
/// `PartialEq` is structural (it tells 3 from 3.0 and NaN from NaN); Firestore's own equality and
/// order are in [`crate::order`].
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// The null value.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// A double, NaN and infinities included.
    Double(f64),
    /// A point in time, microseconds when stored.
    Timestamp(Timestamp),
    /// UTF-8 text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The full resource name of a document.
    Reference(String),
    /// A point on the earth.
    GeoPoint(GeoPoint),
    /// A list. Never directly holds another list.
    Array(Vec<Value>),
    /// A map.
    Map(Fields),
}

/// The reserved map key that marks a vector.
pub const TYPE_KEY: &str = "__type__";
/// The value of [`TYPE_KEY`] in a vector.
pub const VECTOR_TYPE: &str = "__vector__";
/// The key of a vector's components.
pub const VECTOR_VALUE_KEY: &str = "value";

impl Value {
    /// The components when this is a vector: a map of exactly the reserved type key and an array of doubles.
    pub fn as_vector(&self) -> Option<&[Value]> {
        let Value::Map(fields) = self else { return None };
        match (fields.len(), fields.get(TYPE_KEY), fields.get(VECTOR_VALUE_KEY)) {
            (2, Some(Value::String(kind)), Some(Value::Array(items))) if kind == VECTOR_TYPE => Some(items),
            _ => None,
        }
    }

    /// The value's size in bytes as Firestore bills and limits it.
    ///
    /// Source: the documented storage-size calculation (strings UTF-8 + 1, numbers 8, booleans and null 1, …).
    pub fn size(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) => 1,
            Value::Integer(_) | Value::Double(_) | Value::Timestamp(_) => 8,
            Value::String(text) => text.len() + 1,
            Value::Bytes(bytes) => bytes.len(),
            Value::Reference(name) => name.len() + 1 + 16,
            Value::GeoPoint(_) => 16,
            Value::Array(items) => items.iter().map(Value::size).sum(),
            Value::Map(fields) => fields_size(fields),
        }
    }
}

/// The size in bytes of a map's names and values.
pub fn fields_size(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + 1 + value.size()).sum()
}
