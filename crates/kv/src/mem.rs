//! The engine that keeps everything in memory: for throw-away databases, and the model in tests.
//!
//! Each key holds its newest value and, as long as a view may need them, older ones. A view is a
//! number: it reads, of every key, the newest value not younger than itself. A clone shares the rows,
//! so a test can "reopen" them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::chain::Chain;
use crate::engine::{Batch, Budget, Engine, Slice, View};
use crate::error::StoreError;
use crate::key::{Key, KeyRange};
use crate::scan::Scan;
use crate::sqlite;
use crate::version::Version;

/// Values a view writes into a backup between two checks of the rows.
const BACKUP_PAGE: Scan = Scan { reverse: false, rows_max: 1024, bytes_max: 8 << 20 };

/// The in-memory engine.
#[derive(Clone, Default)]
pub struct Mem {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    rows: RwLock<Rows>,
    /// How many views stand at each batch.
    views: Mutex<BTreeMap<u64, usize>>,
}

#[derive(Default)]
struct Rows {
    by_key: BTreeMap<Key, Chain>,
    /// The number of the newest batch and its version.
    batch: u64,
    version: Version,
    /// Keys with values that go once no view is older than this batch; in the order of batches.
    outdated: VecDeque<(u64, Key)>,
}

impl Rows {
    fn apply(&mut self, batch: Batch, oldest_view: Option<u64>) {
        self.batch += 1;
        self.version = batch.version;
        let number = self.batch;
        for (key, value) in batch.rows {
            match self.by_key.get_mut(&key) {
                Some(chain) => {
                    chain.put(number, value);
                    self.outdated.push_back((number, key));
                }
                None if value.is_some() => {
                    self.by_key.insert(key, Chain::new(number, value));
                }
                None => {}
            }
        }
        self.forget(oldest_view.unwrap_or(number));
    }

    /// Drops what no view at `oldest_view` or later can see.
    fn forget(&mut self, oldest_view: u64) {
        while let Some((_, key)) = self.outdated.pop_front_if(|(since, _)| *since <= oldest_view) {
            let Some(chain) = self.by_key.get_mut(&key) else { continue };
            if chain.newest.0 <= oldest_view {
                chain.older.clear();
                if chain.newest.1.is_none() {
                    self.by_key.remove(&key);
                }
            } else if let Some(seen) = chain.older.iter().rposition(|(since, _)| *since <= oldest_view) {
                chain.older.drain(..seen);
            }
        }
    }
}

#[async_trait]
impl Engine for Mem {
    async fn view(&self) -> Result<Arc<dyn View>, StoreError> {
        Ok(Arc::new(self.stand()))
    }

    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut rows = self.shared.rows.write();
        let oldest_view = self.shared.views.lock().keys().next().copied();
        rows.apply(batch, oldest_view);
        Ok(())
    }

    async fn backup(&self, to: &Path, replace: &[(Key, Bytes)]) -> Result<Version, StoreError> {
        let view = self.stand();
        let mut copy = sqlite::NewFile::create(to)?;
        let mut from = Bound::Unbounded;
        loop {
            let slice = view.page(from.as_ref(), Bound::Unbounded, BACKUP_PAGE);
            copy.add(&slice.rows)?;
            match slice.rows.last() {
                Some((key, _)) if slice.more => from = Bound::Excluded(key.clone()),
                _ => break,
            }
        }
        copy.add(replace)?;
        copy.finish(view.version)?;
        Ok(view.version)
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Mem {
    fn stand(&self) -> MemView {
        // Both locks: a batch must not slip in between reading its number and being counted.
        let rows = self.shared.rows.read();
        *self.shared.views.lock().entry(rows.batch).or_default() += 1;
        MemView { shared: Arc::clone(&self.shared), batch: rows.batch, version: rows.version }
    }
}

struct MemView {
    shared: Arc<Shared>,
    batch: u64,
    version: Version,
}

impl MemView {
    fn page(&self, start: Bound<&Key>, end: Bound<&Key>, scan: Scan) -> Slice {
        let rows = self.shared.rows.read();
        let mut budget = Budget::new(scan);
        let mut slice = Slice::default();
        let mut range = rows.by_key.range::<Key, _>((start, end));
        while let Some((key, chain)) = if scan.reverse { range.next_back() } else { range.next() } {
            let Some(Some(value)) = chain.at(self.batch) else { continue };
            if !budget.take(key.stored().len(), value.len()) {
                slice.more = true;
                break;
            }
            slice.rows.push((key.clone(), value.clone()));
        }
        slice
    }
}

impl Drop for MemView {
    fn drop(&mut self) {
        let mut views = self.shared.views.lock();
        if let Some(count) = views.get_mut(&self.batch) {
            *count -= 1;
            if *count == 0 {
                views.remove(&self.batch);
            }
        }
    }
}

#[async_trait]
impl View for MemView {
    fn version(&self) -> Version {
        self.version
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.shared.rows.read().by_key.get(key).and_then(|chain| chain.at(self.batch)?.clone()))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let rows = self.shared.rows.read();
        Ok(keys.iter().map(|key| rows.by_key.get(key)?.at(self.batch)?.clone()).collect())
    }

    async fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError> {
        if range.is_empty() {
            return Ok(Slice::default());
        }
        Ok(self.page(Bound::Included(&range.start), Bound::Excluded(&range.end), scan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Keyspace;

    fn put(rows: &mut Rows, key: &[u8], value: Option<&'static str>, oldest_view: Option<u64>) {
        let rows_of = BTreeMap::from([(Key::new(Keyspace(1), key), value.map(Bytes::from))]);
        rows.apply(Batch { version: Version(1), rows: rows_of }, oldest_view);
    }

    #[test]
    fn old_values_stay_while_a_view_needs_them_and_go_afterwards() {
        let mut rows = Rows::default();
        put(&mut rows, b"a", Some("1"), None);
        put(&mut rows, b"a", Some("2"), Some(1));
        put(&mut rows, b"a", None, Some(1));
        let key = Key::new(Keyspace(1), b"a");
        let seen: Vec<_> = (0..4).map(|batch| rows.by_key[&key].at(batch).cloned().flatten()).collect();
        assert_eq!(seen, [None, Some("1".into()), Some("2".into()), None]);

        put(&mut rows, b"b", Some("x"), Some(2));
        assert_eq!(rows.by_key[&key].at(2), Some(&Some("2".into())));
        assert_eq!(rows.by_key[&key].older.len(), 1, "what only batch 1 saw is gone");

        put(&mut rows, b"b", Some("y"), None);
        assert!(!rows.by_key.contains_key(&key), "a deleted key nobody sees takes no memory");
        assert!(rows.outdated.is_empty());
        assert!(rows.by_key.values().all(|chain| chain.older.is_empty()));
    }
}
