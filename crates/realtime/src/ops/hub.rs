//! Who listens where, and who is told what.
//!
//! Listeners stand at their places in the order of rows: those above a change are found by its path, those below it in one
//! range. Who listens without a query is sent the change itself; who listens with one is sent what it does to the view
//! that all listeners with the same query share.

use std::collections::BTreeMap;
use std::sync::Arc;

use kv::Version;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::delta::{Changed, Delta};
use super::outbox::{Outbox, Push};
use crate::model::{Key, Node, Path};
use crate::query::Query;
use crate::query::view::{Applied, Difference, View};

/// Changes that are kept while a query is read; beyond it the whole is looked at again.
const KEPT_MAX: usize = 1_000;

/// A place in the order of rows.
type Spot = Vec<u8>;

/// What one write did: places with what is there now.
#[derive(Clone, Debug)]
pub struct Effects {
    /// The place that the write was about.
    pub path: Path,
    /// Whether it is an update, which leaves what it does not name.
    pub is_merge: bool,
    /// What is where now. Paths are from the root; none is below another.
    pub changes: Vec<(Path, Option<Arc<Node>>)>,
}

/// Who listens.
#[derive(Clone)]
pub struct Listener {
    /// The client's number for it.
    pub id: u64,
    /// Where it is told.
    pub outbox: Arc<Outbox>,
}

impl Listener {
    fn is(&self, other: &Listener) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.outbox, &other.outbox)
    }

    fn push(&self, version: Version, delta: &Arc<Delta>) {
        self.outbox.push(Push { listen: self.id, version, delta: Arc::clone(delta) });
    }
}

/// The listeners of a database.
#[derive(Default)]
pub struct Hub {
    places: Mutex<BTreeMap<Spot, Place>>,
    settled: Notify,
}

struct Place {
    path: Path,
    listeners: Vec<Listener>,
    queries: Vec<Shared>,
}

/// A query that somebody listens to.
struct Shared {
    query: Query,
    listeners: Vec<Listener>,
    state: State,
}

enum State {
    /// It is being read; what changes meanwhile is kept.
    Loading(Vec<(Version, Dirty)>),
    /// It is right as of a version, but for what has changed since.
    Ready { view: Box<View>, at: Version, dirty: Vec<Dirty> },
}

/// What has to be looked at again.
#[derive(Clone, Debug, PartialEq)]
pub enum Dirty {
    /// A child.
    Child(Key),
    /// Everything.
    All,
}

/// A view that changes may concern.
pub struct Touched {
    /// Its place.
    pub path: Path,
    /// Its query.
    pub query: Query,
    /// What has to be looked at again.
    pub dirty: Vec<Dirty>,
}

/// What was found when it was looked at again.
pub enum Seen {
    /// Some children.
    Children(Vec<(Key, Option<Arc<Node>>)>),
    /// All of it.
    All(Option<Arc<Node>>),
}

fn spot(path: &Path) -> Spot {
    let mut spot = Vec::new();
    path.encode(&mut spot);
    spot
}

impl Hub {
    /// Adds a listener without a query. It is told of commits from now on.
    pub fn listen(&self, path: &Path, listener: Listener) {
        Self::place(&mut self.places.lock(), path).listeners.push(listener);
    }

    /// Adds a listener with a query. Gives whether it is the first, who has to read what the query finds and say so with
    /// [`Hub::loaded`]; the others wait for [`Hub::shown`].
    pub fn listen_to_query(&self, path: &Path, query: &Query, listener: Listener) -> bool {
        let mut places = self.places.lock();
        let place = Self::place(&mut places, path);
        match place.queries.iter_mut().find(|shared| shared.query == *query) {
            Some(shared) => {
                shared.listeners.push(listener);
                false
            }
            None => {
                let state = State::Loading(Vec::new());
                place.queries.push(Shared { query: query.clone(), listeners: vec![listener], state });
                true
            }
        }
    }

