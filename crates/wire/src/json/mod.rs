//! The JSON form of protocol messages (proto3 JSON), read and written in one pass without a tree between.
//!
//! - What names and types a message has is generated (`generated/json.rs`); how each type looks
//!   in JSON is written here.
//! - Reading accepts what clients send: names in camelCase or snake_case, numbers as text, enums by
//!   name or number, either base64 alphabet. It refuses unknown names and reports several faults at once.
//! - Writing omits defaults, except the members of a oneof.
//! - Neither recurses deeper than the nesting limit on what came from outside.
//!
//! Source: the proto3 JSON mapping, and the error texts of Google's REST front ends.

mod error;
mod reader;
mod syntax;
mod wellknown;
mod writer;

#[allow(clippy::all, clippy::indexing_slicing, reason = "generated")]
mod generated {
    use super::{Json, Read, Reader, Writer};

    include!("../generated/json.rs");
}

pub use error::JsonError;
pub use reader::{Read, Reader};
pub use writer::{JsonOptions, Writer};

/// How many objects and lists may be inside one another. Firestore's deepest document needs 66.
pub const NESTING_LEVELS_MAX: usize = 100;
/// How many faults of one text are reported.
pub const FAULTS_MAX: usize = 32;
/// How much of a wrong value an error repeats.
pub const ECHO_BYTES_MAX: usize = 1024;

/// A message that has a JSON form.
pub trait Json: Default {
    /// The message's full protocol name.
    const NAME: &'static str;

    /// Reads the value that follows the name; `false` when the message has no such field.
    fn read_field(&mut self, name: &str, json: &mut Reader<'_>) -> Read<bool>;

    /// Writes the names and values that are set.
    fn write_fields(&self, json: &mut Writer<'_>);
}

/// Reads a message from JSON text.
///
/// An empty text is an error here; a front end that takes it for an empty message says so itself.
pub fn read<M: Json>(text: &[u8]) -> Result<M, JsonError> {
    Reader::new(text)?.root()
}

/// Appends a message as JSON.
pub fn write<M: Json>(message: &M, options: JsonOptions, out: &mut String) {
    Writer::new(out, options).message(message);
}

/// A message as JSON.
pub fn to_string<M: Json>(message: &M, options: JsonOptions) -> String {
    let mut out = String::new();
    write(message, options, &mut out);
    out
}

/// Appends a text as a JSON string.
pub fn write_string(text: &str, options: JsonOptions, out: &mut String) {
    Writer::new(out, options).string(text);
}
