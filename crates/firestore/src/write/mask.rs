//! Masks of responses: which fields of a document a client gets.

use std::collections::BTreeMap;

use base::{FieldPath, Status};
use wire::v1;
use wire::v1::value::ValueType;

/// Reads a response mask. `__name__` (and the console's `_none_`, which names no field) select nothing.
pub fn decode_mask(mask: Option<v1::DocumentMask>) -> Result<Option<Vec<FieldPath>>, Status> {
    let Some(mask) = mask else { return Ok(None) };
    let paths = mask.field_paths.iter().map(|path| parse_path(path));
    let paths = paths.filter(|path| !path.as_ref().is_ok_and(FieldPath::is_document_id));
    paths.collect::<Result<_, _>>().map(Some)
}

/// Reads one field path.
pub fn parse_path(text: &str) -> Result<FieldPath, Status> {
    FieldPath::parse(text).map_err(|error| Status::invalid(error.to_string()))
}

/// The fields a mask lets through.
pub fn project(
    fields: BTreeMap<String, v1::Value>,
    mask: Option<&[FieldPath]>,
) -> BTreeMap<String, v1::Value> {
    let Some(mask) = mask else { return fields };
    let mut kept = BTreeMap::new();
    for path in mask {
        take(&fields, path.segments(), &mut kept);
    }
    kept
}

fn take(from: &BTreeMap<String, v1::Value>, path: &[String], into: &mut BTreeMap<String, v1::Value>) {
    let Some((name, rest)) = path.split_first() else { return };
    let Some(value) = from.get(name) else { return };
    if rest.is_empty() {
        into.insert(name.clone(), value.clone());
        return;
    }
    let Some(ValueType::MapValue(inner)) = &value.value_type else { return };
    let mut kept = match into.remove(name).and_then(|value| value.value_type) {
        Some(ValueType::MapValue(map)) => map,
        _ => v1::MapValue::default(),
    };
    take(&inner.fields, rest, &mut kept.fields);
    if !kept.fields.is_empty() {
        into.insert(name.clone(), v1::Value { value_type: Some(ValueType::MapValue(kept)) });
    }
}

#[cfg(test)]
mod tests {
    use base::{Fields, Value};

    use super::*;
    use crate::model::value::{fields_from_wire, fields_to_wire};

    #[test]
    fn a_mask_keeps_what_it_names() {
        let inner: Fields = [("x".into(), Value::Integer(1)), ("y".into(), Value::Integer(2))].into();
        let fields: Fields = [("a".into(), Value::Map(inner)), ("b".into(), Value::Null)].into();
        let kept = |paths: &[&str]| {
            let mask = v1::DocumentMask { field_paths: paths.iter().map(|&path| path.to_owned()).collect() };
            let mask = decode_mask(Some(mask)).unwrap();
            let kept = fields_from_wire(project(fields_to_wire(fields.clone()), mask.as_deref())).unwrap();
            kept.iter().map(|(name, value)| format!("{name}:{}", value.size())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept(&["_none_"]), "");
        assert_eq!(kept(&["__name__"]), "");
        assert_eq!(kept(&["b", "z"]), "b:1");
        assert_eq!(kept(&["a.x"]), "a:10");
        assert_eq!(kept(&["a.x", "a.y"]), "a:20");
        assert_eq!(kept(&["a.z.q", "b.x"]), "");
        assert_eq!(kept(&["a", "a.x"]), "a:20");
        assert!(decode_mask(Some(v1::DocumentMask { field_paths: vec!["a..b".into()] })).is_err());
    }
}
