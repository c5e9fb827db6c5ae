//! Open grants: what stays allowed only while what it was decided on stays as it was.
//!
//! A stream that goes on showing data holds an [`OpenGrant`] for each thing it shows. The grant depends on the rows that
//! the rules read, on the caller's own row, on the rules in force, and on the time where the rules look at it. Whoever
//! follows the store's changes reports them with [`OpenGrants::apply`] *before* data of the same change may leave; the
//! holder then finds its grant [stale](OpenGrant::is_stale), and decides again before it shows more.
//!
//! Invariant: a change is never missed between a decision and the registration of what it depends on: changes that were
//! applied meanwhile are remembered, and where they reach no further back the grant is stale from the start.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use kv::{Change, Key, KeyRange, Version};
use parking_lot::Mutex;

use crate::caller::Caller;
use crate::gate::Gate;
use crate::grant::Footprint;

/// Changed rows that are remembered for grants that are about to be registered.
const RECENT_ROWS_MAX: usize = 16_384;
/// Rows that one grant may depend on; one that depends on more is stale after every change.
pub const DEPENDENCIES_MAX: usize = 1_000;

/// Who holds a grant, and must look at it again.
pub trait Holder: Send + Sync {
    /// Something the grant depends on has changed.
    fn wake(&self);
}

/// What all open grants of the house depend on.
#[derive(Default)]
pub struct OpenGrants {
    state: Mutex<State>,
    /// Whose turn it is to report commits.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    next: u64,
    grants: HashMap<u64, Entry>,
    by_key: HashMap<Key, Vec<u64>>,
    /// Grants that depend on all rows with a prefix, by the prefix.
    by_prefix: HashMap<Key, Vec<u64>>,
    /// How many prefixes there are of each length in bytes.
    prefix_lengths: BTreeMap<usize, usize>,
    /// Grants that depend on other ranges, or on too much.
    broad: BTreeMap<u64, Vec<KeyRange>>,
    recent: VecDeque<(Version, Key)>,
    /// Changes after this version are all in `recent`.
    since: Version,
    /// The newest change applied.
    applied: Version,
}

struct Entry {
    keys: Vec<Key>,
    prefixes: Vec<Key>,
    stale: Arc<AtomicBool>,
    holder: Weak<dyn Holder>,
}

impl Entry {
    fn touch(&self) {
        if !self.stale.swap(true, Ordering::AcqRel)
            && let Some(holder) = self.holder.upgrade()
        {
            holder.wake();
        }
    }
}

/// A grant that is open. Dropped, it depends on nothing any more.
pub struct OpenGrant {
    id: u64,
    gate: Gate,
    keys: Vec<Key>,
    ranges: Vec<KeyRange>,
    stale: Arc<AtomicBool>,
    generation: u64,
    depends_on_time: bool,
}

/// What a grant was decided on.
#[derive(Clone, Debug)]
pub struct Decided {
    /// What the rules read and looked at.
    pub footprint: Footprint,
    /// The version that the decision saw.
    pub at: Version,
    /// The generation of the rules, as read before the decision: [`crate::Rulesets::generation`].
    pub generation: u64,
}

impl Gate {
    /// Opens a grant for a caller.
    pub fn open(&self, caller: &Caller, decided: Decided, holder: Weak<dyn Holder>) -> OpenGrant {
        let mut grant = OpenGrant {
            id: self.inner.grants.next(),
            gate: self.clone(),
            keys: Vec::new(),
            ranges: Vec::new(),
            stale: Arc::new(AtomicBool::new(false)),
            generation: 0,
            depends_on_time: false,
        };
        self.inner.grants.state.lock().grants.insert(
            grant.id,
            Entry { keys: Vec::new(), prefixes: Vec::new(), stale: Arc::clone(&grant.stale), holder },
        );
        grant.renew(caller, decided, false);
        grant
    }

    /// The open grants of the house.
    pub fn open_grants(&self) -> &OpenGrants {
        &self.inner.grants
    }
}

impl OpenGrant {
    /// Whether it must be decided again before more is shown: a row it depends on has changed, or the rules have.
    /// `generation` is that of the rules in force.
    pub fn is_stale(&self, generation: u64) -> bool {
        self.generation != generation || self.stale.load(Ordering::Acquire)
    }

    /// Whether the time alone can end it.
    pub fn depends_on_time(&self) -> bool {
        self.depends_on_time
    }

