//! How a service takes part in what queries do with indexes: it may require some, and hears which are used.

use base::{DatabaseName, Status};

use super::index::Definition;
use super::shape::Query;

/// What a service has to say about the indexes of queries, and wants to know.
pub trait IndexUse: Send + Sync {
    /// Errors: `FAILED_PRECONDITION` when a query requires an index that is missing or not complete.
    fn check(&self, database: &DatabaseName, query: &Query, definitions: &[Definition])
    -> Result<(), Status>;

    /// A query reads these indexes.
    fn used(&self, database: &DatabaseName, ids: &[u32]);
}

/// No query requires an index, and nobody asks which are used.
pub(super) struct IndexesFree;

impl IndexUse for IndexesFree {
    fn check(&self, _: &DatabaseName, _: &Query, _: &[Definition]) -> Result<(), Status> {
        Ok(())
    }

    fn used(&self, _: &DatabaseName, _: &[u32]) {}
}
