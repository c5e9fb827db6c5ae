//! Which keys were written lately, for validating transactions without asking the engine.

use std::collections::VecDeque;

use foldhash::{HashMap, HashMapExt};

use crate::key::{Key, KeyRange};
use crate::txn::Txn;
use crate::version::Version;

/// Every write after `since`: who wrote a key last, and all of them in order.
pub(super) struct Recent {
    since: Version,
    newest: HashMap<Key, Version>,
    order: VecDeque<(Version, Key)>,
}

impl Recent {
    /// Knows nothing up to this version and everything after it.
    pub(super) fn new(since: Version) -> Self {
        Self { since, newest: HashMap::new(), order: VecDeque::new() }
    }

    /// Transactions with this base or a newer one can be judged from here alone.
    pub(super) fn since(&self) -> Version {
        self.since
    }

    /// A write. Versions must not fall.
    pub(super) fn add(&mut self, key: Key, version: Version) {
        self.newest.insert(key.clone(), version);
        self.order.push_back((version, key));
    }

    /// Takes over newer writes.
    pub(super) fn append(&mut self, newer: &mut Recent) {
        self.newest.extend(newer.newest.drain());
        self.order.append(&mut newer.order);
    }

    /// Forgets all writes, as if they had not been.
    pub(super) fn clear(&mut self) {
        self.newest.clear();
        self.order.clear();
    }

    /// Forgets the oldest versions until at most this many writes are left.
    pub(super) fn shrink(&mut self, rows_max: usize) {
        while self.order.len() > rows_max {
            let Some(oldest) = self.order.front().map(|(version, _)| *version) else { return };
            // Whole versions only: half a known commit would let a reader of the other half pass.
            while let Some((version, key)) = self.order.pop_front_if(|(version, _)| *version == oldest) {
                if self.newest.get(&key) == Some(&version) {
                    self.newest.remove(&key);
                }
            }
            self.since = oldest;
        }
    }

    /// A write after the transaction's base to something it read.
    pub(super) fn conflict(&self, txn: &Txn) -> Option<(Key, Version)> {
        let by_key = txn.reads.iter().find_map(|key| {
            let version = *self.newest.get(key)?;
            (version > txn.base).then(|| (key.clone(), version))
        });
        if by_key.is_some() || txn.read_ranges.is_empty() {
            return by_key;
        }
        // Writes since the base are few, rows in a range may be many: walk the writes.
        let cover = Cover::new(&txn.read_ranges);
        let mut since_base = self.order.iter().rev().take_while(|(version, _)| *version > txn.base);
        since_base.find(|(_, key)| cover.contains(key)).map(|(version, key)| (key.clone(), *version))
    }
}

/// Ranges, sorted and merged, so that one of many is found quickly.
pub(super) struct Cover<'a> {
    ranges: Vec<(&'a Key, &'a Key)>,
}

impl<'a> Cover<'a> {
    pub(super) fn new(ranges: &'a [KeyRange]) -> Self {
        let mut sorted: Vec<(&Key, &Key)> =
            ranges.iter().filter(|range| !range.is_empty()).map(|range| (&range.start, &range.end)).collect();
        sorted.sort();
        let mut merged: Vec<(&Key, &Key)> = Vec::with_capacity(sorted.len());
        for (start, end) in sorted {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        Self { ranges: merged }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        let behind = self.ranges.partition_point(|(start, _)| *start <= key);
        behind.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, end)| key < *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Keyspace;

    fn key(name: &str) -> Key {
        Key::new(Keyspace(1), name.as_bytes())
    }

    #[test]
    fn shrinking_forgets_whole_versions_and_keeps_newer_writes_of_the_same_key() {
        let mut recent = Recent::new(Version(0));
        for (name, version) in [("a", 1), ("b", 1), ("a", 2), ("c", 3)] {
            recent.add(key(name), Version(version));
        }
        recent.shrink(3);
        assert_eq!(recent.since(), Version(1));
        let reads = |name| Txn { base: Version(1), reads: vec![key(name)], ..Txn::default() };
        assert_eq!(recent.conflict(&reads("a")), Some((key("a"), Version(2))));
        assert_eq!(recent.conflict(&reads("b")), None);
        let range = KeyRange::prefix(Keyspace(1), b"");
        let ranged = |base| Txn { base: Version(base), read_ranges: vec![range.clone()], ..Txn::default() };
        assert_eq!(recent.conflict(&ranged(2)), Some((key("c"), Version(3))));
        assert_eq!(recent.conflict(&ranged(3)), None);
    }

    #[test]
    fn a_cover_holds_exactly_what_one_of_its_ranges_holds() {
        let span = |start: &str, end: &str| KeyRange::between(key(start), key(end));
        let ranges =
            [span("m", "p"), span("a", "c"), span("b", "e"), span("x", "x"), span("n", "o"), span("e", "f")];
        let cover = Cover::new(&ranges);
        assert_eq!(cover.ranges.len(), 2);
        for name in ["", "a", "b", "c", "d", "dz", "e", "f", "g", "m", "n", "o", "oz", "p", "x", "z"] {
            let expected = ranges.iter().any(|range| range.contains(&key(name)));
            assert_eq!(cover.contains(&key(name)), expected, "{name}");
        }
    }
}
