//! Commits gone through once more, for all who resume at the same time: what each of their queries has gained and lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use access::keyspace::DOCUMENTS;
use base::{DatabaseName, DocumentPath, Fields, Status};
use kv::{Change, Key, Row, RowChange, Version};

use super::image::Image;
use super::interest::{Interest, ViewId};
use super::view::position_in;
use crate::model::{Stored, key};
use crate::query::Query;
use crate::query::position::{self, Interval};

/// Bytes of the documents that were found for all queries together.
const REPLAY_BYTES_MAX: usize = 64 << 20;

/// A document that a query showed at one version or shows at a later one.
#[derive(Clone)]
pub struct Changed {
    /// Whether it was in the result.
    pub was_in: bool,
    /// Whether it is.
    pub is_in: bool,
    /// How it is.
    pub image: Arc<Image>,
}

/// What has changed of a query's result, by document.
pub type Changes = BTreeMap<Key, Changed>;

/// Commits, gone through for some queries.
#[derive(Default)]
pub struct Replay {
    interest: Interest,
    views: HashMap<ViewId, Watched>,
    by_query: HashMap<Arc<[u8]>, ViewId>,
    /// The newest state of every document that any of the queries showed.
    newest: HashMap<Key, Arc<Image>>,
    bytes: usize,
}

struct Watched {
    database: DatabaseName,
    query: Arc<Query>,
    between: Interval,
    /// In the order of commits.
    hits: Vec<Hit>,
}

/// A change of a document that was or is in the result.
struct Hit {
    key: Key,
    version: Version,
    was_in: bool,
    is_in: bool,
}

impl Replay {
    /// Goes through commits for a query, too; the same query is looked at once.
    pub fn add(&mut self, database: &DatabaseName, query: &Arc<Query>, query_key: &Arc<[u8]>) -> ViewId {
        let next = self.views.len() as ViewId;
        let id = *self.by_query.entry(Arc::clone(query_key)).or_insert(next);
        self.views.entry(id).or_insert_with(|| {
            self.interest.add(database, query, id);
            let (query, between) = (Arc::clone(query), position::window(query));
            Watched { database: database.clone(), query, between, hits: Vec::new() }
        });
        id
    }

    /// Goes through a commit. To be called in their order.
    pub fn apply(&mut self, change: &Change) -> Result<(), Status> {
        for row in change.rows.iter().filter(|row| row.key.keyspace() == DOCUMENTS) {
            self.apply_row(row, change.version)?;
        }
        Ok(())
    }

    fn apply_row(&mut self, row: &RowChange, version: Version) -> Result<(), Status> {
        let Some((database, path)) = key::decode(&row.key) else { return Ok(()) };
        if !self.interest.is_near(&database, &path) {
            return Ok(());
        }
        let before = row.before.as_ref().map(Stored::from_row).transpose()?;
        let before = before.map(|stored| stored.fields()).transpose()?;
        let after = row.after.clone().map(|value| Row { key: row.key.clone(), value, version });
        let after = after.as_ref().map(Stored::from_row).transpose()?.map(Stored::detached);
        let fields = after.as_ref().map(Stored::fields).transpose()?;
        let found = self.interest.of(&database, &path, [before.as_ref(), fields.as_ref()]);
        let key = row.key.detached();
        let is_hit = self.hit(&key, &path, version, &found, [before.as_ref(), fields.as_ref()]);
        // One that is in no result any more may change again: how it is now counts.
        if is_hit || self.newest.contains_key(&key) {
            let image = Image::new(database, path, after, version);
            self.bytes += image.bytes();
            if let Some(old) = self.newest.insert(key, Arc::new(image)) {
                self.bytes = self.bytes.saturating_sub(old.bytes());
            }
        }
        Ok(())
    }

    fn hit(
        &mut self,
        key: &Key,
        path: &DocumentPath,
        version: Version,
        found: &BTreeSet<ViewId>,
        [before, after]: [Option<&Fields>; 2],
    ) -> bool {
        let mut is_hit = false;
        for id in found {
            let Some(Watched { database, query, between, hits }) = self.views.get_mut(id) else { continue };
            let is_in = |fields: Option<&Fields>| {
                fields.is_some_and(|fields| position_in(database, query, between, path, fields).is_some())
            };
            let (was_in, is_in) = (is_in(before), is_in(after));
            if was_in || is_in {
                hits.push(Hit { key: key.clone(), version, was_in, is_in });
                is_hit = true;
            }
        }
        is_hit
    }

    /// Whether so much was found that it cannot be kept.
    pub fn is_too_large(&self) -> bool {
        self.bytes > REPLAY_BYTES_MAX
    }

    /// What has changed of a query's result since each of these versions.
    pub fn since(&self, view: ViewId, versions: &BTreeSet<Version>) -> BTreeMap<Version, Arc<Changes>> {
        let mut all = BTreeMap::new();
        let Some(watched) = self.views.get(&view) else { return all };
        let mut changes = Changes::new();
        let mut hits = watched.hits.iter().rev().peekable();
        for version in versions.iter().rev() {
            while let Some(hit) = hits.next_if(|hit| hit.version > *version) {
                let Some(image) = self.newest.get(&hit.key) else { continue };
                let changed = || Changed { was_in: hit.was_in, is_in: hit.is_in, image: Arc::clone(image) };
                // From the newest to the oldest: the first one met says where it is, the last one where it was.
                changes.entry(hit.key.clone()).or_insert_with(changed).was_in = hit.was_in;
            }
            all.insert(*version, Arc::new(changes.clone()));
        }
        all
    }
}

/// Takes in commits that came later, for one query.
///
/// Errors: a stored document cannot be read.
pub fn extend(
    changes: &mut Changes,
    database: &DatabaseName,
    query: &Query,
    change: &Change,
) -> Result<(), Status> {
    let between = position::window(query);
    for row in change.rows.iter().filter(|row| row.key.keyspace() == DOCUMENTS) {
        let Some((of, path)) = key::decode(&row.key) else { continue };
        if of != *database || !query.scope.contains(&path) {
            continue;
        }
        let version = change.version;
        let is_in = |stored: Option<&Stored>| -> Result<bool, Status> {
            let Some(stored) = stored else { return Ok(false) };
            Ok(position_in(database, query, &between, &path, &stored.fields()?).is_some())
        };
        let before = row.before.as_ref().map(Stored::from_row).transpose()?;
        let after = row.after.clone().map(|value| Row { key: row.key.clone(), value, version });
        let after = after.as_ref().map(Stored::from_row).transpose()?.map(Stored::detached);
        let (was_in, is_in) = (is_in(before.as_ref())?, is_in(after.as_ref())?);
        if !was_in && !is_in && !changes.contains_key(&row.key) {
            continue;
        }
        let image = Arc::new(Image::new(of, path, after, version));
        let changed = Changed { was_in, is_in, image };
        let entry = changes.entry(row.key.detached()).or_insert_with(|| changed.clone());
        *entry = Changed { was_in: entry.was_in, ..changed };
    }
    Ok(())
}
