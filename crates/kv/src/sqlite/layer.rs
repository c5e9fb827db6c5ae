//! Rows that are in the journal and not in the data file yet: one generation of them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::chain::Chain;
use crate::key::{Key, KeyRange};
use crate::version::Version;

/// One generation of rows. Nothing leaves it: it goes as a whole once the data file has it, and with the last view
/// that reads it.
#[derive(Default)]
pub(super) struct Layer {
    rows: RwLock<BTreeMap<Key, Chain>>,
}

/// Where batches are. A copy is what a view sees.
#[derive(Clone)]
pub(super) struct State {
    /// Takes the batches.
    pub(super) active: Arc<Layer>,
    /// Is being moved.
    pub(super) sealed: Option<Sealed>,
    /// The newest batch and its version.
    pub(super) sequence: u64,
    pub(super) version: Version,
    /// Batches up to this one are in the data file and in no layer.
    pub(super) moved: u64,
}

/// A layer that takes no batches any more.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) layer: Arc<Layer>,
    /// Its newest batch and that one's version.
    pub(super) sequence: u64,
    pub(super) version: Version,
}

/// Rows of a layer in the order of a scan; `None` is a deletion.
#[derive(Default)]
pub(super) struct Part {
    pub(super) rows: Vec<(Key, Option<Bytes>)>,
    /// Whether rows were left because of the limit.
    pub(super) more: bool,
}

impl Layer {
    /// Adds the rows of a batch. Views of earlier batches do not see them.
    pub(super) fn put(&self, batch: u64, rows: BTreeMap<Key, Option<Bytes>>) {
        let mut own = self.rows.write();
        for (key, value) in rows {
            match own.get_mut(&key) {
                Some(chain) => chain.put(batch, value),
                None => {
                    own.insert(key, Chain::new(batch, value));
                }
            }
        }
    }

    /// What the batches up to one have made of a key, if they touched it.
    pub(super) fn get(&self, key: &Key, batch: u64) -> Option<Option<Bytes>> {
        self.rows.read().get(key)?.at(batch).cloned()
    }

    /// What the batches up to one have made of the first keys of a range.
    pub(super) fn part(&self, range: &KeyRange, reverse: bool, batch: u64, rows_max: usize) -> Part {
        let mut part = Part::default();
        if range.is_empty() {
            return part;
        }
        let rows = self.rows.read();
        let bounds = (Bound::Included(&range.start), Bound::Excluded(&range.end));
        let mut range = rows.range::<Key, _>(bounds);
        while let Some((key, chain)) = if reverse { range.next_back() } else { range.next() } {
            let Some(value) = chain.at(batch) else { continue };
            if part.rows.len() >= rows_max {
                part.more = true;
                break;
            }
            part.rows.push((key.clone(), value.clone()));
        }
        part
    }

    /// Hands out the newest values in the order of their keys. Batches wait meanwhile, readers do not.
    pub(super) fn with_newest<T>(
        &self,
        read: impl FnOnce(&mut dyn Iterator<Item = (&Key, Option<&Bytes>)>) -> T,
    ) -> T {
        let rows = self.rows.read();
        read(&mut rows.iter().map(|(key, chain)| (key, chain.newest.1.as_ref())))
    }
}
