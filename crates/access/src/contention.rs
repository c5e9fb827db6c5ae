//! Turns for writers of the same rows.
//!
//! Commits are optimistic: of two that touch one row at once, one must try again. Where that has happened,
//! writers wait for their turn instead, in the order they came, so that a busy row makes progress without
//! retries. Rows share a fixed number of queues; sharing one costs waiting, never correctness.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use kv::Key;
use tokio::sync::{Mutex, MutexGuard};

/// How many queues there are.
const QUEUES: usize = 1024;

/// The queues.
pub struct Contention {
    queues: Vec<Mutex<()>>,
}

impl Default for Contention {
    fn default() -> Self {
        Self { queues: (0..QUEUES).map(|_| Mutex::new(())).collect() }
    }
}

/// Held by a writer while it is its turn.
pub struct Turn<'a>(#[expect(dead_code, reason = "held, not read")] Vec<MutexGuard<'a, ()>>);

impl Contention {
    /// Waits for the turn of a writer of these rows; a first attempt goes ahead at once unless others wait.
    pub async fn turn(&self, keys: &[Key], first_attempt: bool) -> Option<Turn<'_>> {
        // In ascending order, so that two writers never wait for each other.
        let queues: BTreeSet<usize> = keys.iter().map(queue_of).collect();
        let queues: Vec<_> = queues.into_iter().filter_map(|queue| self.queues.get(queue)).collect();
        if first_attempt && queues.iter().all(|queue| queue.try_lock().is_ok()) {
            return None;
        }
        let mut turn = Vec::with_capacity(queues.len());
        for queue in queues {
            turn.push(queue.lock().await);
        }
        Some(Turn(turn))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is below the number of queues")]
fn queue_of(key: &Key) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % QUEUES as u64) as usize
}
