//! Documents become records.

use base::key::numeric_id;
use base::name::parse_document;
use base::{DatabaseName, DocumentPath, Fields, Value};
use prost::encoding::encode_varint;

use super::{
    APP_PREFIX, FIXED64, GROUP, GROUP_END, SIZED, VARINT, meaning, of_entity, of_property, of_reference,
    of_segment, of_value,
};
use crate::export::RECORD_BYTES_MAX;

/// The database whose name no key says.
const DEFAULT_DATABASE: &str = "(default)";

/// A document's record; `None` when it is longer than a record may be.
pub fn encode(database: &DatabaseName, path: &DocumentPath, fields: &Fields) -> Option<Vec<u8>> {
    let mut record = Vec::with_capacity(256);
    sized(&mut record, of_entity::KEY, |key| {
        bytes(key, of_reference::APP, format!("{APP_PREFIX}{}", database.project).as_bytes());
        sized(key, of_reference::PATH, |of_key| segments(of_key, path.segments(), &IN_KEY));
        if database.database != DEFAULT_DATABASE {
            bytes(key, of_reference::DATABASE, database.database.as_bytes());
        }
    });
    properties(&mut record, fields)?;
    let group = path.segments().get(..2).unwrap_or_default();
    sized(&mut record, of_entity::GROUP_PATH, |root| segments(root, group, &IN_KEY));
    (record.len() <= RECORD_BYTES_MAX).then_some(record)
}

/// The field numbers of a path's segments.
struct Numbers {
    segment: u64,
    kind: u64,
    id: u64,
    name: u64,
}

const IN_KEY: Numbers = Numbers {
    segment: of_segment::IN_PATH,
    kind: of_segment::KIND,
    id: of_segment::ID,
    name: of_segment::NAME,
};
const IN_VALUE: Numbers = Numbers {
    segment: of_reference::SEGMENT,
    kind: of_segment::VALUE_KIND,
    id: of_segment::VALUE_ID,
    name: of_segment::VALUE_NAME,
};

fn segments(out: &mut Vec<u8>, path: &[String], numbers: &Numbers) {
    for pair in path.chunks(2) {
        let [collection, document] = pair else { continue };
        tag(out, numbers.segment, GROUP);
        bytes(out, numbers.kind, collection.as_bytes());
        match numeric_id(document).filter(|id| *document == format!("__id{id}__")) {
            Some(id) => varint(out, numbers.id, id.cast_unsigned()),
            None => bytes(out, numbers.name, document.as_bytes()),
        }
        tag(out, numbers.segment, GROUP_END);
    }
}

/// The properties of a document or a map: empty arrays first.
fn properties(out: &mut Vec<u8>, fields: &Fields) -> Option<()> {
    let is_empty = |value: &Value| matches!(value, Value::Array(items) if items.is_empty());
    for (name, _) in fields.iter().filter(|(_, value)| is_empty(value)) {
        sized(out, of_entity::INDEXED, |property| {
            head(property, meaning::EMPTY_ARRAY, name, false);
            sized(property, of_property::VALUE, |_| {});
        });
    }
    for (name, value) in fields.iter().filter(|(_, value)| !is_empty(value)) {
        match (value.as_vector(), value) {
            (Some(items), _) => {
                items.iter().try_for_each(|item| property(out, name, true, Some(meaning::VECTOR), item))?;
            }
            (None, Value::Array(items)) => {
                items.iter().try_for_each(|item| property(out, name, true, None, item))?;
            }
            (None, value) => property(out, name, false, None, value)?,
        }
    }
    Some(())
}

fn head(out: &mut Vec<u8>, meaning: u64, name: &str, is_multiple: bool) {
    if meaning != 0 {
        varint(out, of_property::MEANING, meaning);
    }
    bytes(out, of_property::NAME, name.as_bytes());
    varint(out, of_property::MULTIPLE, u64::from(is_multiple));
}

fn property(
    out: &mut Vec<u8>,
    name: &str,
    is_multiple: bool,
    means: Option<u64>,
    value: &Value,
) -> Option<()> {
    let means = means.unwrap_or(match value {
        Value::Timestamp(_) => meaning::TIMESTAMP,
        Value::GeoPoint(_) => meaning::POINT,
        Value::Bytes(_) => meaning::BYTES,
        Value::Map(_) => meaning::ENTITY,
        _ => 0,
    });
    let mut fits = Some(());
    sized(out, of_entity::UNINDEXED, |property| {
        head(property, means, name, is_multiple);
        sized(property, of_property::VALUE, |out| fits = push_value(out, value));
    });
    fits.filter(|()| out.len() <= RECORD_BYTES_MAX)
}

fn push_value(out: &mut Vec<u8>, value: &Value) -> Option<()> {
    match value {
        Value::Null | Value::Array(_) => {}
        Value::Bool(truth) => varint(out, of_value::BOOLEAN, u64::from(*truth)),
        Value::Integer(integer) => varint(out, of_value::INTEGER, integer.cast_unsigned()),
        Value::Double(double) => fixed(out, of_value::DOUBLE, *double),
        Value::Timestamp(at) => varint(out, of_value::INTEGER, at.micros().cast_unsigned()),
        Value::String(text) => bytes(out, of_value::STRING, text.as_bytes()),
        Value::Bytes(data) => bytes(out, of_value::STRING, data),
        Value::Reference(name) => reference(out, name),
        Value::GeoPoint(point) => {
            tag(out, of_value::POINT, GROUP);
            fixed(out, of_value::X, point.latitude);
            fixed(out, of_value::Y, point.longitude);
            tag(out, of_value::POINT, GROUP_END);
        }
        Value::Map(fields) => {
            let mut fits = Some(());
            sized(out, of_value::STRING, |entity| {
                sized(entity, of_entity::KEY, |key| {
                    bytes(key, of_reference::APP, b"");
                    bytes(key, of_reference::PATH, b"");
                });
                fits = properties(entity, fields);
                bytes(entity, of_entity::GROUP_PATH, b"");
            });
            return fits;
        }
    }
    Some(())
}

fn reference(out: &mut Vec<u8>, name: &str) {
    tag(out, of_value::REFERENCE, GROUP);
    // What is stored was a document's name when it was written.
    if let Ok((database, path)) = parse_document(name) {
        bytes(out, of_reference::APP, format!("{APP_PREFIX}{}", database.project).as_bytes());
        segments(out, path.segments(), &IN_VALUE);
        if database.database != DEFAULT_DATABASE {
            bytes(out, of_reference::DATABASE, database.database.as_bytes());
        }
    }
    tag(out, of_value::REFERENCE, GROUP_END);
}

fn tag(out: &mut Vec<u8>, number: u64, wire: u64) {
    encode_varint(number << 3 | wire, out);
}

fn varint(out: &mut Vec<u8>, number: u64, value: u64) {
    tag(out, number, VARINT);
    encode_varint(value, out);
}

fn fixed(out: &mut Vec<u8>, number: u64, value: f64) {
    tag(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, number: u64, value: &[u8]) {
    tag(out, number, SIZED);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Appends what `push` does with its length before it.
fn sized(out: &mut Vec<u8>, number: u64, push: impl FnOnce(&mut Vec<u8>)) {
    tag(out, number, SIZED);
    let at = out.len();
    push(out);
    let mut length = Vec::with_capacity(2);
    encode_varint((out.len() - at) as u64, &mut length);
    out.splice(at..at, length);
}