    /// Begins a new decision: changes from now on make it stale again.
    pub fn begin(&self) {
        self.stale.store(false, Ordering::Release);
    }

    /// It was decided anew. With `adds`, what it depended on before still counts: for a grant made of several decisions.
    pub fn renew(&mut self, caller: &Caller, decided: Decided, adds: bool) {
        let Decided { footprint, at, generation } = decided;
        let mut keys = footprint.keys;
        let mut ranges = footprint.ranges;
        keys.extend(caller.depends_on().cloned());
        if adds {
            keys.append(&mut self.keys);
            ranges.append(&mut self.ranges);
        }
        keys.sort_unstable();
        keys.dedup();
        self.depends_on_time = footprint.time || (adds && self.depends_on_time);
        self.generation = if adds { self.generation.min(generation) } else { generation };
        if self.keys != keys || self.ranges != ranges {
            self.gate.inner.grants.watch(self.id, &keys, &ranges);
        }
        (self.keys, self.ranges) = (keys, ranges);
        if self.gate.inner.grants.changed_since(at, &self.keys, &self.ranges) {
            self.stale.store(true, Ordering::Release);
        }
    }
}

impl Drop for OpenGrant {
    fn drop(&mut self) {
        self.gate.inner.grants.remove(self.id);
    }
}

impl OpenGrants {
    fn next(&self) -> u64 {
        let mut state = self.state.lock();
        state.next += 1;
        state.next
    }

    fn watch(&self, id: u64, keys: &[Key], ranges: &[KeyRange]) {
        let mut state = self.state.lock();
        state.forget(id);
        let is_too_much = keys.len() + ranges.len() > DEPENDENCIES_MAX;
        let (prefixes, others): (Vec<_>, Vec<_>) = ranges.iter().partition(|range| range.is_prefix());
        if is_too_much {
            state.broad.insert(id, Vec::new());
        } else if !others.is_empty() {
            state.broad.insert(id, others.into_iter().cloned().collect());
        }
        if !is_too_much {
            state.watch_prefixes(id, prefixes.into_iter().map(|range| range.start.clone()).collect());
            for key in keys {
                state.by_key.entry(key.clone()).or_default().push(id);
            }
            if let Some(entry) = state.grants.get_mut(&id) {
                entry.keys = keys.to_vec();
            }
        }
    }

    fn remove(&self, id: u64) {
        let mut state = self.state.lock();
        state.forget(id);
        state.grants.remove(&id);
        if state.grants.is_empty() {
            // Nobody is about to need what was changed before; what is being decided now sees it.
            state.recent.clear();
            state.since = state.applied;
        }
    }

    /// Whether something of this was changed after a version, as far as changes have been applied.
    fn changed_since(&self, at: Version, keys: &[Key], ranges: &[KeyRange]) -> bool {
        let state = self.state.lock();
        if at >= state.applied {
            return false;
        }
        if at < state.since || keys.len() + ranges.len() > DEPENDENCIES_MAX {
            return true;
        }
        let newer = state.recent.iter().rev().take_while(|(version, _)| *version > at);
        newer
            .into_iter()
            .any(|(_, key)| keys.binary_search(key).is_ok() || ranges.iter().any(|range| range.contains(key)))
    }

    /// Takes in a commit: grants that depend on its rows are stale from now on, and their holders are woken. To be called
    /// in the order of commits, before data of this one leaves.
    pub fn apply(&self, change: &Change) {
        let mut state = self.state.lock();
        if change.version <= state.applied {
            return;
        }
        state.applied = change.version;
        if state.grants.is_empty() {
            state.since = change.version;
            return;
        }
        for row in &change.rows {
            state.touch(&row.key);
            // The commit itself is not kept for it.
            state.recent.push_back((change.version, row.key.detached()));
        }
        while state.recent.len() > RECENT_ROWS_MAX {
            if let Some((version, _)) = state.recent.pop_front() {
                state.since = version;
            }
        }
    }

    /// Whether commits up to a version have been reported.
    pub(crate) fn is_at(&self, version: Version) -> bool {
        self.state.lock().applied >= version
    }

    /// The newest commit reported, when it is before a version. Where there are no grants nothing is missing.
    pub(crate) fn behind(&self, version: Version) -> Option<Version> {
        let mut state = self.state.lock();
        if state.applied < version && state.grants.is_empty() {
            (state.applied, state.since) = (version, version);
        }
        (state.applied < version).then_some(state.applied)
    }

