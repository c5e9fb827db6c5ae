//! Views: what the data file holds, corrected by what is newer.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::layer::{Part, State};
use super::read::FileView;
use crate::engine::{Budget, Slice, View, keys_by_scan};
use crate::error::StoreError;
use crate::key::{Key, KeyRange};
use crate::scan::Scan;
use crate::version::Version;

/// Rows of each layer looked at in one step of a scan.
const PART_ROWS_MAX: usize = 256;

/// The file as it was after some batch, and the layers with what came after it. The file may hold what a layer holds,
/// too, but nothing that is newer than the view.
pub(super) struct SqliteView {
    pub(super) state: State,
    pub(super) file: Arc<FileView>,
}

impl SqliteView {
    /// What the layers say of a key, if anything.
    fn newer(&self, key: &Key) -> Option<Option<Bytes>> {
        let batch = self.state.sequence;
        self.state.active.get(key, batch).or_else(|| self.state.sealed.as_ref()?.layer.get(key, batch))
    }

    /// What the layers say of the beginning of a range, and the key up to which that is all, unless it is the whole
    /// range.
    fn newer_in(&self, range: &KeyRange, reverse: bool) -> (Vec<(Key, Option<Bytes>)>, Option<Key>) {
        let batch = self.state.sequence;
        let active = self.state.active.part(range, reverse, batch, PART_ROWS_MAX);
        let sealed = match &self.state.sealed {
            Some(sealed) => sealed.layer.part(range, reverse, batch, PART_ROWS_MAX),
            None => Part::default(),
        };
        let is_before = |a: &Key, b: &Key| if reverse { a > b } else { a < b };
        let end_of = |part: &Part| part.rows.last().filter(|_| part.more).map(|(key, _)| key.clone());
        let end = match (end_of(&active), end_of(&sealed)) {
            (Some(a), Some(b)) => Some(if is_before(&a, &b) { a } else { b }),
            (a, b) => a.or(b),
        };
        let mut rows = merge(active.rows, sealed.rows, is_before);
        if let Some(end) = &end {
            rows.truncate(rows.partition_point(|(key, _)| !is_before(end, key)));
        }
        (rows, end)
    }

    async fn merged(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError> {
        let is_before = |a: &Key, b: &Key| if scan.reverse { a > b } else { a < b };
        let mut budget = Budget::new(scan);
        let mut all = Slice::default();
        let mut rest = range.clone();
        loop {
            let (newer, end) = self.newer_in(&rest, scan.reverse);
            if newer.is_empty() && end.is_none() && all.rows.is_empty() {
                return self.file.scan(&rest, scan).await;
            }
            let part = end.as_ref().map_or_else(|| rest.clone(), |end| rest.up_to(end, scan.reverse));
            let in_file = self.file.scan(&part, budget.left(scan.reverse)).await?;
            let seen = in_file.rows.last().map(|(key, _)| key.clone()).filter(|_| in_file.more);
            let newer = newer
                .into_iter()
                .take_while(|(key, _)| seen.as_ref().is_none_or(|seen| !is_before(seen, key)));
            let in_file = in_file.rows.into_iter().map(|(key, value)| (key, Some(value)));
            for (key, value) in merge(newer.collect(), in_file.collect(), is_before) {
                let Some(value) = value else { continue };
                if !budget.take(key.stored().len(), value.len()) {
                    all.more = true;
                    return Ok(all);
                }
                all.rows.push((key, value));
            }
            match seen.or(end) {
                Some(reached) => rest = rest.beyond(&reached, scan.reverse),
                None => return Ok(all),
            }
        }
    }
}

/// Two lists in one order as one; of two rows of a key the first list's counts.
fn merge(
    first: Vec<(Key, Option<Bytes>)>,
    second: Vec<(Key, Option<Bytes>)>,
    is_before: impl Fn(&Key, &Key) -> bool,
) -> Vec<(Key, Option<Bytes>)> {
    if first.is_empty() {
        return second;
    }
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut second = second.into_iter().peekable();
    for (key, value) in first {
        while let Some(other) = second.next_if(|(other, _)| !is_before(&key, other)) {
            if other.0 != key {
                merged.push(other);
            }
        }
        merged.push((key, value));
    }
    merged.extend(second);
    merged
}

#[async_trait]
impl View for SqliteView {
    fn version(&self) -> Version {
        self.state.version
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        match self.newer(key) {
            Some(value) => Ok(value),
            None => self.file.get(key),
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut values: Vec<_> = keys.iter().map(|key| self.newer(key)).collect();
        let missing = || keys.iter().zip(&values).filter(|(_, value)| value.is_none()).map(|(key, _)| key);
        let missing: Vec<Key> = missing().cloned().collect();
        let mut in_file = self.file.get_many(&missing).await?.into_iter();
        for value in &mut values {
            if value.is_none() {
                *value = Some(in_file.next().flatten());
            }
        }
        Ok(values.into_iter().map(Option::flatten).collect())
    }

    async fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError> {
        if range.is_empty() {
            return Ok(Slice::default());
        }
        self.merged(range, scan).await
    }

    async fn keys(&self, range: &KeyRange, max: usize) -> Result<Vec<Key>, StoreError> {
        let (newer, end) = self.newer_in(range, false);
        if range.is_empty() || !newer.is_empty() || end.is_some() {
            return keys_by_scan(self, range, max).await;
        }
        self.file.keys(range, max).await
    }
}
