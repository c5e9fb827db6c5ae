//! Indexes: rows that hold nothing but a key, so ordered that a query's result is one stretch of them.
//!
//! An index has a [`Shape`] (collection group, breadth, components) and, once it is defined, an id and a state.
//! Its entries' keys are
//! `project ‖ database ‖ id ‖ [collection path ‖ 0x00] ‖ one encoding per component ‖ document path ‖ 0x00 ‖ length of
//! that path (two bytes)`. What follows the components that a query fixes is a [`position`] in the query's order.
//!
//! Invariants:
//! - A document and its entries change in one transaction; from the definition on every writer maintains the index,
//!   because every writer reads the definitions of its collection group in its own session: one who missed a new
//!   definition conflicts and tries again.
//! - Only a readable index answers queries: it has an entry for every document.
//! - An id is never used twice, so entries left behind by a dropped index mean nothing.
//!
//! Source: the states are those of FoundationDB's Record Layer; the one stored format is written in
//! [`definition`] and carries a version.

pub mod build;
pub mod check;
pub mod definition;
pub mod field;
pub mod file;
pub mod requirement;
pub mod spec;
pub mod upkeep;

use std::collections::BTreeSet;

use access::keyspace::INDEX_ENTRIES;
use base::{Code, DatabaseName, DocumentPath, FieldPath, Fields, Status, Value};
use bytes::Bytes;
use kv::Key;
use serde::{Deserialize, Serialize};

pub use build::{Builder, Built};
pub use definition::{Definition, Origin, State, definitions};
pub use requirement::{Missing, missing};
pub use spec::Spec;
pub use upkeep::Upkeep;

use super::position;
use crate::model::key::push_database;

/// Indexes of one collection group. Each costs every write of the group; beyond it queries scan.
pub const INDEXES_PER_GROUP_MAX: usize = 64;
/// Entries of one document in all indexes, as documented.
pub const ENTRIES_PER_DOCUMENT_MAX: usize = 40_000;
/// Collections with fewer documents are scanned rather than indexed.
pub const SCANNED_DOCUMENTS_MAX: usize = 500;

/// What an index is on. Two queries that need the same shape share the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    /// The id of the collections it covers.
    pub group: String,
    /// How its entries lie.
    pub breadth: Breadth,
    /// What its entries hold, outermost first. None: just the documents, by name.
    pub components: Vec<Component>,
}

/// Whether the documents of one collection, or of the whole group, lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Breadth {
    /// Every collection of the group for itself.
    Collection,
    /// All collections of the group as one.
    #[serde(rename = "COLLECTION_GROUP")]
    Group,
}

/// One field of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component {
    /// The field.
    pub field: FieldPath,
    /// How it is indexed.
    pub kind: Kind,
}

impl Component {
    /// Whether one value of a field is one place in both: the direction does not matter for that.
    pub fn is_at(&self, other: &Component) -> bool {
        let by_value = |kind: Kind| matches!(kind, Kind::Ascending | Kind::Descending);
        self.field == other.field && (self.kind == other.kind || by_value(self.kind) && by_value(other.kind))
    }
}

/// How a field is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// By its value.
    Ascending,
    /// By its value, from the largest down.
    Descending,
    /// By each element of an array. At most one component of a shape is this.
    Contains,
    /// Documents that have a vector of so many dimensions there. Nothing of it is in the entries: they list whose vectors
    /// are to be compared. The last component of a shape.
    Vector(u16),
}

impl Shape {
    /// Whether it is on vectors: such an index serves nothing but the search for the nearest.
    pub fn has_vectors(&self) -> bool {
        self.components.iter().any(|component| matches!(component.kind, Kind::Vector(_)))
    }
}

/// The start of the keys of an index's entries that concern one collection, or all of them.
pub fn entry_prefix(database: &DatabaseName, id: u32, breadth: Breadth, collection: &[String]) -> Vec<u8> {
    let mut key = Vec::with_capacity(96);
    push_database(&mut key, database);
    key.extend_from_slice(&id.to_be_bytes());
    if breadth == Breadth::Collection {
        key.append(&mut position::path_bytes(collection));
    }
    key
}

/// Appends what an entry holds of a value.
pub fn push_component(key: &mut Vec<u8>, value: &Value, kind: Kind) {
    position::push_ordered(key, value, kind == Kind::Descending);
}

