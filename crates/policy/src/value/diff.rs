//! The difference of two maps, key by key.

use super::compare::alike;
use super::{Map, Str};

/// The two sides of a map difference.
#[derive(Clone, Debug)]
pub struct MapDiff<'v> {
    /// The map that `diff` was called on.
    pub after: Map<'v>,
    /// Its argument.
    pub before: Map<'v>,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// Only the map that `diff` was called on has it.
    Added,
    /// Only the argument has it.
    Removed,
    /// Both have it, with different values.
    Changed,
    /// Both have it, with the same value.
    Unchanged,
}

impl KeyStatus {
    /// The name in the emulator's reports.
    pub fn name(self) -> &'static str {
        match self {
            KeyStatus::Added => "ADDED",
            KeyStatus::Removed => "REMOVED",
            KeyStatus::Changed => "CHANGED",
            KeyStatus::Unchanged => "UNCHANGED",
        }
    }
}

impl<'v> MapDiff<'v> {
    /// Every key of either map and what became of it. The values of all keys are compared: the work is theirs.
    pub fn statuses(&self) -> impl Iterator<Item = (Str<'v>, KeyStatus)> {
        let own = self.after.keys().into_iter().map(|key| {
            let status = match (self.after.get(key.as_str()), self.before.get(key.as_str())) {
                (Some(after), Some(before)) if alike(&after, &before) => KeyStatus::Unchanged,
                (Some(_), Some(_)) => KeyStatus::Changed,
                _ => KeyStatus::Added,
            };
            (key, status)
        });
        let gone = self.before.keys().into_iter().filter(|key| self.after.get(key.as_str()).is_none());
        own.chain(gone.map(|key| (key, KeyStatus::Removed)))
    }
}
