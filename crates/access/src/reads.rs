//! What an operation reads, and the record of it that its commit validates.

use base::Status;
use kv::{Key, KeyRange, Page, Row, Scan, Snapshot, Version};

use crate::fault::fault;
use crate::past::{Held, Past};

/// One state of the store and everything read of it so far: keys, and ranges with their gaps.
pub struct Reads {
    /// `None` while it is let go of; the next read takes it up again.
    held: Option<Held>,
    version: Version,
    time: Version,
    past: Past,
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
    pub(crate) fn new(held: Held, past: Past) -> Self {
        let (version, time) = (held.snapshot.version(), held.snapshot.time());
        Self { held: Some(held), version, time, past, keys: Vec::new(), ranges: Vec::new() }
    }

    /// The version that every read sees.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The time that every read sees: nothing was or will be committed between the version and it.
    pub fn time(&self) -> Version {
        self.time
    }

    /// Lets go of the snapshot, so that the store keeps nothing for it.
    pub(crate) fn let_go(&mut self) {
        self.held = None;
    }

    /// Sees the state at another version from now on, and forgets what was read.
    pub(crate) fn move_to(&mut self, version: Version) {
        (self.held, self.version, self.time) = (None, version, version);
        self.keys.clear();
        self.ranges.clear();
    }

    async fn snapshot(&mut self) -> Result<&Snapshot, Status> {
        if self.held.is_none() {
            self.held = Some(self.past.at(self.version).await?);
        }
        let held = self.held.as_ref().map(|held| &held.snapshot);
        held.ok_or_else(|| Status::unavailable("The service is currently unavailable."))
    }

    /// Reads a row. Errors: `UNAVAILABLE` when the store fails.
    pub async fn get(&mut self, key: &Key) -> Result<Option<Row>, Status> {
        self.keys.push(key.clone());
        self.snapshot().await?.get(key).await.map_err(|error| fault(&error))
    }

    /// Reads several rows, in the order asked.
    pub async fn get_many(&mut self, keys: &[Key]) -> Result<Vec<Option<Row>>, Status> {
        self.keys.extend_from_slice(keys);
        self.snapshot().await?.get_many(keys).await.map_err(|error| fault(&error))
    }

    /// Reads a stretch of a range. What was really looked at is in the read set, rows and gaps alike.
    pub async fn scan(&mut self, range: &KeyRange, scan: Scan) -> Result<Page, Status> {
        let page = self.snapshot().await?.scan(range, scan).await.map_err(|error| fault(&error))?;
        let seen = match &page.next {
            None => range.clone(),
            Some(rest) if scan.reverse => KeyRange::between(rest.end.clone(), range.end.clone()),
            Some(rest) => KeyRange::between(range.start.clone(), rest.start.clone()),
        };
        self.ranges.push(seen);
        Ok(page)
    }

    /// Reads a stretch of a range that is not validated by itself: what the answer depends on is named with
    /// [`Reads::rely_on`].
    pub async fn look(&mut self, range: &KeyRange, scan: Scan) -> Result<Page, Status> {
        self.snapshot().await?.scan(range, scan).await.map_err(|error| fault(&error))
    }

    /// Reads rows in the same way.
    pub async fn look_at(&mut self, keys: &[Key]) -> Result<Vec<Option<Row>>, Status> {
        self.snapshot().await?.get_many(keys).await.map_err(|error| fault(&error))
    }

    /// The answer depends on everything in this range, on what may appear there, too.
    pub fn rely_on(&mut self, range: KeyRange) {
        self.ranges.push(range);
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
