//! How a tree lies in the store: a row for each leaf, in the order of the tree, and one for each priority of a place with
//! children.
//!
//! Rows are read with what is not durable yet laid over them. A place without rows is null, so an empty parent vanishes by
//! itself; only its priority has to be taken away.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Reads, keyspace};
use base::{Code, Status};
use bytes::Bytes;
use kv::{Key as RowKey, KeyRange, Scan};
use policy::rtdb::{GLANCE_KEYS_MAX, Glance};

use crate::model::{Key, Leaf, Node, Path};
use crate::query::{BoundKey, Query, Side};

/// Rows of one page of a walk.
pub const PAGE_ROWS: usize = 4_096;
/// Bytes of one page of a walk.
const PAGE_BYTES: usize = 4 << 20;
/// Rows in which a glance looks for the first children before it steps from child to child.
const GLANCE_ROWS: usize = 64;
/// Follows the path of a place with children in the key of its priority. No key of a child begins with it.
pub const PRIORITY: u8 = 0x00;
/// Before a value whose place has a priority, and before one that has none.
pub const WITH_PRIORITY: u8 = 1;
/// The other of the two.
pub const WITHOUT_PRIORITY: u8 = 0;

/// Rows that are to be written, or are not durable yet; `None` deletes.
pub type Layer = BTreeMap<RowKey, Option<Bytes>>;

/// Where a database lies.
#[derive(Clone, Debug)]
pub struct Layout {
    prefix: Vec<u8>,
}

impl Layout {
    /// Of a database with this name.
    pub fn new(namespace: &str) -> Self {
        let mut prefix = namespace.as_bytes().to_vec();
        prefix.push(0);
        Self { prefix }
    }

    /// The bytes of a place.
    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.prefix.len() + 16 * (path.keys().len() + 1));
        bytes.extend_from_slice(&self.prefix);
        path.encode(&mut bytes);
        bytes
    }

    /// The row of a leaf.
    pub fn leaf(&self, path: &Path) -> RowKey {
        RowKey::new(keyspace::REALTIME, &self.bytes(path))
    }

    /// The row of a priority of a place with children.
    pub fn priority(&self, path: &Path) -> RowKey {
        let mut bytes = self.bytes(path);
        bytes.push(PRIORITY);
        RowKey::new(keyspace::REALTIME, &bytes)
    }

    /// All rows of a place.
    pub fn all(&self, path: &Path) -> KeyRange {
        KeyRange::prefix(keyspace::REALTIME, &self.bytes(path))
    }
}

/// Why rows could not be read or staged.
#[derive(Debug)]
pub enum RowsError {
    /// More rows than one operation may concern.
    TooMany,
    /// The store failed, or a row is unreadable.
    Fault(Status),
}

impl From<Status> for RowsError {
    fn from(fault: Status) -> Self {
        RowsError::Fault(fault)
    }
}

/// What a row that does not decode is.
pub fn unreadable(key: &RowKey) -> Status {
    tracing::error!(?key, "a row of the Realtime Database is unreadable");
    Status::new(Code::DataLoss, "The data at this location cannot be read.")
}

/// The rows of a database as one operation sees them.
pub struct Rows<'a> {
    /// Where they lie.
    pub layout: &'a Layout,
    /// The snapshot.
    pub reads: &'a mut Reads,
    /// What is laid over it, the newest last.
    pub layers: &'a [&'a Layer],
}

