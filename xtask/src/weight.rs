//! Writes the descriptors by which `crates/wire/src/weight` weighs messages.
//!
//! For each message: which fields it has, how they lie on the wire, and the Rust type of which one element takes a place in a
//! vector or a map. The compiler fills in the sizes.

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::json::message_path;

/// Fields are found by their number in a table that ends with the highest one.
const FIELD_NUMBER_MAX: u32 = 64;

/// Why a message cannot be weighed.
#[derive(Debug, thiserror::Error)]
pub enum WeightCodeError {
    /// The table would be too sparse.
    #[error("`{0}` has a number over {FIELD_NUMBER_MAX}")]
    Number(String),
    /// Groups, and maps whose keys are no text.
    #[error("`{0}` has a type that cannot be weighed")]
    Unserved(String),
    /// What was written is no Rust.
    #[error("the generated code does not parse: {0}")]
    Syntax(#[from] syn::Error),
}

/// The code for all messages, formatted.
pub fn generate(pool: &DescriptorPool) -> Result<String, WeightCodeError> {
    let mut code = String::new();
    for message in pool.all_messages() {
        code.push_str(&shape(&message)?);
        if message.package_name() != "google.protobuf" && !message.is_map_entry() {
            let (path, name) = (rust_path(&message), constant(&message));
            code.push_str(&format!("impl Weighed for {path} {{ const SHAPE: &'static Shape = &{name}; }}\n"));
        }
    }
    Ok(prettyplease::unparse(&syn::parse_file(&code)?))
}

fn shape(message: &MessageDescriptor) -> Result<String, WeightCodeError> {
    let mut fields = Vec::new();
    for field in message.fields() {
        let number = field.number();
        if number > FIELD_NUMBER_MAX {
            return Err(WeightCodeError::Number(field.full_name().to_owned()));
        }
        let place = usize::try_from(number).unwrap_or_default();
        if fields.len() <= place {
            fields.resize(place + 1, "Field::Unknown".to_owned());
        }
        if let Some(into) = fields.get_mut(place) {
            *into = weighed(&field)?;
        }
    }
    Ok(format!("static {}: Shape = Shape {{ fields: &[{}] }};\n", constant(message), fields.join(", ")))
}

/// The descriptor of one field.
fn weighed(field: &FieldDescriptor) -> Result<String, WeightCodeError> {
    let unserved = || WeightCodeError::Unserved(field.full_name().to_owned());
    let many = field.is_list();
    let (width, number) = match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let value = match entry.map_entry_value_field().kind() {
                Kind::Message(value) => rust_path(&value),
                Kind::String => "String".to_owned(),
                _ => return Err(unserved()),
            };
            if entry.map_entry_key_field().kind() != Kind::String {
                return Err(unserved());
            }
            return Ok(format!("Field::Map(&{}, node(size_of::<{value}>()))", constant(&entry)));
        }
        Kind::Message(message) if field.is_group() => {
            return Err(WeightCodeError::Unserved(message.full_name().to_owned()));
        }
        Kind::Message(message) if many => {
            return Ok(format!(
                "Field::Messages(&{}, size_of::<{}>())",
                constant(&message),
                rust_path(&message)
            ));
        }
        Kind::Message(message) => return Ok(format!("Field::Message(&{})", constant(&message))),
        Kind::String | Kind::Bytes if many => return Ok("Field::Texts(TEXT)".to_owned()),
        Kind::String | Kind::Bytes => return Ok("Field::Text".to_owned()),
        Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => ("Four", 4),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => ("Eight", 8),
        Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_) => ("Varint", 4),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 => ("Varint", 8),
        Kind::Bool => ("Varint", 1),
    };
    Ok(if many {
        format!("Field::Scalars(Width::{width}, {number})")
    } else {
        format!("Field::Scalar(Width::{width})")
    })
}

fn constant(message: &MessageDescriptor) -> String {
    message.full_name().replace('.', "_").to_uppercase()
}

/// The type that prost makes of a message.
fn rust_path(message: &MessageDescriptor) -> String {
    if message.package_name() != "google.protobuf" {
        return message_path(message);
    }
    match message.name() {
        "Empty" => "()".to_owned(),
        "Int32Value" => "i32".to_owned(),
        "Int64Value" => "i64".to_owned(),
        "DoubleValue" => "f64".to_owned(),
        name => format!("prost_types::{name}"),
    }
}
