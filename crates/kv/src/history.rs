//! Looking back: how rows were before newer commits, from the before-images of the change log.

use std::collections::BTreeMap;

use crate::change::{self, Change};
use crate::engine::View;
use crate::error::StoreError;
use crate::key::{Key, KeyRange};
use crate::meta::{self, Floor};
use crate::row::Row;
use crate::scan::Scan;
use crate::version::Version;

/// Log entries read at once.
const LOG_PAGE: Scan = Scan { reverse: false, rows_max: 256, bytes_max: 4 << 20 };

/// How far a look back may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookBack {
    /// Changed rows that are walked over, at most.
    pub rows_max: usize,
    /// Bytes of what they held before, at most.
    pub bytes_max: usize,
}

/// Rows that changed after a version, as they were at it.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    before: BTreeMap<Key, Option<Row>>,
}

impl Undo {
    /// Reads what must be undone in `view` to see `version`.
    pub(crate) async fn read(
        view: &dyn View,
        version: Version,
        LookBack { rows_max, bytes_max }: LookBack,
    ) -> Result<Self, StoreError> {
        let oldest = floor(view).await?;
        if version < oldest {
            return Err(StoreError::TooOld { asked: version, oldest });
        }
        let mut undo = Undo::default();
        let (mut seen, mut bytes) = (0usize, 0usize);
        let mut rest = Some(meta::log_range(version, view.version()));
        while let Some(range) = rest.take() {
            let (changes, next) = read_log(view, &range, LOG_PAGE).await?;
            for row in changes.into_iter().flat_map(|change| change.rows) {
                seen += 1;
                bytes += row.before.as_ref().map_or(0, |before| before.value.len());
                if seen > rows_max || bytes > bytes_max {
                    return Err(StoreError::TooManyChanges { asked: version, rows_max });
                }
                // The first change after the version is the one that knows the row at it.
                undo.before.entry(row.key).or_insert(row.before);
            }
            rest = next;
            // A long walk lets others in between.
            tokio::task::yield_now().await;
        }
        Ok(undo)
    }

    /// The row at the version, if it has changed since.
    pub(crate) fn get(&self, key: &Key) -> Option<&Option<Row>> {
        self.before.get(key)
    }

    /// Rows of the newest state, corrected to what the covered range held at the version.
    pub(crate) fn correct(&self, newest: Vec<Row>, covered: &KeyRange, reverse: bool) -> Vec<Row> {
        let mut rows: Vec<Row> =
            newest.into_iter().filter(|row| !self.before.contains_key(&row.key)).collect();
        if !covered.is_empty() {
            let range = self.before.range(covered.start.clone()..covered.end.clone());
            rows.extend(range.filter_map(|(_, before)| before.clone()));
        }
        rows.sort_by(|a, b| if reverse { b.key.cmp(&a.key) } else { a.key.cmp(&b.key) });
        rows
    }
}

/// The version after which the change log in this view is complete.
pub(crate) async fn floor(view: &dyn View) -> Result<Version, StoreError> {
    Ok(floor_row(view).await?.version)
}

/// Where the change log in this view begins.
pub(crate) async fn floor_row(view: &dyn View) -> Result<Floor, StoreError> {
    let stored = view.get(&meta::floor_key()).await?;
    Floor::decode(&stored.ok_or_else(|| StoreError::corrupt("the log floor is missing"))?)
}

/// Where the change log in this view ends: the bytes of all its entries since it began.
pub(crate) async fn end_bytes(view: &dyn View) -> Result<u64, StoreError> {
    let floor = floor_row(view).await?;
    let newest = Scan { reverse: true, rows_max: 1, bytes_max: 0 };
    let slice = view.scan(&meta::log_range(floor.version, view.version()), newest).await?;
    let end = slice.rows.first().map_or(0, |(_, entry)| change::log_end(entry));
    Ok(end.max(floor.removed_bytes))
}

/// Some entries of the log, and the range of those that are left.
pub(crate) async fn read_log(
    view: &dyn View,
    range: &KeyRange,
    scan: Scan,
) -> Result<(Vec<Change>, Option<KeyRange>), StoreError> {
    let slice = view.scan(range, scan).await?;
    let next = match slice.rows.last() {
        Some((last, _)) if slice.more => Some(range.beyond(last, scan.reverse)),
        _ => None,
    };
    let changes = slice
        .rows
        .into_iter()
        .map(|(key, entry)| Change::decode(meta::log_version(&key)?, entry))
        .collect::<Result<_, _>>()?;
    Ok((changes, next))
}
