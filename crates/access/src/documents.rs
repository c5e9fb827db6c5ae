//! How rules read documents: through the session that is being decided, from the same snapshot.

use base::{Fields, Status};

/// Where a document lives in the store and how its row is read. Firestore implements it; other services' rules use
/// it through here, so that no service knows another.
pub trait DocumentSource: Send + Sync {
    /// The project whose documents and rules these are.
    fn project(&self) -> &str;

    /// The key of a document's row.
    fn key(&self, database: &str, path: &[String]) -> kv::Key;

    /// The fields in a row. An unreadable row is a fault (`DATA_LOSS`), not a missing document.
    fn decode(&self, row: &kv::Row) -> Result<Fields, Status>;
}

/// What the commit being decided will have done to a document: the view of `getAfter()`.
pub trait Pending: Send + Sync {
    /// `None`: not touched by this commit; `Some(None)`: deleted by it; `Some(Some(fields))`: written by it.
    fn after(&self, path: &[String]) -> Option<Option<&Fields>>;
}

/// For operations that write nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoPending;

impl Pending for NoPending {
    fn after(&self, _path: &[String]) -> Option<Option<&Fields>> {
        None
    }
}
