//! What rules decided lately, for the developer's eyes: the console's list of requests. Dev only.
//!
//! Invariants: what is kept is bounded; a watcher who reads slowly misses some, and nobody waits for them.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use policy::Source;
use serde_json::{Map, Value as Json};
use tokio::sync::broadcast;

/// Evaluations that whoever begins to watch is shown.
const RECENT_MAX: usize = 300;
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
}

impl Default for Evaluations {
    fn default() -> Self {
        Self { recent: Mutex::default(), feed: broadcast::Sender::new(BEHIND_MAX) }
    }
}

impl Evaluations {
    /// Whether somebody watches at the moment.
    pub fn are_watched(&self) -> bool {
        self.feed.receiver_count() > 0
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
