//! What a write means, without any I/O: [`decode()`] reads it from the wire, [`apply()`] turns the document before into
//! the document after, [`check()`] and [`check_document()`] say whether that may be committed.
//!
//! Invariants: applying never fails, so that rules can judge every outcome before the caller learns anything;
//! transform results are exactly as many as transforms.
//!
//! Source: `google.firestore.v1.Write` and the behaviour of Cloud Firestore.

mod admit;
mod apply;
mod decode;
mod mask;
mod transform;

use base::{DocumentPath, FieldPath, Fields, Value};
use kv::Version;

pub use admit::{admit, check_size};
pub use apply::{Applied, Held, State, apply, check, check_document};
pub use decode::{decode, decode_all, document_path};
pub use mask::{decode_mask, project};
pub use transform::{Kind, Transform};

/// One write of a commit, checked for everything that does not depend on the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The document.
    pub path: DocumentPath,
    /// What is done to it.
    pub operation: Operation,
    /// What must hold before.
    pub precondition: Option<Precondition>,
}

/// What a write does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Fields are written, then transforms applied.
    Update(Update),
    /// The document goes.
    Delete,
    /// Only the precondition is checked; counts as a read.
    Verify,
}

/// Fields and transforms.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Update {
    /// The new values.
    pub fields: Fields,
    /// The paths to take over or, where `fields` has nothing there, to remove. `None` replaces the whole document.
    pub mask: Option<Vec<FieldPath>>,
    /// Applied after the fields, in order.
    pub transforms: Vec<Transform>,
}

/// What must hold of the document before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// It exists, or does not.
    Exists(bool),
    /// It was last changed by this commit.
    UpdateTime(Version),
}

/// The rules' word for what a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading one document.
    Get,
    /// Making one.
    Create,
    /// Changing one.
    Update,
    /// Removing one.
    Delete,
}

impl Write {
    /// What the rules are asked about a document of which this is the first write in a commit, given whether it existed
    /// before the commit and exists after it. A client that insists on an existing document asks to update it, also when
    /// it is gone: the answer of the rules must not tell.
    pub fn access(&self, existed: bool, exists_after: bool) -> Access {
        let existed = match self.precondition {
            Some(Precondition::Exists(required)) => required,
            Some(Precondition::UpdateTime(_)) => true,
            None => existed,
        };
        match self.operation {
            Operation::Verify => Access::Get,
            _ if !exists_after => Access::Delete,
            _ if existed => Access::Update,
            _ => Access::Create,
        }
    }

    /// How many transforms it holds.
    pub fn transforms(&self) -> usize {
        match &self.operation {
            Operation::Update(update) => update.transforms.len(),
            Operation::Delete | Operation::Verify => 0,
        }
    }
}

/// A value a transform gives back to the client when it has nothing to say.
const NO_RESULT: Value = Value::Null;