impl Rows<'_> {
    /// Rows, in the order asked.
    pub async fn get(&mut self, keys: &[RowKey]) -> Result<Vec<Option<Bytes>>, Status> {
        let stored = self.reads.look_at(keys).await?;
        let newest = |key: &RowKey| self.layers.iter().rev().find_map(|layer| layer.get(key));
        let values = keys.iter().zip(stored).map(|(key, row)| match newest(key) {
            Some(value) => value.clone(),
            None => row.map(|row| row.value),
        });
        Ok(values.collect())
    }

    /// A part of a range, and what is left of it.
    pub async fn page(
        &mut self,
        range: &KeyRange,
        rows_max: usize,
    ) -> Result<(Vec<(RowKey, Bytes)>, Option<KeyRange>), Status> {
        let scan = Scan { reverse: false, rows_max, bytes_max: PAGE_BYTES };
        let page = self.reads.look(range, scan).await?;
        let end = page.next.as_ref().map_or(&range.end, |rest| &rest.start);
        let is_changed = |layer: &&&Layer| layer.range(&range.start..end).next().is_some();
        if self.layers.iter().find(is_changed).is_none() {
            return Ok((page.rows.into_iter().map(|row| (row.key, row.value)).collect(), page.next));
        }
        let stored = page.rows.into_iter().map(|row| (row.key, Some(row.value)));
        let mut merged: Layer = stored.collect();
        for layer in self.layers {
            let changed = layer.range(&range.start..end);
            merged.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
        }
        let rows = merged.into_iter().filter_map(|(key, value)| Some((key, value?)));
        Ok((rows.collect(), page.next))
    }

    /// All that is at a place. Errors: more than `rows_max` rows.
    pub async fn node(&mut self, path: &Path, rows_max: usize) -> Result<Option<Arc<Node>>, RowsError> {
        let mut rest = Some(self.layout.all(path));
        let skipped = self.layout.bytes(path).len();
        let mut tree = Builder::default();
        let mut count = 0;
        while let Some(range) = rest {
            let (rows, next) = self.page(&range, PAGE_ROWS).await?;
            count += rows.len();
            if count > rows_max {
                return Err(RowsError::TooMany);
            }
            for (key, value) in rows {
                let added = tree.add(key.as_bytes().get(skipped..).unwrap_or_default(), &value);
                added.ok_or_else(|| unreadable(&key))?;
            }
            rest = next;
        }
        Ok(tree.finish())
    }

    /// The children of a place that a query by key can find, one more than it shows where there are: no others are read.
    ///
    /// Errors: more than `rows_max` rows. Only over what is durable.
    pub async fn by_key(
        &mut self,
        path: &Path,
        query: &Query,
        rows_max: usize,
    ) -> Result<Option<Arc<Node>>, RowsError> {
        debug_assert!(self.layers.is_empty(), "what is pending is not looked at");
        let whole = self.layout.all(path);
        let skipped = self.layout.bytes(path).len();
        let mut first = self.layout.bytes(path);
        // Behind the value or the priority of the place itself.
        first.push(PRIORITY + 1);
        let mut range = KeyRange::between(RowKey::new(keyspace::REALTIME, &first), whole.end);
        let place = |key: &Key| self.layout.all(&path.child(key.clone()));
        match query.start.as_ref().map(|bound| (&bound.key, bound.is_inclusive)) {
            None | Some((BoundKey::First, _)) => {}
            Some((BoundKey::Last, _)) => return Ok(None),
            Some((BoundKey::Key(key), true)) => range.start = place(key).start,
            Some((BoundKey::Key(key), false)) => range.start = place(key).end,
        }
        match query.end.as_ref().map(|bound| (&bound.key, bound.is_inclusive)) {
            None | Some((BoundKey::Last, _)) => {}
            Some((BoundKey::First, _)) => return Ok(None),
            Some((BoundKey::Key(key), true)) => range.end = place(key).end,
            Some((BoundKey::Key(key), false)) => range.end = place(key).start,
        }
        let limit =
            query.limit.map_or(usize::MAX, |limit| usize::try_from(limit.count).unwrap_or(usize::MAX));
        let reverse = query.limit.is_some_and(|limit| limit.side == Side::Last);
        let mut found: Vec<kv::Row> = Vec::new();
        let (mut children, mut last) = (0, None);
        let mut rest = Some(range);
        'pages: while let Some(range) = rest {
            let scan =
                Scan { reverse, rows_max: PAGE_ROWS.min(limit.saturating_mul(16)), bytes_max: PAGE_BYTES };
            let page = self.reads.look(&range, scan).await?;
            for row in page.rows {
                let mut bytes = row.key.as_bytes().get(skipped..).unwrap_or_default();
                let key = Key::decode(&mut bytes).ok_or_else(|| unreadable(&row.key))?;
                if last.as_ref() != Some(&key) {
                    // The limit, and one that says that there are more.
                    if children > limit {
                        break 'pages;
                    }
                    children += 1;
                    last = Some(key);
                }
                found.push(row);
            }
            if found.len() > rows_max {
                return Err(RowsError::TooMany);
            }
            rest = page.next;
        }
        if reverse {
            found.reverse();
        }
        let mut tree = Builder::default();
        for row in found {
            let added = tree.add(row.key.as_bytes().get(skipped..).unwrap_or_default(), &row.value);
            added.ok_or_else(|| unreadable(&row.key))?;
        }
        Ok(tree.finish())
    }

    /// A place without what is below it.
    pub async fn glance(&mut self, path: &Path) -> Result<Glance, Status> {
        let leaf = self.layout.leaf(path);
        if let Some(value) = self.get(std::slice::from_ref(&leaf)).await?.pop().flatten() {
            let (value, priority) = decode_leaf(&value).ok_or_else(|| unreadable(&leaf))?;
            return Ok(Glance {
                value: Some(value.to_value()),
                priority: priority.map(|priority| priority.to_value()),
                ..Glance::default()
            });
        }
        let (children, priority) = self.children(path, None, GLANCE_KEYS_MAX + 1).await?;
        let more = children.len() > GLANCE_KEYS_MAX;
        let keys = children.iter().take(GLANCE_KEYS_MAX).map(|key| key.as_str().to_owned()).collect();
        let priority = priority.filter(|_| !children.is_empty()).map(|priority| priority.to_value());
        Ok(Glance { value: None, priority, keys, more })
    }

    /// The keys of the first children after one, and the priority of the place.
    pub async fn children(
        &mut self,
        path: &Path,
        after: Option<&Key>,
        max: usize,
    ) -> Result<(Vec<Key>, Option<Leaf>), Status> {
        let whole = self.layout.all(path);
        let skipped = self.layout.bytes(path).len();
        let start = match after {
            Some(key) => self.layout.all(&path.child(key.clone())).end,
            None => whole.start.clone(),
        };
        let mut rest = Some(KeyRange::between(start, whole.end.clone()));
        let (mut keys, mut priority) = (Vec::<Key>::new(), None);
        while let Some(range) = rest {
            let (rows, next) = self.page(&range, GLANCE_ROWS).await?;
            for (row, value) in &rows {
                let mut bytes = row.as_bytes().get(skipped..).unwrap_or_default();
                match bytes {
                    [] => {}
                    [PRIORITY] => {
                        priority = Some(Leaf::decode(&mut value.as_ref()).ok_or_else(|| unreadable(row))?);
                    }
                    _ => {
                        let key = Key::decode(&mut bytes).ok_or_else(|| unreadable(row))?;
                        if keys.last() != Some(&key) {
                            keys.push(key);
                        }
                    }
                }
                if keys.len() >= max {
                    return Ok((keys, priority));
                }
            }
            // The rest of the last child is stepped over.
            rest = match (next, keys.last()) {
                (Some(_), Some(last)) => {
                    let end = self.layout.all(&path.child(last.clone())).end;
                    Some(KeyRange::between(end, whole.end.clone()))
                }
                (next, _) => next,
            };
        }
        Ok((keys, priority))
    }

    /// The leaf at a place.
    pub async fn leaf(&mut self, path: &Path) -> Result<Option<Leaf>, Status> {
        let key = self.layout.leaf(path);
        match self.get(std::slice::from_ref(&key)).await?.pop().flatten() {
            Some(value) => Ok(Some(decode_leaf(&value).ok_or_else(|| unreadable(&key))?.0)),
            None => Ok(None),
        }
    }
}