/// How many bytes at the end of an entry's key say how long its path is.
const PATH_LENGTH_BYTES: usize = 2;

/// Finishes an entry's key.
fn push_path(key: &mut Vec<u8>, path: &DocumentPath) {
    let mut bytes = position::path_bytes(path.segments());
    // Names are at most 6 KiB, escaped at most twice that.
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    key.append(&mut bytes);
    key.extend_from_slice(&length.to_be_bytes());
}

/// The position (what follows `prefix_len` bytes, up to the path's end) and the path in an entry's key.
pub fn read_entry(key: &[u8], prefix_len: usize) -> Option<(Vec<u8>, DocumentPath)> {
    let (body, length) = key.split_at_checked(key.len().checked_sub(PATH_LENGTH_BYTES)?)?;
    let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
    let path = position::read_path(body.get(body.len().checked_sub(length)?..)?)?;
    Some((body.get(prefix_len..)?.to_vec(), path))
}

/// The keys of all entries a document has in an index.
fn entries(
    database: &DatabaseName,
    definition: &Definition,
    path: &DocumentPath,
    fields: &Fields,
    keys: &mut BTreeSet<Key>,
) -> Result<(), Status> {
    let shape = &definition.shape;
    let mut partial =
        BTreeSet::from([entry_prefix(database, definition.id, shape.breadth, path.collection())]);
    for component in &shape.components {
        let Some(value) = component.field.get(fields) else { return Ok(()) };
        let values = match (component.kind, value) {
            (Kind::Contains, Value::Array(items)) => items.as_slice(),
            (Kind::Vector(dimension), value)
                if value.as_vector().is_some_and(|items| items.len() == usize::from(dimension)) =>
            {
                continue;
            }
            (Kind::Contains | Kind::Vector(_), _) => return Ok(()),
            (Kind::Ascending | Kind::Descending, value) => std::slice::from_ref(value),
        };
        if partial.len().saturating_mul(values.len()) > ENTRIES_PER_DOCUMENT_MAX {
            return Err(too_many());
        }
        partial = partial
            .iter()
            .flat_map(|prefix| {
                values.iter().map(|value| {
                    let mut key = prefix.clone();
                    push_component(&mut key, value, component.kind);
                    key
                })
            })
            .collect();
    }
    for mut key in partial {
        push_path(&mut key, path);
        keys.insert(Key::new(INDEX_ENTRIES, &key));
    }
    Ok(())
}

fn too_many() -> Status {
    Status::new(
        Code::InvalidArgument,
        format!("too many index entries for entity: the maximum is {ENTRIES_PER_DOCUMENT_MAX}"),
    )
}

/// All keys of entries a document with these fields has.
fn all_entries(
    database: &DatabaseName,
    definitions: &[Definition],
    path: &DocumentPath,
    fields: Option<&Fields>,
) -> Result<BTreeSet<Key>, Status> {
    let mut keys = BTreeSet::new();
    if let Some(fields) = fields {
        for definition in definitions {
            entries(database, definition, path, fields, &mut keys)?;
        }
        if keys.len() > ENTRIES_PER_DOCUMENT_MAX {
            return Err(too_many());
        }
    }
    Ok(keys)
}

/// What becomes of the entries when a document changes: rows to put (empty) and to delete, to be written in the
/// document's own transaction. `definitions` are those of the document's collection group, read by [`definitions`]
/// in that transaction's session.
///
/// Errors: `INVALID_ARGUMENT` when the document would have more than [`ENTRIES_PER_DOCUMENT_MAX`].
pub fn changes(
    database: &DatabaseName,
    definitions: &[Definition],
    path: &DocumentPath,
    before: Option<&Fields>,
    after: Option<&Fields>,
) -> Result<Vec<(Key, Option<Bytes>)>, Status> {
    if definitions.is_empty() {
        return Ok(Vec::new());
    }
    let before = all_entries(database, definitions, path, before)?;
    let after = all_entries(database, definitions, path, after)?;
    let gone = before.difference(&after).map(|key| (key.clone(), None));
    let come = after.difference(&before).map(|key| (key.clone(), Some(Bytes::new())));
    Ok(gone.chain(come).collect())
}
