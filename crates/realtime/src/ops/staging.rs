//! What a write does to the rows.

use std::sync::Arc;

use access::{Reads, keyspace};
use base::Status;
use bytes::Bytes;
use kv::{Key as RowKey, KeyRange};

use super::rows::{
    Layer, Layout, PAGE_ROWS, PRIORITY, Rows, RowsError, WITH_PRIORITY, WITHOUT_PRIORITY, decode_leaf,
    unreadable,
};
use crate::model::{Leaf, Node, Path};

/// The rows that a write changes.
pub struct Staging<'a> {
    layout: &'a Layout,
    reads: &'a mut Reads,
    pending: &'a Layer,
    staged: Layer,
    rows_max: usize,
}

impl<'a> Staging<'a> {
    /// Over what is durable and what is pending; of `rows_max` rows at most.
    pub fn new(layout: &'a Layout, reads: &'a mut Reads, pending: &'a Layer, rows_max: usize) -> Self {
        Self { layout, reads, pending, staged: Layer::new(), rows_max }
    }

    /// The rows to be written.
    pub fn finish(self) -> Layer {
        self.staged
    }

    async fn get(&mut self, keys: &[RowKey]) -> Result<Vec<Option<Bytes>>, Status> {
        let layers = [self.pending, &self.staged];
        Rows { layout: self.layout, reads: self.reads, layers: &layers }.get(keys).await
    }

    async fn page(
        &mut self,
        range: &KeyRange,
        rows_max: usize,
    ) -> Result<(Vec<(RowKey, Bytes)>, Option<KeyRange>), Status> {
        let layers = [self.pending, &self.staged];
        Rows { layout: self.layout, reads: self.reads, layers: &layers }.page(range, rows_max).await
    }

    /// Puts a value at a place.
    pub async fn set(&mut self, path: &Path, value: Option<&Arc<Node>>) -> Result<(), RowsError> {
        let above = ancestors(path);
        let keys: Vec<RowKey> = above.iter().map(|place| self.layout.leaf(place)).collect();
        let leaves = self.get(&keys).await?;
        let leaf_above = leaves.into_iter().zip(keys).find_map(|(value, key)| Some((key, value?)));
        match (leaf_above, value) {
            // Below a leaf there is nothing to delete.
            (Some(_), None) => return Ok(()),
            // A leaf above becomes a place with children, and keeps its priority.
            (Some((key, leaf)), Some(_)) => {
                let (_, priority) = decode_leaf(&leaf).ok_or_else(|| unreadable(&key))?;
                if let Some(priority) = priority {
                    let mut bytes = key.as_bytes().to_vec();
                    bytes.push(PRIORITY);
                    self.stage(RowKey::new(keyspace::REALTIME, &bytes), Some(encoded(&priority)))?;
                }
                self.stage(key, None)?;
            }
            (None, _) => self.delete(path).await?,
        }
        match value {
            Some(node) => {
                let mut bytes = self.layout.bytes(path);
                self.put(node, &mut bytes)
            }
            None => self.prune(&above).await,
        }
    }

    /// Gives what is at a place a priority.
    pub async fn set_priority(&mut self, path: &Path, priority: Option<&Leaf>) -> Result<(), RowsError> {
        let key = self.layout.leaf(path);
        if let Some(row) = self.get(std::slice::from_ref(&key)).await?.pop().flatten() {
            let (leaf, _) = decode_leaf(&row).ok_or_else(|| unreadable(&key))?;
            return self.stage(key, Some(encode_leaf(&leaf, priority)));
        }
        let (rows, _) = self.page(&self.layout.all(path), 1).await?;
        if rows.is_empty() {
            return Ok(());
        }
        self.stage(self.layout.priority(path), priority.map(encoded))
    }

    async fn delete(&mut self, path: &Path) -> Result<(), RowsError> {
        let mut rest = Some(self.layout.all(path));
        while let Some(range) = rest {
            let (rows, next) = self.page(&range, PAGE_ROWS).await?;
            for (key, _) in rows {
                self.stage(key, None)?;
            }
            rest = next;
        }
        Ok(())
    }

    fn put(&mut self, node: &Node, bytes: &mut Vec<u8>) -> Result<(), RowsError> {
        if let Some(leaf) = node.value() {
            return self
                .stage(RowKey::new(keyspace::REALTIME, bytes), Some(encode_leaf(leaf, node.priority())));
        }
        let length = bytes.len();
        if let Some(priority) = node.priority() {
            bytes.push(PRIORITY);
            self.stage(RowKey::new(keyspace::REALTIME, bytes), Some(encoded(priority)))?;
            bytes.truncate(length);
        }
        // As deep as a tree may be.
        for (key, child) in node.children() {
            key.encode(bytes);
            self.put(child, bytes)?;
            bytes.truncate(length);
        }
        Ok(())
    }

    /// Takes away the priorities of places that have nothing left, from below.
    async fn prune(&mut self, above: &[Path]) -> Result<(), RowsError> {
        let keys: Vec<RowKey> = above.iter().map(|place| self.layout.priority(place)).collect();
        let priorities = self.get(&keys).await?;
        for ((place, key), priority) in above.iter().zip(keys).zip(priorities).rev() {
            if priority.is_none() {
                continue;
            }
            let (rows, _) = self.page(&self.layout.all(place), 2).await?;
            if rows.iter().any(|(other, _)| *other != key) {
                return Ok(());
            }
            self.stage(key, None)?;
        }
        Ok(())
    }

    fn stage(&mut self, key: RowKey, value: Option<Bytes>) -> Result<(), RowsError> {
        self.staged.insert(key, value);
        if self.staged.len() > self.rows_max { Err(RowsError::TooMany) } else { Ok(()) }
    }
}

/// The places above one, from the root down.
fn ancestors(path: &Path) -> Vec<Path> {
    let mut above = Vec::with_capacity(path.keys().len());
    let mut place = path.parent();
    while let Some(here) = place {
        place = here.parent();
        above.push(here);
    }
    above.reverse();
    above
}

fn encoded(leaf: &Leaf) -> Bytes {
    let mut bytes = Vec::new();
    leaf.encode(&mut bytes);
    bytes.into()
}

fn encode_leaf(leaf: &Leaf, priority: Option<&Leaf>) -> Bytes {
    let mut bytes = Vec::with_capacity(16);
    match priority {
        Some(priority) => {
            bytes.push(WITH_PRIORITY);
            priority.encode(&mut bytes);
        }
        None => bytes.push(WITHOUT_PRIORITY),
    }
    leaf.encode(&mut bytes);
    bytes.into()
}
