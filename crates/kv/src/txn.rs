//! What a client wants committed, and what it relied on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::error::{CommitError, StoreError};
use crate::key::{Key, KeyRange};
use crate::options::Options;
use crate::version::Version;

/// A transaction: applied as a whole if everything it read is unchanged since its base.
///
/// Without reads it is a blind write and the base does not matter. Without writes and note it only
/// checks its reads and makes no version of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// The version of the snapshot the reads came from.
    pub base: Version,
    /// Keys whose rows (or absence) the transaction relies on.
    pub reads: Vec<Key>,
    /// Ranges whose content the transaction relies on, rows that might appear included.
    pub read_ranges: Vec<KeyRange>,
    /// What to write; `None` deletes. Of several writes to one key the last counts.
    pub writes: Vec<(Key, Option<Bytes>)>,
    /// Kept with the change-log entry, in the same batch. The store does not look inside.
    pub note: Option<Bytes>,
    /// The chain it belongs to.
    pub chain: Option<Chain>,
}

/// Transactions of which each was made as if those before it were committed: when one of them fails, all that are handed
/// in after it fail with a conflict. What they rely on of each other is therefore not among their reads.
#[derive(Clone, Debug, Default)]
pub struct Chain(Arc<AtomicBool>);

impl Chain {
    /// Whether one of its transactions has failed.
    pub fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn break_off(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Chain {}

impl Txn {
    /// An empty transaction that saw this version.
    pub fn at(base: Version) -> Self {
        Self { base, ..Self::default() }
    }

    /// Relies on this row, or on its absence.
    pub fn read(&mut self, key: Key) {
        self.reads.push(key);
    }

    /// Writes this row.
    pub fn put(&mut self, key: Key, value: impl Into<Bytes>) {
        self.writes.push((key, Some(value.into())));
    }

    /// Deletes this row.
    pub fn delete(&mut self, key: Key) {
        self.writes.push((key, None));
    }

    /// Whether there is nothing to validate.
    pub(crate) fn is_blind(&self) -> bool {
        self.reads.is_empty() && self.read_ranges.is_empty()
    }

    /// Whether there is nothing to store.
    pub(crate) fn is_check_only(&self) -> bool {
        self.writes.is_empty() && self.note.is_none()
    }

    /// Refuses what exceeds a limit; gives the memory the transaction takes while it waits.
    pub(crate) fn measure(&self, options: &Options) -> Result<usize, CommitError> {
        let within = |what, actual, max| {
            if actual > max { Err(CommitError::TooLarge { what, actual, max }) } else { Ok(()) }
        };
        within("the number of writes", self.writes.len(), options.txn_writes_max)?;
        within("the number of reads", self.reads.len() + self.read_ranges.len(), options.txn_reads_max)?;
        let mut bytes = self.note.as_ref().map_or(0, Bytes::len);
        for (key, value) in &self.writes {
            if key.keyspace().is_reserved() {
                return Err(StoreError::ReservedKeyspace { key: key.clone() }.into());
            }
            within("the number of bytes of a key", key.stored().len(), options.key_bytes_max)?;
            let value_len = value.as_ref().map_or(0, Bytes::len);
            within("the number of bytes of a value", value_len, options.value_bytes_max)?;
            bytes += key.stored().len() + value_len;
        }
        bytes += self.reads.iter().map(|key| key.stored().len()).sum::<usize>();
        bytes += self
            .read_ranges
            .iter()
            .map(|range| range.start.stored().len() + range.end.stored().len())
            .sum::<usize>();
        within("the number of bytes", bytes, options.txn_bytes_max)?;
        Ok(bytes)
    }
}
