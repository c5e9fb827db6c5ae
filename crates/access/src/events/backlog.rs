//! How many events wait, and how many may.

use std::collections::HashMap;
use std::sync::Arc;

use base::{Code, Status};
use parking_lot::Mutex;

/// Events that may wait for one target.
pub const EVENTS_OF_TARGET_MAX: usize = 100_000;
/// Bytes of the events that may wait for one target.
pub const BYTES_OF_TARGET_MAX: usize = 256 << 20;
/// Bytes of all events that wait.
pub const BYTES_MAX: usize = 1 << 30;
/// The operator hears of it when this many wait for one target, and again at each double.
const NOTICED_EVENTS: usize = 1_000;

#[derive(Default)]
struct Waiting {
    events: usize,
    bytes: usize,
    /// At which number of events the operator hears of it again.
    noticed: usize,
}

/// What waits, by target.
#[derive(Clone, Default)]
pub struct Backlog(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    targets: HashMap<String, Waiting>,
    bytes: usize,
}

/// Room that was taken for an event; dropped, it is given back, unless the event has become durable.
#[derive(Debug)]
pub struct Room {
    backlog: Backlog,
    target: String,
    bytes: usize,
    is_kept: bool,
}

impl std::fmt::Debug for Backlog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backlog")
    }
}

impl Room {
    /// The event is durable.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.is_kept {
            self.backlog.subtract(&self.target, self.bytes);
        }
    }
}

impl Backlog {
    /// Takes room for an event that is about to be committed.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when too much waits: what cannot be told is not done.
    pub fn take(&self, target: &str, bytes: usize) -> Result<Room, Status> {
        let mut counts = self.0.lock();
        let all = counts.bytes + bytes;
        let waiting = counts.targets.entry(target.to_owned()).or_default();
        let is_full = waiting.events >= EVENTS_OF_TARGET_MAX
            || waiting.bytes + bytes > BYTES_OF_TARGET_MAX
            || all > BYTES_MAX;
        if is_full {
            tracing::error!(
                target: "function",
                function = target,
                events = waiting.events,
                bytes = waiting.bytes,
                "too many events wait for this function: writes that it would be told of are refused until it catches up"
            );
            let text = "Too many events of earlier writes wait for a function.";
            return Err(Status::new(Code::ResourceExhausted, text));
        }
        waiting.add(target, bytes);
        counts.bytes = all;
        Ok(Room { backlog: self.clone(), target: target.to_owned(), bytes, is_kept: false })
    }

    /// Counts an event that was found waiting at a start.
    pub fn add(&self, target: &str, bytes: usize) {
        let mut counts = self.0.lock();
        counts.bytes += bytes;
        counts.targets.entry(target.to_owned()).or_default().add(target, bytes);
    }

    /// Counts an event that waits no more.
    pub fn subtract(&self, target: &str, bytes: usize) {
        let mut counts = self.0.lock();
        counts.bytes = counts.bytes.saturating_sub(bytes);
        let Some(waiting) = counts.targets.get_mut(target) else { return };
        waiting.events = waiting.events.saturating_sub(1);
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        if waiting.events == 0 {
            counts.targets.remove(target);
        }
    }

    /// Events and bytes that wait for a target.
    pub fn of(&self, target: &str) -> (usize, usize) {
        let counts = self.0.lock();
        counts.targets.get(target).map_or((0, 0), |waiting| (waiting.events, waiting.bytes))
    }
}

impl Waiting {
    fn add(&mut self, target: &str, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
        if self.events >= self.noticed.max(NOTICED_EVENTS) {
            self.noticed = self.events * 2;
            tracing::warn!(
                target: "function",
                function = target,
                events = self.events,
                bytes = self.bytes,
                "events come faster than this function takes them"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_wait_is_bounded_for_each_target_and_for_all() {
        let backlog = Backlog::default();
        let rooms: Vec<Room> =
            (0..EVENTS_OF_TARGET_MAX).map(|_| backlog.take("a", 1).unwrap_or_else(|_| panic!())).collect();
        assert_eq!(backlog.take("a", 1).map(drop).unwrap_err().code, Code::ResourceExhausted);
        assert!(backlog.take("b", BYTES_OF_TARGET_MAX + 1).is_err() && backlog.take("b", 1).is_ok());
        drop(rooms);
        assert_eq!(backlog.of("a"), (0, 0), "what was not committed does not wait");
        for target in ["a", "b", "c", "d"] {
            match backlog.take(target, BYTES_OF_TARGET_MAX) {
                Ok(room) => room.keep(),
                Err(_) => panic!("{target}"),
            }
        }
        assert!(backlog.take("e", 1).is_err());
        backlog.subtract("a", BYTES_OF_TARGET_MAX);
        assert!(backlog.take("e", 1).is_ok());
    }
}
