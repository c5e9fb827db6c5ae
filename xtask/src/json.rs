//! Writes the Rust code that reads and writes messages as JSON.
//!
//! For each message: which names it has, and which method of the hand-written reader and writer
//! (`crates/wire/src/json`) each field's type calls for. A type that no method serves is an error
//! here, not a gap there.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor,
};

/// Why a message can have no JSON code.
#[derive(Debug, thiserror::Error)]
pub enum JsonCodeError {
    /// A field's type has no counterpart in the runtime.
    #[error("`{0}` has a type the JSON runtime does not serve")]
    Unserved(String),
    /// What was written is no Rust.
    #[error("the generated JSON code does not parse: {0}")]
    Syntax(#[from] syn::Error),
}

/// The code for all messages of our own packages, formatted.
pub fn generate(pool: &DescriptorPool) -> Result<String, JsonCodeError> {
    let mut code = String::new();
    for message in pool.all_messages() {
        if message.package_name() != "google.protobuf" && !message.is_map_entry() {
            code.push_str(&message_code(&message)?);
        }
    }
    Ok(prettyplease::unparse(&syn::parse_file(&code)?))
}

fn message_code(message: &MessageDescriptor) -> Result<String, JsonCodeError> {
    let mut arms = String::new();
    let mut writes = String::new();
    let declared = message.descriptor_proto().field.iter();
    for field in declared.filter_map(|field| message.get_field_by_name(field.name())) {
        arms.push_str(&read_arm(message, &field)?);
        match field.containing_oneof() {
            None => writes.push_str(&write_field(&field)?),
            // A oneof is written where its first member stands.
            Some(oneof) => {
                if oneof.fields().next().is_some_and(|first| first == field) {
                    writes.push_str(&write_oneof(message, &oneof)?);
                }
            }
        }
    }
    Ok(format!(
        "impl Json for {path} {{
            const NAME: &'static str = \"{name}\";
            fn read_field(&mut self, name: &str, json: &mut Reader<'_>) -> Read<bool> {{
                match name {{ {arms} _ => return Ok(false), }}
                Ok(true)
            }}
            fn write_fields(&self, json: &mut Writer<'_>) {{ {writes} }}
        }}\n",
        path = message_path(message),
        name = message.full_name(),
    ))
}

fn read_arm(message: &MessageDescriptor, field: &FieldDescriptor) -> Result<String, JsonCodeError> {
    let (name, json_name, place) = (field.name(), field.json_name(), identifier(field.name()));
    let names = if name == json_name { format!("{name:?}") } else { format!("{json_name:?} | {name:?}") };
    if is_any(field) {
        return Ok(format!("{names} => json.ignore()?,"));
    }
    let reader = reader(&value_kind(field), field)?;
    let body = if field.is_map() {
        format!("json.map({name:?}, &mut self.{place}, {reader})?")
    } else if field.is_list() {
        format!("json.list({name:?}, &mut self.{place}, {reader})?")
    } else if let Some(oneof) = field.containing_oneof() {
        let into = identifier(oneof.name());
        let member = oneof_member(message, &oneof, field);
        format!("json.oneof({:?}, {name:?}, &mut self.{into}, {reader}, {member})?", oneof.name())
    } else if matches!(field.kind(), Kind::Message(_)) {
        format!("self.{place} = json.field({name:?}, {reader})?")
    } else {
        format!("self.{place} = json.field({name:?}, {reader})?.unwrap_or_default()")
    };
    Ok(format!("{names} => {body},"))
}

fn write_field(field: &FieldDescriptor) -> Result<String, JsonCodeError> {
    if is_any(field) {
        return Ok(String::new());
    }
    let (json_name, place) = (field.json_name(), identifier(field.name()));
    let name = format!("json.name({json_name:?});");
    let write = |value: &str| writer(&value_kind(field), field, value);
    Ok(if field.is_map() || field.is_list() {
        let method = if field.is_map() { "map" } else { "list" };
        let value = write("value")?;
        format!(
            "if !self.{place}.is_empty() {{ {name} json.{method}(&self.{place}, |json, value| {value}); }}"
        )
    } else if matches!(field.kind(), Kind::Message(_)) {
        format!("if let Some(value) = &self.{place} {{ {name} {}; }}", write("value")?)
    } else {
        let set = match field.kind() {
            Kind::Bool => format!("self.{place}"),
            Kind::String | Kind::Bytes => format!("!self.{place}.is_empty()"),
            // Minus zero is not the default.
            Kind::Double => format!("self.{place}.to_bits() != 0"),
            _ => format!("self.{place} != 0"),
        };
        format!("if {set} {{ {name} {}; }}", write(&format!("&self.{place}"))?)
    })
}