    /// What a query shows and the version of that, where everything that has changed is in it.
    pub fn shown(&self, path: &Path, query: &Query) -> Option<(Option<Arc<Node>>, Version)> {
        let places = self.places.lock();
        let shared = places.get(&spot(path))?.queries.iter().find(|shared| shared.query == *query)?;
        match &shared.state {
            State::Ready { view, at, dirty } if dirty.is_empty() => Some((view.node(), *at)),
            State::Ready { .. } | State::Loading(_) => None,
        }
    }

    /// Waits until a view may have become right.
    pub async fn settled(&self) {
        self.settled.notified().await;
    }

    /// What a query finds at a version. Gives what changed since and was kept.
    pub fn loaded(&self, path: &Path, query: &Query, version: Version, node: Option<&Arc<Node>>) {
        let mut places = self.places.lock();
        let place = places.get_mut(&spot(path));
        let shared = place.and_then(|place| place.queries.iter_mut().find(|shared| shared.query == *query));
        let Some(shared) = shared else { return };
        if let State::Loading(kept) = &mut shared.state {
            let newer = std::mem::take(kept).into_iter().filter(|(at, _)| *at > version);
            let dirty = newer.map(|(_, dirty)| dirty).collect();
            let view = Box::new(View::of(query.clone(), node));
            shared.state = State::Ready { view, at: version, dirty };
            self.settled.notify_waiters();
        }
    }

    /// Takes a listener away.
    pub fn forget(&self, path: &Path, query: &Query, listener: &Listener) {
        let mut places = self.places.lock();
        let at = spot(path);
        let Some(place) = places.get_mut(&at) else { return };
        if query.is_default() {
            place.listeners.retain(|other| !other.is(listener));
        } else {
            for shared in place.queries.iter_mut().filter(|shared| shared.query == *query) {
                shared.listeners.retain(|other| !other.is(listener));
            }
            place.queries.retain(|shared| !shared.listeners.is_empty());
        }
        if place.listeners.is_empty() && place.queries.is_empty() {
            places.remove(&at);
        }
    }

    /// Whether nobody listens.
    pub fn is_idle(&self) -> bool {
        self.places.lock().is_empty()
    }

    fn place<'p>(places: &'p mut BTreeMap<Spot, Place>, path: &Path) -> &'p mut Place {
        places.entry(spot(path)).or_insert_with(|| Place {
            path: path.clone(),
            listeners: Vec::new(),
            queries: Vec::new(),
        })
    }

    /// Tells listeners without a query of a commit, and notes what views have to look at again.
    pub fn publish(&self, version: Version, effects: &Effects) {
        let mut places = self.places.lock();
        if places.is_empty() {
            return;
        }
        let mut whole = None;
        for above in effects.path.with_ancestors() {
            let Some(place) = places.get_mut(&spot(&above)) else { continue };
            if !place.listeners.is_empty() {
                let delta = whole.get_or_insert_with(|| effects.delta());
                place.listeners.iter().for_each(|listener| listener.push(version, delta));
            }
            place.note(version, effects);
        }
        let mut touched: Vec<Spot> = Vec::new();
        for (path, _) in &effects.changes {
            // Between the write's place and the change.
            let depth = effects.path.keys().len();
            let between =
                path.with_ancestors().filter(|place| place.keys().len() > depth).map(|place| spot(&place));
            touched.extend(between.filter(|at| places.contains_key(at)));
            let at = spot(path);
            let below = places.range(at.clone()..).take_while(|(key, _)| key.starts_with(&at));
            touched.extend(below.map(|(key, _)| key.clone()).filter(|key| *key != spot(&effects.path)));
        }
        touched.sort_unstable();
        touched.dedup();
        for at in touched {
            let Some(place) = places.get_mut(&at) else { continue };
            if !place.listeners.is_empty() {
                let delta = effects.delta_at(&place.path);
                place.listeners.iter().for_each(|listener| listener.push(version, &delta));
            }
            place.note(version, effects);
        }
    }

    /// The views that have to look at something again.
    pub fn touched(&self) -> Vec<Touched> {
        let mut places = self.places.lock();
        let mut touched = Vec::new();
        for place in places.values_mut() {
            for shared in &mut place.queries {
                if let State::Ready { dirty, .. } = &mut shared.state
                    && !dirty.is_empty()
                {
                    let dirty = std::mem::take(dirty);
                    touched.push(Touched { path: place.path.clone(), query: shared.query.clone(), dirty });
                }
            }
        }
        touched
    }

    /// What a view found at a version. Its listeners are told what that changes. Gives whether it has to be read anew.
    pub fn seen(&self, path: &Path, query: &Query, version: Version, seen: Seen) -> bool {
        let mut places = self.places.lock();
        let place = places.get_mut(&spot(path));
        let shared = place.and_then(|place| place.queries.iter_mut().find(|shared| shared.query == *query));
        let Some(Shared { listeners, state: State::Ready { view, at, .. }, .. }) = shared else {
            return false;
        };
        let difference = match seen {
            Seen::All(node) => view.reload(node.as_ref()),
            Seen::Children(children) => match view.apply(&children) {
                Applied::Difference(difference) => difference,
                Applied::NeedsReload => return true,
            },
        };
        *at = version;
        self.settled.notify_waiters();
        if !difference.is_empty() {
            let delta = merge(path, difference);
            listeners.iter().for_each(|listener| listener.push(version, &delta));
        }
        false
    }
}