    /// Goes on from a version. Commits that were `missed` may have touched everything.
    pub(crate) fn skip_to(&self, version: Version, missed: bool) {
        let mut state = self.state.lock();
        if missed {
            state.grants.values().for_each(Entry::touch);
            state.recent.clear();
            state.since = version;
        }
        state.applied = state.applied.max(version);
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.state.lock().grants.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    fn touch(&self, key: &Key) {
        let by_key = self.by_key.get(key).into_iter().flatten();
        let prefixes = self.prefix_lengths.keys().filter_map(|length| key.prefix(*length));
        let by_prefix = prefixes.filter_map(|prefix| self.by_prefix.get(&prefix)).flatten();
        let broad = self
            .broad
            .iter()
            .filter(|(_, ranges)| ranges.is_empty() || ranges.iter().any(|range| range.contains(key)));
        for id in by_key.chain(by_prefix).chain(broad.map(|(id, _)| id)) {
            if let Some(entry) = self.grants.get(id) {
                entry.touch();
            }
        }
    }

    fn watch_prefixes(&mut self, id: u64, prefixes: Vec<Key>) {
        for prefix in &prefixes {
            let ids = self.by_prefix.entry(prefix.clone()).or_default();
            if ids.is_empty() {
                *self.prefix_lengths.entry(prefix.stored().len()).or_default() += 1;
            }
            ids.push(id);
        }
        if let Some(entry) = self.grants.get_mut(&id) {
            entry.prefixes = prefixes;
        }
    }

    fn forget_prefixes(&mut self, id: u64) {
        let prefixes = self.grants.get_mut(&id).map(|entry| std::mem::take(&mut entry.prefixes));
        for prefix in prefixes.unwrap_or_default() {
            let Some(ids) = self.by_prefix.get_mut(&prefix) else { continue };
            ids.retain(|other| *other != id);
            if !ids.is_empty() {
                continue;
            }
            self.by_prefix.remove(&prefix);
            let length = prefix.stored().len();
            if let Some(count) = self.prefix_lengths.get_mut(&length) {
                *count -= 1;
                if *count == 0 {
                    self.prefix_lengths.remove(&length);
                }
            }
        }
    }

    fn forget(&mut self, id: u64) {
        self.broad.remove(&id);
        self.forget_prefixes(id);
        let keys = self.grants.get_mut(&id).map(|entry| std::mem::take(&mut entry.keys));
        for key in keys.unwrap_or_default() {
            if let Some(ids) = self.by_key.get_mut(&key) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.by_key.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use base::SystemClock;
    use kv::{Keyspace, Mem, Options, RowChange, Store};

    use super::*;
    use crate::log::AccessLog;
    use crate::mode::Mode;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Holder for Woken {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn key(name: &str) -> Key {
        Key::new(Keyspace(1), name.as_bytes())
    }

    fn change(version: i64, names: &[&str]) -> Change {
        let row = |name: &&str| RowChange { key: key(name), before: None, after: None };
        Change { version: Version(version), note: None, rows: names.iter().map(row).collect() }
    }

    fn decided(at: i64, names: &[&str], generation: u64) -> Decided {
        let keys = names.iter().map(|name| key(name)).collect();
        Decided { footprint: Footprint { keys, ..Footprint::default() }, at: Version(at), generation }
    }

    async fn gate() -> Gate {
        let store = Store::open(Mem::default(), Options::default()).await.unwrap();
        Gate::new(store, AccessLog::discarding(), Arc::new(SystemClock), Mode::Serve)
    }

    #[tokio::test]
    async fn a_grant_is_stale_when_what_it_depends_on_changes_and_not_before() {
        let (gate, woken) = (gate().await, Arc::new(Woken::default()));
        let holder: Arc<dyn Holder> = woken.clone();
        let caller = Caller::unauthenticated();
        let mut grant = gate.open(&caller, decided(10, &["role"], 0), Arc::downgrade(&holder));
        let grants = gate.open_grants();
        grants.apply(&change(11, &["other"]));
        assert!(!grant.is_stale(0) && grant.is_stale(1), "other rules are another matter");
        grants.apply(&change(12, &["a", "role"]));
        grants.apply(&change(13, &["role"]));
        assert!(grant.is_stale(0));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "who has been woken is not woken again");
        // Decided anew, and on something else.
        grant.begin();
        grant.renew(&caller, decided(13, &["team"], 0), false);
        grants.apply(&change(14, &["role"]));
        assert!(!grant.is_stale(0));
        grants.apply(&change(15, &["team"]));
        assert!(grant.is_stale(0));
        drop(grant);
        assert!(grants.is_empty());
    }

    #[tokio::test]
    async fn a_grant_on_all_below_a_prefix_is_stale_when_something_there_changes() {
        let gate = gate().await;
        let holder: Arc<dyn Holder> = Arc::new(Woken::default());
        let caller = Caller::unauthenticated();
        let on = |prefix: &str| {
            let ranges = vec![KeyRange::prefix(Keyspace(1), prefix.as_bytes())];
            let decided = Decided {
                footprint: Footprint { ranges, ..Footprint::default() },
                at: Version(10),
                generation: 0,
            };
            gate.open(&caller, decided, Arc::downgrade(&holder))
        };
        let grants = gate.open_grants();
        let (users, user, all) = (on("users/"), on("users/ann/"), on(""));
        grants.apply(&change(11, &["users/bob/role"]));
        assert!(users.is_stale(0) && all.is_stale(0) && !user.is_stale(0));
        grants.apply(&change(12, &["users/ann/role"]));
        assert!(user.is_stale(0));
        drop((users, user, all));
        assert!(grants.state.lock().prefix_lengths.is_empty() && grants.state.lock().by_prefix.is_empty());
    }

    #[tokio::test]
    async fn who_follows_from_later_on_reports_what_was_missed() {
        let gate = gate().await;
        let admin = Caller::admin("owner");
        let write = async |name: &str| {
            let operation = crate::gate::Operation {
                service: crate::service::Service::Store,
                verb: "Write",
                resource: "/".to_owned(),
            };
            let mut session = gate.begin(&admin, operation).await.unwrap();
            let permit = session.authorize_admin("/").unwrap();
            session.write(&permit, key(name), Some("x".into()));
            session.commit().await.unwrap()
        };
        let first = write("a").await;
        gate.settle(first).await.unwrap();
        let holder: Arc<dyn Holder> = Arc::new(Woken::default());
        let decided = Decided { at: first, ..decided(0, &["role"], 0) };
        let grant = gate.open(&admin, decided, Arc::downgrade(&holder));
        write("role").await;
        let third = write("b").await;
        assert!(!grant.is_stale(0));
        let fourth = write("c").await;
        assert_eq!(gate.follow(third, 10).await.unwrap().len(), 1);
        assert!(grant.is_stale(0), "`role` was changed before the version that was followed from");
        assert!(gate.open_grants().is_at(fourth));
    }

    #[tokio::test]
    async fn a_change_between_a_decision_and_its_registration_is_not_missed() {
        let gate = gate().await;
        let holder: Arc<dyn Holder> = Arc::new(Woken::default());
        let caller = Caller::unauthenticated();
        let open = |at, names: &[&str]| gate.open(&caller, decided(at, names, 0), Arc::downgrade(&holder));
        let first = open(10, &["x"]);
        gate.open_grants().apply(&change(11, &["role"]));
        gate.open_grants().apply(&change(12, &["else"]));
        assert!(open(10, &["role"]).is_stale(0) && !open(11, &["role"]).is_stale(0));
        assert!(!open(10, &["nothing"]).is_stale(0));
        // What is no longer remembered counts as changed.
        for version in 13..13 + i64::try_from(RECENT_ROWS_MAX).unwrap() {
            gate.open_grants().apply(&change(version, &["many"]));
        }
        assert!(open(11, &["nothing"]).is_stale(0));
        drop(first);
    }

    #[tokio::test]
    async fn a_grant_of_several_decisions_depends_on_all_of_them() {
        let gate = gate().await;
        let holder: Arc<dyn Holder> = Arc::new(Woken::default());
        let caller = Caller::unauthenticated();
        let mut grant = gate.open(&caller, decided(10, &["a"], 0), Arc::downgrade(&holder));
        grant.renew(&caller, decided(10, &["b"], 1), true);
        assert!(grant.is_stale(1), "one of them is of older rules");
        gate.open_grants().apply(&change(11, &["a"]));
        assert!(grant.is_stale(0));
    }
}
