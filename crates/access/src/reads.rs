//! What an operation reads, and the record of it that its commit validates.

use base::Status;
use kv::{Key, KeyRange, Page, Row, Scan, Snapshot, Version};

use crate::fault::fault;

/// One snapshot and everything read of it so far: keys, and ranges with their gaps.
pub struct Reads {
    snapshot: Snapshot,
    pub(crate) keys: Vec<Key>,
    pub(crate) ranges: Vec<KeyRange>,
}

/// How much had been read at some point.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    keys: usize,
    ranges: usize,
}

impl Reads {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, keys: Vec::new(), ranges: Vec::new() }
    }

    /// The version that every read sees.
    pub fn version(&self) -> Version {
        self.snapshot.version()
    }

    /// Reads a row. Errors: `UNAVAILABLE` when the store fails.
    pub async fn get(&mut self, key: &Key) -> Result<Option<Row>, Status> {
        self.keys.push(key.clone());
        self.snapshot.get(key).await.map_err(|error| fault(&error))
    }

    /// Reads several rows, in the order asked.
    pub async fn get_many(&mut self, keys: &[Key]) -> Result<Vec<Option<Row>>, Status> {
        self.keys.extend_from_slice(keys);
        self.snapshot.get_many(keys).await.map_err(|error| fault(&error))
    }

    /// Reads a stretch of a range. What was really looked at is in the read set, rows and gaps alike.
    pub async fn scan(&mut self, range: &KeyRange, scan: Scan) -> Result<Page, Status> {
        let page = self.snapshot.scan(range, scan).await.map_err(|error| fault(&error))?;
        let seen = match &page.next {
            None => range.clone(),
            Some(rest) if scan.reverse => KeyRange::between(rest.end.clone(), range.end.clone()),
            Some(rest) => KeyRange::between(range.start.clone(), rest.start.clone()),
        };
        self.ranges.push(seen);
        Ok(page)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { keys: self.keys.len(), ranges: self.ranges.len() }
    }

    /// What was read since a mark.
    pub(crate) fn since(&self, mark: Mark) -> (&[Key], &[KeyRange]) {
        let keys = self.keys.get(mark.keys..).unwrap_or_default();
        (keys, self.ranges.get(mark.ranges..).unwrap_or_default())
    }
}