fn merge(path: &Path, difference: Difference) -> Arc<Delta> {
    let children = difference.into_iter().map(|(key, child)| (Path::ROOT.child(key), child));
    Delta::new(path.clone(), Changed::Merge(children.collect()))
}

impl Place {
    fn note(&mut self, version: Version, effects: &Effects) {
        if self.queries.is_empty() {
            return;
        }
        let depth = self.path.keys().len();
        for (path, _) in &effects.changes {
            let dirty = if self.path.starts_with(path) {
                Dirty::All
            } else if path.starts_with(&self.path) {
                match path.keys().get(depth) {
                    Some(key) => Dirty::Child(key.clone()),
                    None => Dirty::All,
                }
            } else {
                continue;
            };
            for shared in &mut self.queries {
                match &mut shared.state {
                    State::Loading(kept) if kept.len() >= KEPT_MAX => *kept = vec![(version, Dirty::All)],
                    State::Loading(kept) => kept.push((version, dirty.clone())),
                    State::Ready { dirty: noted, at, .. } => {
                        if version > *at && !noted.contains(&dirty) {
                            noted.push(dirty.clone());
                        }
                    }
                }
            }
        }
    }
}

impl Effects {
    /// The write as it is told at or above its place.
    fn delta(&self) -> Arc<Delta> {
        match self.changes.as_slice() {
            [(path, value)] => Delta::new(path.clone(), Changed::Set(value.clone())),
            changes => {
                let relative = |(path, value): &(Path, Option<Arc<Node>>)| {
                    Some((path.relative_to(&self.path)?, value.clone()))
                };
                let values = changes.iter().filter_map(relative).collect();
                Delta::new(self.path.clone(), Changed::Merge(values))
            }
        }
    }

    /// What it did at a place that it changes as a whole or in part.
    fn delta_at(&self, place: &Path) -> Arc<Delta> {
        let mut values = Vec::new();
        for (path, value) in &self.changes {
            if let Some(rest) = place.relative_to(path) {
                let value = Node::find(value.as_ref(), rest.keys()).cloned();
                return Delta::new(place.clone(), Changed::Set(value));
            }
            if let Some(relative) = path.relative_to(place) {
                values.push((relative, value.clone()));
            }
        }
        match values.as_slice() {
            [(relative, value)] => Delta::new(place.join(relative), Changed::Set(value.clone())),
            _ => Delta::new(place.clone(), Changed::Merge(values)),
        }
    }
}
