//! The newest entries of the change log, in memory: whoever follows the store has them without asking the engine.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::version::Version;

/// Bytes of the entries that are kept. The newest is kept however large it is.
const RING_BYTES_MAX: usize = 16 << 20;

/// Entries with their versions, oldest first.
pub(crate) type Entries = Vec<(Version, Bytes)>;

/// All entries after one version up to another.
pub(crate) struct Ring(Mutex<State>);

struct State {
    /// What is not newer is not here.
    since: Version,
    /// Everything after `since` up to here is.
    until: Version,
    entries: VecDeque<(Version, Bytes)>,
    bytes: usize,
}

impl Ring {
    /// Empty, at the store's newest version.
    pub(crate) fn new(head: Version) -> Self {
        Self(Mutex::new(State { since: head, until: head, entries: VecDeque::new(), bytes: 0 }))
    }

    /// Adds all entries after one version up to another. To be called before the latter is published.
    pub(crate) fn add(&self, after: Version, until: Version, entries: Entries) {
        let mut state = self.0.lock();
        if after != state.until {
            // Something is missing in between.
            state.entries.clear();
            (state.since, state.bytes) = (after, 0);
        }
        state.until = until;
        for (version, entry) in entries {
            state.bytes += entry.len();
            state.entries.push_back((version, entry));
        }
        while state.bytes > RING_BYTES_MAX && state.entries.len() > 1 {
            state.drop_first();
        }
    }

    /// Forgets what is not newer than a version.
    pub(crate) fn forget(&self, up_to: Version) {
        let mut state = self.0.lock();
        while state.entries.front().is_some_and(|(version, _)| *version <= up_to) {
            state.drop_first();
        }
        state.since = state.since.max(up_to.min(state.until));
    }

    /// The entries after a version, at most so many and so many bytes (but one, if there is any). `None` where not all up to the
    /// newest version, which is `published`, are here.
    pub(crate) fn after(
        &self,
        after: Version,
        published: Version,
        rows_max: usize,
        bytes_max: usize,
    ) -> Option<Entries> {
        let state = self.0.lock();
        if after < state.since || state.until < published {
            return None;
        }
        let first = state.entries.partition_point(|(version, _)| *version <= after);
        let (mut found, mut bytes) = (Vec::new(), 0usize);
        for (version, entry) in state.entries.range(first..).take(rows_max) {
            bytes += entry.len();
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push((*version, entry.clone()));
        }
        Some(found)
    }
}

impl State {
    fn drop_first(&mut self) {
        if let Some((version, entry)) = self.entries.pop_front() {
            self.bytes -= entry.len();
            self.since = version;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: i64, length: usize) -> (Version, Bytes) {
        (Version(version), vec![0; length].into())
    }

    fn versions(found: Option<Entries>) -> Option<Vec<i64>> {
        found.map(|entries| entries.into_iter().map(|(version, _)| version.0).collect())
    }

    #[test]
    fn it_has_everything_or_says_that_it_has_not() {
        let ring = Ring::new(Version(10));
        let after = |after, published| versions(ring.after(Version(after), Version(published), 100, 1 << 30));
        assert_eq!((after(10, 10), after(9, 10), after(10, 11)), (Some(vec![]), None, None));
        ring.add(Version(10), Version(13), vec![entry(11, 1), entry(13, 1)]);
        assert_eq!((after(10, 13), after(11, 13)), (Some(vec![11, 13]), Some(vec![13])));
        // A commit whose outcome was in doubt was not told of.
        ring.add(Version(15), Version(16), vec![entry(16, 1)]);
        assert_eq!((after(13, 16), after(15, 16)), (None, Some(vec![16])));
        ring.forget(Version(16));
        assert_eq!((after(15, 16), after(16, 16)), (None, Some(vec![])));
    }

    #[test]
    fn it_is_bounded_and_gives_no_more_than_was_asked_for() {
        let ring = Ring::new(Version(0));
        for version in 1..=5 {
            ring.add(Version(version - 1), Version(version), vec![entry(version, RING_BYTES_MAX / 4)]);
        }
        let after = |after, rows, bytes| versions(ring.after(Version(after), Version(5), rows, bytes));
        assert_eq!((after(0, 9, usize::MAX), after(1, 9, usize::MAX)), (None, Some(vec![2, 3, 4, 5])));
        assert_eq!((after(1, 2, usize::MAX), after(1, 9, 1)), (Some(vec![2, 3]), Some(vec![2])));
        ring.add(Version(5), Version(6), vec![entry(6, RING_BYTES_MAX * 2)]);
        assert_eq!(versions(ring.after(Version(5), Version(6), 1, 1)), Some(vec![6]));
    }
}