fn write_oneof(message: &MessageDescriptor, oneof: &OneofDescriptor) -> Result<String, JsonCodeError> {
    let mut arms = String::new();
    for field in oneof.fields() {
        let member = oneof_member(message, oneof, &field);
        let write = writer(&field.kind(), &field, "value")?;
        let value = if write.contains("value") { "value" } else { "_" };
        arms.push_str(&format!(
            "Some({member}({value})) => {{ json.name({:?}); {write}; }}",
            field.json_name()
        ));
    }
    Ok(format!("match &self.{} {{ None => {{}} {arms} }}", identifier(oneof.name())))
}

/// The function that reads one value of this type.
fn reader(kind: &Kind, field: &FieldDescriptor) -> Result<String, JsonCodeError> {
    Ok(match kind {
        Kind::Enum(kind) if kind.full_name() != "google.protobuf.NullValue" => {
            format!("|json| json.enumeration({:?}, {}::from_str_name)", kind.full_name(), enum_path(kind))
        }
        kind => format!("Reader::{}", method(kind, field)?),
    })
}

/// The expression that writes `value`, a reference to one value of this type.
fn writer(kind: &Kind, field: &FieldDescriptor, value: &str) -> Result<String, JsonCodeError> {
    Ok(match kind {
        Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => "json.null()".to_owned(),
        Kind::Enum(kind) => format!("json.enumeration({value}, {}::as_str_name)", enum_path(kind)),
        kind => format!("json.{}({value})", method(kind, field)?),
    })
}

/// The runtime's name for a type, the same for reading and writing.
fn method(kind: &Kind, field: &FieldDescriptor) -> Result<&'static str, JsonCodeError> {
    Ok(match kind {
        Kind::Bool => "bool",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Double => "double",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => "null",
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => "timestamp",
            "google.protobuf.Duration" => "duration",
            "google.protobuf.Struct" => "structure",
            "google.protobuf.Int32Value" => "int32",
            "google.protobuf.Int64Value" => "int64",
            "google.protobuf.DoubleValue" => "double",
            _ if message.package_name() != "google.protobuf" => "message",
            _ => return Err(JsonCodeError::Unserved(field.full_name().to_owned())),
        },
        _ => return Err(JsonCodeError::Unserved(field.full_name().to_owned())),
    })
}

/// The type of a field's values: of its elements, or of the values of a map.
fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

/// Details of an error are of any type, and dropped.
fn is_any(field: &FieldDescriptor) -> bool {
    field.cardinality() == Cardinality::Repeated
        && matches!(field.kind(), Kind::Message(message) if message.full_name() == "google.protobuf.Any")
}

/// The type that prost makes of a message of our packages.
pub fn message_path(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        Some(parent) => format!("{}::{}", module_path(&parent), message.name().to_upper_camel_case()),
        None => format!("{}::{}", package_path(message.package_name()), message.name().to_upper_camel_case()),
    }
}

fn enum_path(kind: &EnumDescriptor) -> String {
    match kind.parent_message() {
        Some(parent) => format!("{}::{}", module_path(&parent), kind.name().to_upper_camel_case()),
        None => format!("{}::{}", package_path(kind.package_name()), kind.name().to_upper_camel_case()),
    }
}

/// Where prost puts what is declared inside a message.
fn module_path(message: &MessageDescriptor) -> String {
    let outer = match message.parent_message() {
        Some(parent) => module_path(&parent),
        None => package_path(message.package_name()),
    };
    format!("{outer}::{}", identifier(&message.name().to_snake_case()))
}

fn oneof_member(message: &MessageDescriptor, oneof: &OneofDescriptor, field: &FieldDescriptor) -> String {
    format!(
        "{}::{}::{}",
        module_path(message),
        oneof.name().to_upper_camel_case(),
        field.name().to_upper_camel_case()
    )
}

fn package_path(package: &str) -> String {
    package.split('.').fold("crate".to_owned(), |path, part| format!("{path}::{}", identifier(part)))
}

/// A name as Rust writes it: a word of the language needs a prefix.
fn identifier(name: &str) -> String {
    if syn::parse_str::<syn::Ident>(name).is_ok() { name.to_owned() } else { format!("r#{name}") }
}
