//! The order of a place's children by something in them, kept for queries whose limit hides some: who moves up when one
//! leaves is found without reading all of them again.
//!
//! An index is made when it is needed for the first time and then kept up with commits: their children are noted, and
//! looked at when the index is used next. Only the publisher has any, so an index is as of the version that is being told.

use std::collections::{BTreeSet, HashMap, HashSet};

use kv::Version;

use super::database::Database;
use super::hub::{Effects, Seen};
use crate::failure::Failure;
use crate::model::{Key, Path};
use crate::query::{Order, Position, Query, Side};

/// Indexes of one database.
const INDEXES_MAX: usize = 64;
/// Children in all of them.
const CHILDREN_MAX: usize = 500_000;
/// Changed children that one keeps before it is given up.
const CHANGED_MAX: usize = 4_096;

/// The indexes of a database.
#[derive(Default)]
pub struct Indexes {
    by: HashMap<(Path, Order), Index>,
}

struct Index {
    positions: BTreeSet<Position>,
    by_key: HashMap<Key, Position>,
    /// Not looked at since they changed.
    changed: HashSet<Key>,
}

impl Indexes {
    /// Takes in a commit.
    pub fn note(&mut self, effects: &Effects) {
        self.by.retain(|(place, _), index| {
            effects.changes.iter().all(|(path, _)| {
                let Some(key) = path.keys().get(place.keys().len()) else {
                    // The whole place, unless it is beside it.
                    return !place.starts_with(path);
                };
                if path.starts_with(place) {
                    index.changed.insert(key.clone());
                }
                index.changed.len() <= CHANGED_MAX
            })
        });
    }

    /// What a query with a limit looks at, at a version up to which all commits have been noted: what it shows, and one child
    /// more where there are others.
    pub async fn look(
        &mut self,
        database: &Database,
        version: Version,
        (path, query): (&Path, &Query),
    ) -> Result<Seen, Failure> {
        let Some(limit) = query.limit.filter(|_| query.order != Order::Key) else {
            return database.look(version, (path, query), None).await;
        };
        let place = (path.clone(), query.order.clone());
        let Some(index) = self.by.get_mut(&place) else {
            let seen = database.look(version, (path, query), None).await?;
            self.keep(place, query, &seen);
            return Ok(seen);
        };
        index.catch_up(database, version, (path, query)).await?;
        let count = usize::try_from(limit.count).unwrap_or(usize::MAX).saturating_add(1);
        let admitted = |position: &&Position| query.admits(position);
        let keys: Vec<Key> = match limit.side {
            Side::First => {
                index.positions.iter().filter(admitted).take(count).map(Position::key).cloned().collect()
            }
            Side::Last => index
                .positions
                .iter()
                .rev()
                .filter(admitted)
                .take(count)
                .map(Position::key)
                .cloned()
                .collect(),
        };
        let Seen::Children(mut children) = database.look(version, (path, query), Some(&keys)).await? else {
            return database.look(version, (path, query), None).await;
        };
        children.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let children = children.into_iter().filter_map(|(key, child)| Some((key, child?))).collect();
        Ok(Seen::All(crate::model::Node::inner(children, None)))
    }

    fn keep(&mut self, place: (Path, Order), query: &Query, seen: &Seen) {
        let Seen::All(Some(node)) = seen else { return };
        let held: usize = self.by.values().map(|index| index.by_key.len()).sum();
        if self.by.len() >= INDEXES_MAX || held + node.children().len() > CHILDREN_MAX {
            self.by.clear();
        }
        if node.children().len() > CHILDREN_MAX {
            return;
        }
        let by_key: HashMap<Key, Position> =
            node.children().iter().map(|(key, child)| (key.clone(), query.position(key, child))).collect();
        let positions = by_key.values().cloned().collect();
        self.by.insert(place, Index { positions, by_key, changed: HashSet::new() });
    }
}

impl Index {
    async fn catch_up(
        &mut self,
        database: &Database,
        version: Version,
        (path, query): (&Path, &Query),
    ) -> Result<(), Failure> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = self.changed.iter().cloned().collect();
        let Seen::Children(children) = database.look(version, (path, query), Some(&keys)).await? else {
            return Ok(());
        };
        self.changed.clear();
        for (key, child) in children {
            if let Some(position) = self.by_key.remove(&key) {
                self.positions.remove(&position);
            }
            if let Some(child) = child {
                let position = query.position(&key, &child);
                self.positions.insert(position.clone());
                self.by_key.insert(key, position);
            }
        }
        Ok(())
    }
}
