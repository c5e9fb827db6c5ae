//! What an engine must offer: an atomic durable batch, views that stand still, ordered scans.
//!
//! Everything else (validation, versions, the change log) is written once, above. An engine sees
//! keys and values as opaque bytes and keeps one number, the version of its newest batch.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::StoreError;
use crate::key::{Key, KeyRange};
use crate::scan::Scan;
use crate::version::Version;

/// Rows that change together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What [`View::version`] says once the batch is applied.
    pub version: Version,
    /// New values; `None` deletes.
    pub rows: BTreeMap<Key, Option<Bytes>>,
}

/// A part of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Rows in the order of the scan.
    pub rows: Vec<(Key, Bytes)>,
    /// Whether rows were left because a limit was reached.
    pub more: bool,
}

/// A place to keep rows.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// A view of the newest applied state: at least of every batch whose `apply` has returned.
    async fn view(&self) -> Result<Arc<dyn View>, StoreError>;

    /// The newest values of these keys. Only the committer asks, between batches.
    async fn newest(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.view().await?.get_many(keys).await
    }

    /// Applies the whole batch or nothing, and returns when it is durable.
    ///
    /// Called by one caller at a time, the committer, on a thread of its own: it may block. After an
    /// error the caller does not know whether the batch was applied; it looks at a new view.
    async fn apply(&self, batch: Batch) -> Result<(), StoreError>;

    /// Writes a consistent copy with these rows replaced to a new file, which the SQLite engine
    /// can open. Gives the version of the copy.
    async fn backup(&self, to: &Path, replace: &[(Key, Bytes)]) -> Result<Version, StoreError>;

    /// Brings everything to rest. Nothing is asked of the engine afterwards, open views excepted.
    async fn close(&self) -> Result<(), StoreError>;
}

/// A state of the engine that does not change, as long as the view is held.
#[async_trait]
pub trait View: Send + Sync {
    /// The version of the newest batch in it; zero if there was none.
    fn version(&self) -> Version;

    /// The value of this key.
    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError>;

    /// The values of these keys, in their order.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// The rows of the range in order, within the limits of the scan. At least one row if there is any.
    async fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError>;

    /// The first keys of the range in order, at most so many, and fewer only where it ends. For those who need no values.
    async fn keys(&self, range: &KeyRange, max: usize) -> Result<Vec<Key>, StoreError> {
        keys_by_scan(self, range, max).await
    }
}

/// [`View::keys`] of a view that has no shorter way.
pub(crate) async fn keys_by_scan<V: View + ?Sized>(
    view: &V,
    range: &KeyRange,
    max: usize,
) -> Result<Vec<Key>, StoreError> {
    let mut keys = Vec::new();
    let mut rest = Some(range.clone());
    while let Some(range) = rest.take().filter(|_| keys.len() < max) {
        let scan = Scan { rows_max: max - keys.len(), ..Scan::default() };
        let Slice { rows, more } = view.scan(&range, scan).await?;
        rest = rows.last().filter(|_| more).map(|(last, _)| range.beyond(last, false));
        keys.extend(rows.into_iter().map(|(key, _)| key));
    }
    Ok(keys)
}

/// Counts the rows of a scan against its limits.
pub(crate) struct Budget {
    rows_left: usize,
    bytes_left: usize,
    fresh: bool,
}

impl Budget {
    pub(crate) fn new(scan: Scan) -> Self {
        Self { rows_left: scan.rows_max.max(1), bytes_left: scan.bytes_max, fresh: true }
    }

    /// Whether one more row of this size fits; counts it if so. The first always does.
    pub(crate) fn take(&mut self, key_len: usize, value_len: usize) -> bool {
        let len = key_len.saturating_add(value_len);
        if !self.fresh && (self.rows_left == 0 || len > self.bytes_left) {
            return false;
        }
        self.fresh = false;
        self.rows_left = self.rows_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(len);
        true
    }

    /// What is left, as limits for the next part.
    pub(crate) fn left(&self, reverse: bool) -> Scan {
        Scan { reverse, rows_max: self.rows_left, bytes_max: self.bytes_left }
    }

    /// Whether no further row can fit.
    pub(crate) fn is_spent(&self) -> bool {
        !self.fresh && (self.rows_left == 0 || self.bytes_left == 0)
    }
}