/// The value and the priority of a leaf's row.
pub fn decode_leaf(row: &[u8]) -> Option<(Leaf, Option<Leaf>)> {
    let (kind, mut rest) = row.split_first()?;
    let priority = match *kind {
        WITH_PRIORITY => Some(Leaf::decode(&mut rest)?),
        WITHOUT_PRIORITY => None,
        _ => return None,
    };
    let leaf = Leaf::decode(&mut rest)?;
    rest.is_empty().then_some((leaf, priority))
}

/// Makes a tree of rows in their order.
#[derive(Default)]
struct Builder {
    /// From the place that is read down to the one that is being added to.
    open: Vec<Open>,
    root: Open,
    leaf: Option<Arc<Node>>,
}

#[derive(Default)]
struct Open {
    key: Option<Key>,
    priority: Option<Leaf>,
    children: Vec<(Key, Arc<Node>)>,
}

impl Builder {
    /// Adds a row; `None` when it is unreadable.
    fn add(&mut self, mut path: &[u8], value: &[u8]) -> Option<()> {
        let mut depth = 0;
        let mut last = None;
        while !path.is_empty() && path != [PRIORITY] {
            if let Some(key) = last.replace(Key::decode(&mut path)?) {
                self.go_to(depth, key);
                depth += 1;
            }
        }
        if path == [PRIORITY] {
            if let Some(key) = last {
                self.go_to(depth, key);
                depth += 1;
            }
            self.close(depth);
            let priority = Leaf::decode(&mut &*value)?;
            self.open.last_mut().unwrap_or(&mut self.root).priority = Some(priority);
            return Some(());
        }
        let (leaf, priority) = decode_leaf(value)?;
        let leaf = Node::leaf(leaf, priority);
        self.close(depth);
        match last {
            Some(key) => self.open.last_mut().unwrap_or(&mut self.root).children.push((key, leaf)),
            None => self.leaf = Some(leaf),
        }
        Some(())
    }

    /// Makes a key the open place at a depth.
    fn go_to(&mut self, depth: usize, key: Key) {
        if self.open.get(depth).is_some_and(|open| open.key.as_ref() == Some(&key)) {
            return;
        }
        self.close(depth);
        self.open.push(Open { key: Some(key), ..Open::default() });
    }

    /// Ends the places that are deeper.
    fn close(&mut self, depth: usize) {
        while self.open.len() > depth {
            let Some(Open { key, priority, children }) = self.open.pop() else { return };
            let above = self.open.last_mut().unwrap_or(&mut self.root);
            above.children.extend(key.zip(Node::inner(children, priority)));
        }
    }

    fn finish(mut self) -> Option<Arc<Node>> {
        self.close(0);
        self.leaf.or_else(|| Node::inner(self.root.children, self.root.priority))
    }
}
