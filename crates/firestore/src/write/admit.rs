//! What a document may hold: names, kinds of values, nesting and sizes.

use base::limits::{
    DOCUMENT_BYTES_MAX, FIELD_NAME_BYTES_MAX, FIELD_VALUE_BYTES_MAX, INDEXED_VALUE_BYTES_MAX, VALUE_DEPTH_MAX,
};
use base::name::{is_reserved, parse_document};
use base::value::{TYPE_KEY, VECTOR_TYPE, VECTOR_VALUE_KEY, fields_size};
use base::{DatabaseName, DocumentPath, Fields, Status, Value};

use crate::status;

/// Every document costs this much beyond its name and fields.
const DOCUMENT_OVERHEAD_BYTES: usize = 32;
/// Every name costs this much beyond its segments.
const NAME_OVERHEAD_BYTES: usize = 16;

/// Takes fields in as a document may hold them: timestamps cut to microseconds, everything else refused or kept.
pub fn admit(fields: Fields) -> Result<Fields, Status> {
    fields
        .into_iter()
        .map(|(name, value)| {
            check_name(&name)?;
            let value = admit_value(value, &name)?;
            Ok((name, value))
        })
        .collect()
}

/// The same for one value that will be stored somewhere below a field.
pub fn admit_value(mut value: Value, field: &str) -> Result<Value, Status> {
    walk(&mut value, field, 0, false)?;
    Ok(value)
}

fn check_name(name: &str) -> Result<(), Status> {
    if name.is_empty() {
        Err(status::empty_field_name())
    } else if name.len() > FIELD_NAME_BYTES_MAX {
        Err(status::field_name_too_long())
    } else if is_reserved(name) {
        Err(status::reserved_field(name))
    } else {
        Ok(())
    }
}

fn walk(value: &mut Value, field: &str, depth: usize, in_array: bool) -> Result<(), Status> {
    match value {
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Double(_) | Value::GeoPoint(_) => Ok(()),
        Value::Timestamp(at) => {
            *at = at.truncate_to_micros();
            Ok(())
        }
        Value::String(text) if text.len() > FIELD_VALUE_BYTES_MAX => Err(status::value_too_large(field)),
        Value::Bytes(bytes) if bytes.len() > FIELD_VALUE_BYTES_MAX => Err(status::value_too_large(field)),
        Value::String(_) | Value::Bytes(_) => Ok(()),
        Value::Reference(name) => {
            parse_document(name).map(|_| ()).map_err(|_| {
                // The name may be as long as the request; the text need not be.
                status::bad_reference(name.get(..INDEXED_VALUE_BYTES_MAX).unwrap_or(name))
            })
        }
        Value::Array(_) if in_array => Err(status::nested_array()),
        Value::Array(items) => {
            let depth = deeper(depth, field)?;
            items.iter_mut().try_for_each(|item| walk(item, field, depth, true))
        }
        Value::Map(fields) => {
            let depth = deeper(depth, field)?;
            if fields.contains_key(TYPE_KEY) {
                return check_vector(fields);
            }
            fields.iter_mut().try_for_each(|(name, value)| {
                check_name(name)?;
                walk(value, field, depth, false)
            })
        }
    }
}

fn deeper(depth: usize, field: &str) -> Result<usize, Status> {
    if depth < VALUE_DEPTH_MAX { Ok(depth + 1) } else { Err(status::nested_too_deep(field)) }
}

/// The one use of a reserved map key: `{__type__: "__vector__", value: [doubles]}`.
fn check_vector(fields: &Fields) -> Result<(), Status> {
    match (fields.get(TYPE_KEY), fields.get(VECTOR_VALUE_KEY), fields.len()) {
        (Some(Value::String(kind)), Some(Value::Array(items)), 2) if kind == VECTOR_TYPE => {
            if items.iter().all(|item| matches!(item, Value::Double(_) | Value::Integer(_))) {
                Ok(())
            } else {
                Err(status::bad_vector())
            }
        }
        (Some(Value::String(kind)), ..) if kind == VECTOR_TYPE => Err(status::bad_vector()),
        _ => Err(status::reserved_field(TYPE_KEY)),
    }
}

/// What a document must meet as a whole once it is written: its size, and nesting that masks and transforms may
/// have made.
pub fn check_size(database: &DatabaseName, path: &DocumentPath, fields: &Fields) -> Result<(), Status> {
    let name = path.segments().iter().map(|segment| segment.len() + 1).sum::<usize>() + NAME_OVERHEAD_BYTES;
    let size = name + fields_size(fields) + DOCUMENT_OVERHEAD_BYTES;
    if size > DOCUMENT_BYTES_MAX {
        return Err(status::document_too_large(&path.name_in(database), size));
    }
    match fields.iter().find(|(_, value)| is_deeper_than(value, VALUE_DEPTH_MAX)) {
        Some((name, _)) => Err(status::nested_too_deep(name)),
        None => Ok(()),
    }
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let inside = |mut items: Box<dyn Iterator<Item = &Value> + '_>| {
        levels == 0 || items.any(|item| is_deeper_than(item, levels - 1))
    };
    match value {
        Value::Array(items) => inside(Box::new(items.iter())),
        Value::Map(fields) => inside(Box::new(fields.values())),
        _ => false,
    }
}
