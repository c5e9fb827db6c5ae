//! How rules read Firestore's documents.

use async_trait::async_trait;
use base::{Fields, Status};
use policy::{Needed, Ruleset};

use crate::facts::Facts;
use crate::reads::Reads;

/// Where a document lives in the store and how its row is read. Firestore implements it; other services' rules use
/// it through here, so that no service knows another.
pub trait DocumentSource: Send + Sync {
    /// The key of a document's row.
    fn key(&self, database: &str, path: &[String]) -> kv::Key;

    /// The fields in a row. An unreadable row is a fault (`DATA_LOSS`), not a missing document.
    fn decode(&self, row: &kv::Row) -> Result<Fields, Status>;
}

/// What the commit being decided will have done to a document of its database: the view of `getAfter()`.
pub trait Pending: Send + Sync {
    /// `None`: not touched by this commit; `Some(None)`: deleted by it; `Some(Some(fields))`: written by it.
    fn after(&self, database: &str, path: &[String]) -> Option<Option<&Fields>>;
}

/// For operations that write nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoPending;

impl Pending for NoPending {
    fn after(&self, _database: &str, _path: &[String]) -> Option<Option<&Fields>> {
        None
    }
}

/// Documents as facts: those of the session's snapshot, with what a commit makes of them.
pub struct Documents<'a> {
    /// The stored documents.
    pub source: &'a dyn DocumentSource,
    /// What the commit changes.
    pub pending: &'a dyn Pending,
}

#[async_trait]
impl Facts<Ruleset> for Documents<'_> {
    async fn facts(&self, reads: &mut Reads, needs: &[Needed]) -> Result<Vec<Option<Fields>>, Status> {
        let path = |need: &Needed| need.path.segments().map(str::to_owned).collect::<Vec<_>>();
        let after = |need: &Needed| {
            need.after.then(|| self.pending.after(need.path.database(), &path(need))).flatten()
        };
        let stored = needs.iter().filter(|need| after(need).is_none());
        let keys: Vec<_> = stored.map(|need| self.source.key(need.path.database(), &path(need))).collect();
        let mut rows = reads.get_many(&keys).await?.into_iter();
        let fact = |need: &Needed| match after(need) {
            Some(fields) => Ok(fields.cloned()),
            None => rows.next().flatten().map(|row| self.source.decode(&row)).transpose(),
        };
        needs.iter().map(fact).collect()
    }
}
