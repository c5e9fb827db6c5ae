//! Reads a write from the wire, refusing whatever can be refused without looking at the document.

use std::collections::{BTreeMap, HashMap};

use base::limits::{COMMIT_BYTES_MAX, TRANSFORMS_PER_DOCUMENT_MAX};
use base::name::parse_document;
use base::{DatabaseName, DocumentPath, FieldPath, Status, Value};
use kv::Version;
use prost::Message;
use wire::v1;
use wire::v1::document_transform::FieldTransform;
use wire::v1::document_transform::field_transform::{ServerValue, TransformType};
use wire::v1::precondition::ConditionType;

use super::mask::parse_path;
use super::{Kind, Operation, Precondition, Transform, Update, Write, admit};
use crate::model::value;
use crate::status;

/// Reads the writes of a request and checks what concerns them together.
pub fn decode_all(database: &DatabaseName, writes: Vec<v1::Write>) -> Result<Vec<Write>, Status> {
    let bytes: usize = writes.iter().map(Message::encoded_len).sum();
    if bytes > COMMIT_BYTES_MAX {
        return Err(status::commit_too_large(bytes));
    }
    let writes = writes.into_iter().map(|write| decode(database, write)).collect::<Result<Vec<_>, _>>()?;
    check_sequence(&writes)?;
    let mut transforms: HashMap<&DocumentPath, usize> = HashMap::new();
    for write in &writes {
        let count = transforms.entry(&write.path).or_default();
        *count += write.transforms();
        if *count > TRANSFORMS_PER_DOCUMENT_MAX {
            return Err(status::too_many_transforms());
        }
    }
    Ok(writes)
}

/// Refuses writes that cannot follow each other on one document in one commit, whatever the document is.
///
/// Source: the official emulator.
fn check_sequence(writes: &[Write]) -> Result<(), Status> {
    let mut before: HashMap<&DocumentPath, &Operation> = HashMap::new();
    for write in writes {
        let insists =
            matches!(write.precondition, Some(Precondition::Exists(true) | Precondition::UpdateTime(_)));
        match (before.insert(&write.path, &write.operation), &write.operation) {
            (None, _) | (Some(Operation::Verify), Operation::Verify) => {}
            (Some(Operation::Verify), _) => return Err(status::verified_then_written()),
            (Some(_), Operation::Verify) => return Err(status::written_then_verified()),
            (Some(Operation::Delete), Operation::Update(_)) if insists => {
                return Err(status::delete_then_update());
            }
            (Some(Operation::Delete), Operation::Delete) if insists => {
                return Err(status::delete_then_delete());
            }
            (Some(_), _) => {}
        }
    }
    Ok(())
}

/// The write, if it is well formed and about a document of this database.
pub fn decode(database: &DatabaseName, write: v1::Write) -> Result<Write, Status> {
    let v1::Write { operation, update_mask, update_transforms, current_document } = write;
    let precondition = current_document.map(decode_precondition).transpose()?;
    let (path, operation) = match operation.ok_or_else(status::empty_write)? {
        v1::write::Operation::Update(document) => {
            let path = document_path(database, &document.name)?;
            (path, Operation::Update(decode_update(document.fields, update_mask, update_transforms)?))
        }
        v1::write::Operation::Delete(name) => {
            refuse_parts(update_mask.is_some(), !update_transforms.is_empty(), status::delete_with)?;
            (document_path(database, &name)?, Operation::Delete)
        }
        v1::write::Operation::Verify(name) => {
            refuse_parts(update_mask.is_some(), !update_transforms.is_empty(), status::verify_with)?;
            if precondition.is_none() {
                return Err(status::verify_without_precondition());
            }
            (document_path(database, &name)?, Operation::Verify)
        }
        v1::write::Operation::Transform(transform) => {
            refuse_parts(update_mask.is_some(), !update_transforms.is_empty(), status::transform_with)?;
            if transform.field_transforms.is_empty() {
                return Err(status::no_transforms());
            }
            let path = document_path(database, &transform.document)?;
            let nothing = Some(v1::DocumentMask::default());
            let update = decode_update(BTreeMap::new(), nothing, transform.field_transforms)?;
            (path, Operation::Update(update))
        }
    };
    Ok(Write { path, operation, precondition })
}

fn refuse_parts(mask: bool, transforms: bool, refusal: fn(&str) -> Status) -> Result<(), Status> {
    match (mask, transforms) {
        (true, _) => Err(refusal("document mask")),
        (_, true) => Err(refusal("update transform")),
        _ => Ok(()),
    }
}

/// The path of a document that must be of this database.
pub fn document_path(database: &DatabaseName, name: &str) -> Result<DocumentPath, Status> {
    let (found, path) = parse_document(name).map_err(|error| Status::invalid(error.to_string()))?;
    if found != *database {
        return Err(status::other_database(name, database));
    }
    Ok(path)
}

fn decode_precondition(precondition: v1::Precondition) -> Result<Precondition, Status> {
    match precondition.condition_type.ok_or_else(status::empty_precondition)? {
        ConditionType::Exists(exists) => Ok(Precondition::Exists(exists)),
        ConditionType::UpdateTime(at) => {
            Ok(Precondition::UpdateTime(Version(value::timestamp_from_wire(&at)?.micros())))
        }
    }
}

fn decode_update(
    fields: BTreeMap<String, v1::Value>,
    mask: Option<v1::DocumentMask>,
    transforms: Vec<FieldTransform>,
) -> Result<Update, Status> {
    let fields = admit::admit(value::fields_from_wire(fields)?)?;
    let mask = match mask {
        Some(mask) => Some(mask.field_paths.iter().map(|path| field(path)).collect::<Result<Vec<_>, _>>()?),
        None => None,
    };
    let transforms = transforms.into_iter().map(decode_transform).collect::<Result<Vec<_>, _>>()?;
    Ok(Update { fields, mask, transforms })
}

/// A path that may be written.
fn field(text: &str) -> Result<FieldPath, Status> {
    let path = parse_path(text)?;
    if path.is_document_id() {
        return Err(status::not_a_field(text));
    }
    match path.segments().iter().find(|segment| base::name::is_reserved(segment)) {
        Some(reserved) => Err(status::reserved_field(reserved)),
        None => Ok(path),
    }
}

fn decode_transform(transform: FieldTransform) -> Result<Transform, Status> {
    let field = field(&transform.field_path)?;
    let number = |value: v1::Value| match value::from_wire(value)? {
        number @ (Value::Integer(_) | Value::Double(_)) => Ok(number),
        _ => Err(status::operand_not_a_number()),
    };
    let elements = |array: v1::ArrayValue| {
        let items = array.values.into_iter().map(value::from_wire).collect::<Result<Vec<_>, _>>()?;
        match admit::admit_value(Value::Array(items), &field.to_string())? {
            Value::Array(items) => Ok(items),
            _ => Err(status::empty_transform()),
        }
    };
    let kind = match transform.transform_type.ok_or_else(status::empty_transform)? {
        TransformType::SetToServerValue(kind) if kind == ServerValue::RequestTime as i32 => Kind::ServerTime,
        TransformType::SetToServerValue(_) => return Err(status::no_server_value()),
        TransformType::Increment(value) => Kind::Increment(number(value)?),
        TransformType::Maximum(value) => Kind::Maximum(number(value)?),
        TransformType::Minimum(value) => Kind::Minimum(number(value)?),
        TransformType::AppendMissingElements(array) => Kind::Append(elements(array)?),
        TransformType::RemoveAllFromArray(array) => Kind::Remove(elements(array)?),
    };
    Ok(Transform { field, kind })
}
