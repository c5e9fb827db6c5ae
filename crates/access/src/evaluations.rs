//! What rules decided lately, for the developer's eyes: the console's list of requests. Dev only.
//!
//! Invariants: what is kept is bounded; a watcher who reads slowly misses some, and nobody waits for them. While nobody
//! watches, [`UNWATCHED_PER_SECOND`] of a second are described: describing one costs as much as a small read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use policy::Source;
use serde_json::{Map, Value as Json};
use tokio::sync::broadcast;

/// Evaluations that whoever begins to watch is shown.
const RECENT_MAX: usize = 300;
/// Evaluations of one second that are kept while nobody watches.
const UNWATCHED_PER_SECOND: u64 = 50;
/// Evaluations that a slow watcher may be behind.
const BEHIND_MAX: usize = 256;

/// One evaluation, in the words of its service.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What was asked and decided.
    pub about: Map<String, Json>,
    /// The rules that decided.
    pub rules: Source,
}

impl Evaluation {
    /// All of it, with the text of the rules.
    pub fn json(&self) -> Json {
        let mut whole = self.about.clone();
        whole.insert("rules".to_owned(), Json::String(self.rules.text.to_string()));
        Json::Object(whole)
    }
}

/// The recent ones, and word of each new one.
#[derive(Debug)]
pub struct Evaluations {
    recent: Mutex<VecDeque<Arc<Evaluation>>>,
    feed: broadcast::Sender<Arc<Evaluation>>,
    began: Instant,
    /// The second that runs, and how many it had: `second << 16 | count`.
    unwatched: AtomicU64,
}

impl Default for Evaluations {
    fn default() -> Self {
        Self {
            recent: Mutex::default(),
            feed: broadcast::Sender::new(BEHIND_MAX),
            began: Instant::now(),
            unwatched: AtomicU64::new(0),
        }
    }
}

impl Evaluations {
    /// Whether somebody watches at the moment.
    pub fn are_watched(&self) -> bool {
        self.feed.receiver_count() > 0
    }

    /// Whether the next one is to be described: somebody watches, or not many were lately.
    pub fn are_wanted(&self) -> bool {
        if self.are_watched() {
            return true;
        }
        let second = self.began.elapsed().as_secs();
        let before = self.unwatched.load(Ordering::Relaxed);
        let count = if before >> 16 == second { before & 0xffff } else { 0 };
        if count >= UNWATCHED_PER_SECOND {
            return false;
        }
        // Two at once may count as one: it is no exact number.
        self.unwatched.store(second << 16 | (count + 1), Ordering::Relaxed);
        true
    }

    /// Adds one.
    pub fn push(&self, evaluation: Evaluation) {
        let evaluation = Arc::new(evaluation);
        let mut recent = self.recent.lock();
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(&evaluation));
        // Nobody watches: that is no fault. Under the lock, so that a new watcher sees each once.
        let _ = self.feed.send(evaluation);
    }

    /// The recent ones, oldest first, and from then on each new one.
    pub fn watch(&self) -> (Vec<Arc<Evaluation>>, broadcast::Receiver<Arc<Evaluation>>) {
        let recent = self.recent.lock();
        (recent.iter().cloned().collect(), self.feed.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_that_nobody_watches_is_not_described() {
        let evaluations = Evaluations::default();
        let wanted = (0..10_000).filter(|_| evaluations.are_wanted()).count() as u64;
        assert!((UNWATCHED_PER_SECOND..=UNWATCHED_PER_SECOND * 3).contains(&wanted), "{wanted}");
        let _watched = evaluations.watch();
        assert!((0..1000).all(|_| evaluations.are_wanted()));
    }
}
