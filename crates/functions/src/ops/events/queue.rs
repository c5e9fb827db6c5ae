//! Which event is told next: a state without I/O.
//!
//! Events of one function about the same thing form a *lane* and are told one after the other; lanes side by side, within
//! bounds, functions in turns.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv::{Key, Version};

use super::policy::Limits;

/// Events that one function is told of at once.
pub const OF_TARGET_MAX: usize = 32;
/// Events that are told at once.
pub const AT_ONCE_MAX: usize = 128;

/// One function and one thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The function.
    pub target: Arc<str>,
    /// The thing.
    pub about: Bytes,
}

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its row.
    pub row: Key,
    /// The commit that it is of.
    pub version: Version,
    /// How often it has been told.
    pub attempts: u32,
}

/// What becomes of a lane after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Its first event has been told.
    Done,
    /// Its first event is told again, after a pause: see [`Queue::resume`].
    Again {
        /// Whether the event has cost an attempt.
        counts: bool,
    },
}

#[derive(Default)]
struct Target {
    ready: VecDeque<Lane>,
    running: usize,
    is_held: bool,
}

/// All that waits.
#[derive(Default)]
pub struct Queue {
    lanes: HashMap<Lane, VecDeque<Waiting>>,
    targets: HashMap<Arc<str>, Target>,
    turns: VecDeque<Arc<str>>,
    running: usize,
    known: HashSet<Key>,
    limits: HashMap<String, Limits>,
}

impl Queue {
    /// What a function's queue of tasks allows; none for other functions.
    pub fn limit(&mut self, target: &str, limits: Option<Limits>) {
        match limits {
            Some(limits) => self.limits.insert(target.to_owned(), limits),
            None => self.limits.remove(target),
        };
    }

    /// The pause that a function has after each of its tasks was begun.
    pub fn interval(&self, target: &str) -> Option<Duration> {
        self.limits.get(target).map(|limits| limits.interval)
    }

    /// Adds an event; one that is known is not added again. Those of a lane are added in their order. Returns the lane of one that
    /// is first in it and not due yet: see [`Queue::resume`].
    pub fn push(
        &mut self,
        target: &str,
        about: Bytes,
        row: Key,
        (version, is_due): (Version, bool),
    ) -> Option<Lane> {
        if !self.known.insert(row.clone()) {
            return None;
        }
        let known = self.targets.get_key_value(target).map(|(name, _)| Arc::clone(name));
        let target = known.unwrap_or_else(|| {
            let name: Arc<str> = target.into();
            self.targets.insert(Arc::clone(&name), Target::default());
            self.turns.push_back(Arc::clone(&name));
            name
        });
        let lane = Lane { target, about };
        let events = self.lanes.entry(lane.clone()).or_default();
        events.push_back(Waiting { row, version, attempts: 0 });
        if events.len() > 1 {
            return None;
        }
        if !is_due {
            return Some(lane);
        }
        if let Some(target) = self.targets.get_mut(&lane.target) {
            target.ready.push_back(lane);
        }
        None
    }

    /// The next event, to be told now.
    pub fn take(&mut self) -> Option<(Lane, Waiting)> {
        if self.running >= AT_ONCE_MAX {
            return None;
        }
        for _ in 0..self.turns.len() {
            let name = self.turns.pop_front()?;
            self.turns.push_back(Arc::clone(&name));
            let Some(target) = self.targets.get_mut(&name) else { continue };
            let running_max = self.limits.get(&*name).map_or(OF_TARGET_MAX, |limits| limits.running_max);
            if target.is_held || target.running >= running_max {
                continue;
            }
            let Some(lane) = target.ready.pop_front() else { continue };
            let Some(event) = self.lanes.get(&lane).and_then(|events| events.front()).cloned() else {
                continue;
            };
            target.running += 1;
            self.running += 1;
            return Some((lane, event));
        }
        None
    }

