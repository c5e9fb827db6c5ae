//! How far the present reaches: readers are promised that nothing will be committed up to a time they see.

use parking_lot::Mutex;

use crate::version::Version;

/// What the committer and readers agree on.
#[derive(Default)]
pub(crate) struct Horizon(Mutex<State>);

#[derive(Default)]
struct State {
    /// The newest published version; `None` while commits are under way.
    head: Option<Version>,
    promised: Version,
}

impl Horizon {
    /// The committer rests at a version.
    pub(crate) fn rest(&self, head: Version) {
        self.0.lock().head = Some(head);
    }

    /// Commits are under way. Gives the version that they must lie beyond.
    pub(super) fn work(&self) -> Version {
        let mut state = self.0.lock();
        state.head = None;
        state.promised
    }

    /// Until when the store stays as it is at a version: now, if that is the newest and nothing is under way. Commits
    /// will lie beyond.
    pub(crate) fn promise(&self, version: Version, now: Version) -> Version {
        let mut state = self.0.lock();
        if state.head != Some(version) || now <= version {
            return version;
        }
        state.promised = state.promised.max(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_lies_before_every_later_commit() {
        let horizon = Horizon::default();
        assert_eq!(horizon.promise(Version(5), Version(9)), Version(5));
        horizon.rest(Version(5));
        assert_eq!(horizon.promise(Version(5), Version(9)), Version(9));
        assert_eq!(horizon.promise(Version(4), Version(10)), Version(4));
        assert_eq!(horizon.work(), Version(9));
        assert_eq!(horizon.promise(Version(5), Version(12)), Version(5));
        horizon.rest(Version(11));
        assert_eq!(horizon.promise(Version(5), Version(13)), Version(5));
        assert_eq!(horizon.promise(Version(11), Version(10)), Version(11));
    }
}
