//! The first documents of an ordered result: what a query with a limit (or an offset) shows, and some more behind it, so that
//! one that leaves is replaced without a look at the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::DocumentPath;
use kv::Version;

use super::image::Image;
use crate::query::Query;

/// Documents behind the window, at least.
const SPARE_MIN: usize = 8;
/// And one for so many in the window.
const SPARE_RATIO: usize = 4;
/// Bytes of the documents of one window.
pub const WINDOW_BYTES_MAX: usize = 32 << 20;
/// Changes that wait for a window that is being loaded.
const BACKLOG_MAX: usize = 10_000;
/// Documents that have left and whose last state is remembered.
const LEFT_MAX: usize = 1_024;

/// A change of one document, as a view sees it.
#[derive(Clone)]
pub struct Touch {
    /// Where the document stood.
    pub before: Option<Vec<u8>>,
    /// Where it stands.
    pub after: Option<Vec<u8>>,
    /// Its new state.
    pub image: Arc<Image>,
}

/// Documents that have left a window, with the state in which they left.
pub type Left = Arc<HashMap<DocumentPath, Arc<Image>>>;

/// What a window shows, and what has left it lately.
pub type Shown = (Vec<Arc<Image>>, Left);

/// A window that follows the store.
pub struct Window {
    limit: Option<usize>,
    offset: usize,
    /// A walk from the end: names descend.
    reverse: bool,
    state: State,
    left: Left,
}

enum State {
    /// To be loaded, at a version from `since` on; what has changed after it.
    Unknown {
        since: Version,
        backlog: Vec<Touch>,
    },
    Known(Known),
}

struct Known {
    /// Changes up to this version are in it.
    at: Version,
    entries: BTreeMap<Vec<u8>, Arc<Image>>,
    /// There is nothing behind the entries.
    is_whole: bool,
    /// Of the documents.
    bytes: usize,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing that could be seen.
    Same,
    /// The window may look different.
    Changed,
    /// Too few are left: it must be loaded again.
    Lost,
}

impl Window {
    /// The window of a query, if it has one.
    pub fn of(query: &Query) -> Option<Self> {
        (query.limit.is_some() || query.offset > 0).then(|| Self {
            limit: query.limit,
            offset: query.offset,
            reverse: query.is_reverse(),
            state: State::unknown(Version::ZERO),
            left: Left::default(),
        })
    }

    /// What to load: the query with some more behind its limit, and nothing skipped.
    pub fn wanted(query: &Query) -> Query {
        let limit = query.needed().map(keep);
        Query { limit, offset: 0, ..query.clone() }
    }

    /// Whether it must be loaded.
    pub fn is_unknown(&self) -> bool {
        matches!(self.state, State::Unknown { .. })
    }

    /// It must be loaded again, as it is at a version or later.
    pub fn lose(&mut self, version: Version) {
        self.state = State::unknown(version);
    }

    /// The bytes of its documents.
    pub fn bytes(&self) -> usize {
        match &self.state {
            State::Unknown { .. } => 0,
            State::Known(known) => known.bytes,
        }
    }

    fn needed(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| limit.saturating_add(self.offset))
    }

    /// Takes in what was loaded at a version, and what has changed since. Returns whether it is known now: not when too
    /// much has changed.
    pub fn load(&mut self, at: Version, entries: BTreeMap<Vec<u8>, Arc<Image>>) -> bool {
        let State::Unknown { since, backlog } = &mut self.state else { return true };
        if at < *since {
            return false;
        }
        let backlog = std::mem::take(backlog);
        let is_whole = entries.len() < keep(self.needed());
        let bytes = entries.values().map(|image| image.bytes()).sum();
        self.state = State::Known(Known { at, entries, is_whole, bytes });
        for touch in backlog {
            if self.touch(touch) == Outcome::Lost {
                return false;
            }
        }
        true
    }

    /// A document has changed. To be called in the order of versions.
    pub fn touch(&mut self, touch: Touch) -> Outcome {
        self.remember(&touch);
        let (needed, reverse) = (self.needed(), self.reverse);
        let known = match &mut self.state {
            State::Known(known) => known,
            State::Unknown { since, backlog } => {
                if backlog.len() < BACKLOG_MAX {
                    backlog.push(touch);
                } else {
                    backlog.clear();
                    *since = touch.image.version;
                }
                return Outcome::Same;
            }
        };
        let version = touch.image.version;
        let outcome = known.touch(touch, needed, reverse);
        if outcome == Outcome::Lost {
            self.state = State::unknown(version);
        }
        outcome
    }

    fn remember(&mut self, touch: &Touch) {
        if touch.before.is_none() {
            return;
        }
        let left = Arc::make_mut(&mut self.left);
        if left.len() >= LEFT_MAX {
            left.clear();
        }
        left.insert(touch.image.path.clone(), Arc::clone(&touch.image));
    }

    /// The documents in it, and those that have left lately; `None` while it is not known up to this version.
    pub fn visible(&self, version: Version) -> Option<Shown> {
        let State::Known(known) = &self.state else { return None };
        if known.at > version {
            return None;
        }
        let limit = self.limit.unwrap_or(usize::MAX);
        let images: Vec<_> = if self.reverse {
            known.entries.values().rev().skip(self.offset).take(limit).cloned().collect()
        } else {
            known.entries.values().skip(self.offset).take(limit).cloned().collect()
        };
        Some((images, Arc::clone(&self.left)))
    }
}

/// The entries that are kept for so many that are needed.
fn keep(needed: usize) -> usize {
    needed.saturating_add(SPARE_MIN.max(needed / SPARE_RATIO))
}

impl State {
    fn unknown(since: Version) -> Self {
        State::Unknown { since, backlog: Vec::new() }
    }
}

impl Known {
    fn touch(&mut self, touch: Touch, needed: usize, reverse: bool) -> Outcome {
        if touch.image.version <= self.at {
            return Outcome::Same;
        }
        let mut outcome = Outcome::Same;
        if let Some(gone) = touch.before.and_then(|before| self.entries.remove(&before)) {
            self.bytes = self.bytes.saturating_sub(gone.bytes());
            outcome = Outcome::Changed;
        }
        if let Some(after) = touch.after
            && (self.is_whole || self.is_inside(&after, reverse))
        {
            self.bytes += touch.image.bytes();
            if let Some(before) = self.entries.insert(after, touch.image) {
                self.bytes = self.bytes.saturating_sub(before.bytes());
            }
            outcome = Outcome::Changed;
        }
        while self.entries.len() > keep(needed) {
            self.is_whole = false;
            let last = if reverse { self.entries.pop_first() } else { self.entries.pop_last() };
            self.bytes = self.bytes.saturating_sub(last.map_or(0, |(_, image)| image.bytes()));
        }
        let is_too_little = !self.is_whole && self.entries.len() < needed;
        // One that has grown too large is found to be so when it is loaded.
        if is_too_little || self.bytes > WINDOW_BYTES_MAX { Outcome::Lost } else { outcome }
    }

    /// Whether a position lies before the last entry, in the order of the query.
    fn is_inside(&self, position: &[u8], reverse: bool) -> bool {
        if reverse {
            self.entries.first_key_value().is_some_and(|(last, _)| position > last.as_slice())
        } else {
            self.entries.last_key_value().is_some_and(|(last, _)| position < last.as_slice())
        }
    }
}
