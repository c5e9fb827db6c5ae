//! From the document before to the document after.

use base::{DatabaseName, DocumentPath, Fields, Status, Timestamp, Value};
use kv::Version;

use super::{Operation, Precondition, Write, admit};
use crate::status;

/// A document in the course of a commit.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct State {
    /// What it holds; `None` when it does not exist.
    pub fields: Option<Fields>,
    /// Who wrote it last.
    pub held: Held,
}

/// Where a document's state in the course of a commit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Held {
    /// From the store, or from nowhere: no such document.
    #[default]
    Absent,
    /// Stored by this commit.
    Since(Version),
    /// Written earlier in the same commit.
    Written,
    /// Deleted earlier in the same commit.
    Deleted,
}

/// What a write came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The document after it.
    pub after: State,
    /// One per transform.
    pub transform_results: Vec<Value>,
}

impl Held {
    /// Whether the document exists.
    pub fn exists(self) -> bool {
        matches!(self, Held::Since(_) | Held::Written)
    }
}

/// Applies a write. Whether it may be committed is for [`check`] to say.
pub fn apply(before: State, write: &Write, now: Timestamp) -> Applied {
    let unchanged = |after| Applied { after, transform_results: Vec::new() };
    let update = match &write.operation {
        Operation::Verify => return unchanged(before),
        Operation::Delete => {
            let held = if before.held == Held::Absent { Held::Absent } else { Held::Deleted };
            return unchanged(State { fields: None, held });
        }
        Operation::Update(update) => update,
    };
    let mut fields = match &update.mask {
        None => update.fields.clone(),
        Some(mask) => {
            let mut fields = before.fields.unwrap_or_default();
            for path in mask {
                match path.get(&update.fields) {
                    Some(value) => path.set(&mut fields, value.clone()),
                    None => path.remove(&mut fields),
                }
            }
            fields
        }
    };
    let transform_results =
        update.transforms.iter().map(|transform| transform.apply(&mut fields, now)).collect();
    Applied { after: State { fields: Some(fields), held: Held::Written }, transform_results }
}

/// Whether a write may be committed to a document that stood so when the write came to it.
pub fn check(database: &DatabaseName, write: &Write, before: Held, now: Timestamp) -> Result<(), Status> {
    let name = || write.path.name_in(database);
    let Some(precondition) = write.precondition else { return Ok(()) };
    match precondition {
        Precondition::Exists(true) if !before.exists() => Err(status::nothing_to_update(&name())),
        Precondition::Exists(false) if before.exists() => Err(status::already_exists(&name())),
        Precondition::Exists(_) => Ok(()),
        Precondition::UpdateTime(required) => {
            let stored = match before {
                Held::Since(version) => Some(version),
                Held::Absent | Held::Deleted | Held::Written => None,
            };
            let newest = stored.unwrap_or(Version(now.micros()));
            if stored == Some(required) {
                Ok(())
            } else if required > newest {
                Err(status::base_version_in_future(&name()))
            } else {
                Err(status::base_version_mismatch(stored, required))
            }
        }
    }
}

/// Whether a document may stay as a commit leaves it.
pub fn check_document(database: &DatabaseName, path: &DocumentPath, after: &State) -> Result<(), Status> {
    match &after.fields {
        Some(fields) if after.held == Held::Written => admit::check_size(database, path, fields),
        _ => Ok(()),
    }
}
