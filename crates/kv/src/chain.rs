//! The values that one key has had, each since a batch: what lets a view read the past of rows in memory.

use bytes::Bytes;

/// The values of one key. `None` is a deletion.
pub(crate) struct Chain {
    pub(crate) newest: (u64, Option<Bytes>),
    /// Oldest first.
    pub(crate) older: Vec<(u64, Option<Bytes>)>,
}

impl Chain {
    /// A key's first value here.
    pub(crate) fn new(batch: u64, value: Option<Bytes>) -> Self {
        Self { newest: (batch, value), older: Vec::new() }
    }

    /// A newer value. Of several in one batch the last counts.
    pub(crate) fn put(&mut self, batch: u64, value: Option<Bytes>) {
        let before = std::mem::replace(&mut self.newest, (batch, value));
        if before.0 != batch {
            self.older.push(before);
        }
    }

    /// The value as of a batch; `None` when the key had none here by then.
    pub(crate) fn at(&self, batch: u64) -> Option<&Option<Bytes>> {
        if self.newest.0 <= batch {
            return Some(&self.newest.1);
        }
        self.older.iter().rev().find(|(since, _)| *since <= batch).map(|(_, value)| value)
    }
}
