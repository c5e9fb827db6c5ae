//! Values between the wire and the house: [`wire::v1::Value`] and [`base::Value`].
//!
//! Conversion checks what a value *is* (a kind is set, times and points are in range, nesting is bounded); what a
//! document may *hold* is checked where documents are written.

use std::collections::BTreeMap;

use base::{Fields, GeoPoint, Timestamp, Value};
use wire::google::r#type::LatLng;
use wire::prost_types;
use wire::v1::value::ValueType;
use wire::v1::{self, ArrayValue, MapValue};

/// How deep a value may be nested and still be read. Above what documents may hold, so that their limit answers.
pub const VALUE_RECURSION_MAX: usize = 100;

/// Why a wire value is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No kind is set.
    #[error("A value must have a type.")]
    NoKind,
    /// Nested beyond [`VALUE_RECURSION_MAX`].
    #[error("A value is nested too deeply.")]
    TooDeep,
    /// Not between the years 1 and 9999, or nanoseconds out of range.
    #[error("A timestamp is not within 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z.")]
    Timestamp,
    /// Latitude or longitude out of range.
    #[error("A geographic point must have a latitude in [-90, 90] and a longitude in [-180, 180].")]
    GeoPoint,
}

impl From<ValueError> for base::Status {
    fn from(error: ValueError) -> Self {
        base::Status::invalid(error.to_string())
    }
}

/// A point in time from the wire.
pub fn timestamp_from_wire(at: &prost_types::Timestamp) -> Result<Timestamp, ValueError> {
    wire::time::from_wire(at).map_err(|_| ValueError::Timestamp)
}

/// A version of the store as a point in time on the wire.
pub fn version_to_wire(version: kv::Version) -> prost_types::Timestamp {
    wire::time::to_wire(Timestamp::from_micros(version.0))
}

/// A value from the wire.
pub fn from_wire(value: v1::Value) -> Result<Value, ValueError> {
    read(value, 0)
}

/// A map of values from the wire.
pub fn fields_from_wire(fields: BTreeMap<String, v1::Value>) -> Result<Fields, ValueError> {
    read_fields(fields, 0)
}

fn read(value: v1::Value, depth: usize) -> Result<Value, ValueError> {
    if depth > VALUE_RECURSION_MAX {
        return Err(ValueError::TooDeep);
    }
    Ok(match value.value_type.ok_or(ValueError::NoKind)? {
        ValueType::NullValue(_) => Value::Null,
        ValueType::BooleanValue(truth) => Value::Bool(truth),
        ValueType::IntegerValue(integer) => Value::Integer(integer),
        ValueType::DoubleValue(double) => Value::Double(double),
        ValueType::TimestampValue(at) => Value::Timestamp(timestamp_from_wire(&at)?),
        ValueType::StringValue(text) => Value::String(text),
        ValueType::BytesValue(bytes) => Value::Bytes(bytes.into()),
        ValueType::ReferenceValue(name) => Value::Reference(name),
        ValueType::GeoPointValue(LatLng { latitude, longitude }) => {
            if !((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude)) {
                return Err(ValueError::GeoPoint);
            }
            Value::GeoPoint(GeoPoint { latitude, longitude })
        }
        ValueType::ArrayValue(ArrayValue { values }) => {
            Value::Array(values.into_iter().map(|value| read(value, depth + 1)).collect::<Result<_, _>>()?)
        }
        ValueType::MapValue(MapValue { fields }) => Value::Map(read_fields(fields, depth + 1)?),
    })
}

fn read_fields(fields: BTreeMap<String, v1::Value>, depth: usize) -> Result<Fields, ValueError> {
    fields.into_iter().map(|(name, value)| Ok((name, read(value, depth)?))).collect()
}

/// A value for the wire.
pub fn to_wire(value: Value) -> v1::Value {
    let kind = match value {
        Value::Null => ValueType::NullValue(0),
        Value::Bool(truth) => ValueType::BooleanValue(truth),
        Value::Integer(integer) => ValueType::IntegerValue(integer),
        Value::Double(double) => ValueType::DoubleValue(double),
        Value::Timestamp(at) => ValueType::TimestampValue(wire::time::to_wire(at)),
        Value::String(text) => ValueType::StringValue(text),
        Value::Bytes(bytes) => ValueType::BytesValue(bytes.into()),
        Value::Reference(name) => ValueType::ReferenceValue(name),
        Value::GeoPoint(GeoPoint { latitude, longitude }) => {
            ValueType::GeoPointValue(LatLng { latitude, longitude })
        }
        Value::Array(items) => {
            ValueType::ArrayValue(ArrayValue { values: items.into_iter().map(to_wire).collect() })
        }
        Value::Map(fields) => ValueType::MapValue(MapValue { fields: fields_to_wire(fields) }),
    };
    v1::Value { value_type: Some(kind) }
}

/// A map of values for the wire.
pub fn fields_to_wire(fields: Fields) -> BTreeMap<String, v1::Value> {
    fields.into_iter().map(|(name, value)| (name, to_wire(value))).collect()
}
