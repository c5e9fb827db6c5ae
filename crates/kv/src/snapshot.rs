//! Reading: one version of the whole store that stands still.

use std::sync::Arc;

use crate::engine::{Budget, View};
use crate::error::StoreError;
use crate::history::Undo;
use crate::key::{Key, KeyRange};
use crate::row::Row;
use crate::scan::Scan;
use crate::version::Version;

/// The store at one version. Cheap to clone.
///
/// Hold it for seconds, not minutes: an engine may have to keep everything that changed meanwhile.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) view: Arc<dyn View>,
    pub(crate) version: Version,
    pub(crate) time: Version,
    /// How rows that changed after the version looked at it; `None` for the newest.
    pub(crate) undo: Option<Arc<Undo>>,
}

/// A part of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Rows in the order of the scan.
    pub rows: Vec<Row>,
    /// What is left to scan if a limit was reached; it may turn out to be empty.
    pub next: Option<KeyRange>,
}

impl Snapshot {
    /// What the snapshot shows: every commit up to this version, and none after it.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Until when the store stood so: no commit between the version and this time, now or later. At or after the
    /// version.
    pub fn time(&self) -> Version {
        self.time
    }

    /// One row.
    pub async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        allowed(key)?;
        if let Some(before) = self.undo.as_ref().and_then(|undo| undo.get(key)) {
            return Ok(before.clone());
        }
        self.view.get(key).await?.map(|stored| Row::decode(key.clone(), stored)).transpose()
    }

    /// Several rows, in the order of the keys.
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        keys.iter().try_for_each(allowed)?;
        let stored = self.view.get_many(keys).await?;
        keys.iter()
            .zip(stored)
            .map(|(key, stored)| match self.undo.as_ref().and_then(|undo| undo.get(key)) {
                Some(before) => Ok(before.clone()),
                None => stored.map(|stored| Row::decode(key.clone(), stored)).transpose(),
            })
            .collect()
    }

    /// The rows of a range in order, up to the limits of the scan; go on with [`Page::next`].
    pub async fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Page, StoreError> {
        // The end lies outside, so it may be the first key that is reserved.
        if range.is_empty() {
            return Ok(Page::default());
        }
        allowed(&range.start)?;
        if range.end.keyspace().is_reserved() && range.end > first_reserved() {
            return Err(StoreError::ReservedKeyspace { key: range.end.clone() });
        }
        match &self.undo {
            None => {
                let slice = self.view.scan(range, scan).await?;
                let next = match slice.rows.last() {
                    Some((last, _)) if slice.more => Some(range.beyond(last, scan.reverse)),
                    _ => None,
                };
                let rows = slice.rows.into_iter().map(|(key, stored)| Row::decode(key, stored));
                Ok(Page { rows: rows.collect::<Result<_, _>>()?, next })
            }
            Some(undo) => self.scan_undone(undo, range, scan).await,
        }
    }

    /// A scan of the past: parts of the newest state, corrected, until the limits are reached.
    async fn scan_undone(&self, undo: &Undo, range: &KeyRange, scan: Scan) -> Result<Page, StoreError> {
        let mut page = Page::default();
        let mut budget = Budget::new(scan);
        let mut rest = range.clone();
        loop {
            let slice = self.view.scan(&rest, budget.left(scan.reverse)).await?;
            let last = slice.rows.last().map(|(key, _)| key.clone()).filter(|_| slice.more);
            let covered = last.as_ref().map_or_else(|| rest.clone(), |key| rest.up_to(key, scan.reverse));
            let rows = slice.rows.into_iter().map(|(key, stored)| Row::decode(key, stored));
            for row in undo.correct(rows.collect::<Result<_, _>>()?, &covered, scan.reverse) {
                if !budget.take(row.key.stored().len(), row.value.len()) {
                    page.next = page.rows.last().map(|row| range.beyond(&row.key, scan.reverse));
                    return Ok(page);
                }
                page.rows.push(row);
            }
            let Some(last) = last else { return Ok(page) };
            rest = rest.beyond(&last, scan.reverse);
            if budget.is_spent() {
                page.next = Some(rest);
                return Ok(page);
            }
        }
    }
}

fn first_reserved() -> Key {
    Key::new(crate::key::Keyspace(crate::key::Keyspace::RESERVED_FROM), &[])
}

fn allowed(key: &Key) -> Result<(), StoreError> {
    if key.keyspace().is_reserved() {
        return Err(StoreError::ReservedKeyspace { key: key.clone() });
    }
    Ok(())
}
