//! A document as a record: Datastore's `EntityProto`, as bytes.
//!
//! A field is one property, an array one for each element (`multiple`), an empty array one that says so. What a value is beyond
//! its kind is its `meaning`. A map is an entity without a key, in a string. Only empty arrays count as indexed.
//!
//! Source: captured exports; the field numbers are those of `onestore/v3`'s `EntityProto`, `Property`, `PropertyValue`,
//! `Reference` and `Path`.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use base::{DocumentPath, Fields};

pub use decode::decode;
pub use encode::encode;

/// A document of an export. The database that it was in is not told: it is imported into the one that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Its path.
    pub path: DocumentPath,
    /// Its fields.
    pub fields: Fields,
    /// Bytes of its record.
    pub record_len: usize,
}

/// Wire types, the low bits of a tag.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const SIZED: u64 = 2;
const GROUP: u64 = 3;
const GROUP_END: u64 = 4;

/// Fields of an entity.
mod of_entity {
    pub const KEY: u64 = 13;
    pub const INDEXED: u64 = 14;
    pub const UNINDEXED: u64 = 15;
    pub const GROUP_PATH: u64 = 16;
}

/// Fields of a reference, as a key and as a value.
mod of_reference {
    pub const APP: u64 = 13;
    pub const PATH: u64 = 14;
    pub const DATABASE: u64 = 23;
    /// In a value, segments are groups without a path around them.
    pub const SEGMENT: u64 = 14;
}

/// Fields of a path's segment: in a key, and in a value.
mod of_segment {
    pub const IN_PATH: u64 = 1;
    pub const KIND: u64 = 2;
    pub const ID: u64 = 3;
    pub const NAME: u64 = 4;
    pub const VALUE_KIND: u64 = 15;
    pub const VALUE_ID: u64 = 16;
    pub const VALUE_NAME: u64 = 17;
}

/// Fields of a property.
mod of_property {
    pub const MEANING: u64 = 1;
    pub const NAME: u64 = 3;
    pub const MULTIPLE: u64 = 4;
    pub const VALUE: u64 = 5;
}

/// Fields of a value.
mod of_value {
    pub const INTEGER: u64 = 1;
    pub const BOOLEAN: u64 = 2;
    pub const STRING: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const POINT: u64 = 5;
    pub const X: u64 = 6;
    pub const Y: u64 = 7;
    pub const REFERENCE: u64 = 12;
}

/// What a value is beyond its kind.
mod meaning {
    pub const TIMESTAMP: u64 = 7;
    pub const POINT: u64 = 9;
    pub const BYTES: u64 = 14;
    pub const SHORT_BYTES: u64 = 16;
    pub const ENTITY: u64 = 19;
    pub const EMPTY_ARRAY: u64 = 24;
    pub const VECTOR: u64 = 31;
}

/// Stands before a project's id in the name of its app.
const APP_PREFIX: &str = "dev~";