    /// Takes in how telling a lane's first event went.
    pub fn end(&mut self, lane: &Lane, next: Next) {
        self.running = self.running.saturating_sub(1);
        if let Some(target) = self.targets.get_mut(&lane.target) {
            target.running = target.running.saturating_sub(1);
        }
        let Some(events) = self.lanes.get_mut(lane) else { return };
        match next {
            Next::Again { counts } => {
                if let Some(first) = events.front_mut() {
                    first.attempts += u32::from(counts);
                }
            }
            Next::Done => {
                if let Some(first) = events.pop_front() {
                    self.known.remove(&first.row);
                }
                if events.is_empty() {
                    self.lanes.remove(lane);
                    self.forget(lane);
                } else {
                    self.resume(lane);
                }
            }
        }
    }

    fn forget(&mut self, lane: &Lane) {
        let is_idle = self
            .targets
            .get(&lane.target)
            .is_some_and(|target| target.running == 0 && target.ready.is_empty() && !target.is_held);
        // A lane that pauses is nowhere but among the lanes.
        if is_idle && !self.lanes.keys().any(|other| other.target == lane.target) {
            self.targets.remove(&lane.target);
            self.turns.retain(|name| *name != lane.target);
        }
    }

    /// A lane's pause is over.
    pub fn resume(&mut self, lane: &Lane) {
        if let Some(target) = self.targets.get_mut(&lane.target) {
            target.ready.push_back(lane.clone());
        }
    }

    /// Whether a function is told of nothing for now.
    pub fn hold(&mut self, target: &str, is_held: bool) {
        if let Some(target) = self.targets.get_mut(target) {
            target.is_held = is_held;
        }
    }

    /// How many events wait or are being told.
    pub fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut Queue, target: &str, about: &str, row: u32) {
        let key = Key::new(kv::Keyspace(0x60), &row.to_be_bytes());
        let version = (Version(i64::from(row)), true);
        assert_eq!(queue.push(target, Bytes::copy_from_slice(about.as_bytes()), key, version), None);
    }

    fn versions(queue: &mut Queue) -> Vec<(Lane, i64)> {
        std::iter::from_fn(|| queue.take()).map(|(lane, event)| (lane, event.version.0)).collect()
    }

    #[test]
    fn a_lane_is_told_in_order_and_others_beside_it() {
        let mut queue = Queue::default();
        for (about, row) in [("a", 1), ("a", 2), ("b", 3), ("a", 1)] {
            push(&mut queue, "f", about, row);
        }
        let first = versions(&mut queue);
        assert_eq!(first.iter().map(|(_, version)| *version).collect::<Vec<_>>(), [1, 3]);
        queue.end(&first[0].0, Next::Again { counts: true });
        assert!(queue.take().is_none(), "it pauses, and what follows in its lane waits");
        queue.resume(&first[0].0);
        let (lane, again) = queue.take().unwrap();
        assert_eq!((again.version.0, again.attempts), (1, 1));
        queue.end(&lane, Next::Done);
        assert_eq!(queue.take().unwrap().1.version.0, 2);
        queue.end(&lane, Next::Done);
        queue.end(&first[1].0, Next::Done);
        assert_eq!((queue.len(), queue.lanes.len(), queue.targets.len(), queue.turns.len()), (0, 0, 0, 0));
    }

    #[test]
    fn one_function_leaves_places_for_others_and_a_held_one_takes_none() {
        let mut queue = Queue::default();
        for row in 0..1000 {
            push(&mut queue, "greedy", &row.to_string(), row);
        }
        push(&mut queue, "other", "x", 5000);
        let taken = versions(&mut queue);
        assert_eq!(taken.len(), OF_TARGET_MAX + 1);
        assert!(taken.iter().take(2).any(|(lane, _)| &*lane.target == "other"), "functions take turns");
        for (lane, _) in &taken {
            queue.end(lane, Next::Done);
        }
        queue.hold("greedy", true);
        assert!(queue.take().is_none());
        queue.hold("greedy", false);
        assert_eq!(versions(&mut queue).len(), OF_TARGET_MAX);
    }
}
