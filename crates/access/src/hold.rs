//! Rows that decisions elsewhere depend on: those whose effect is in another database and not in a commit of the store.
//!
//! A commit of the store validates the caller's row. An effect elsewhere cannot, so it *holds* the row from before the
//! decision until it is over, and whoever changes the row answers only when every hold from before the change has ended. What
//! begins later sees the change. So nothing that was decided before a revocation happens after its answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kv::Key;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::caller::Caller;
use crate::gate::Gate;

/// The rows that are held.
#[derive(Default)]
pub(crate) struct Holds {
    rows: Mutex<HashMap<Key, Held>>,
}

#[derive(Default)]
struct Held {
    next: u64,
    open: BTreeSet<u64>,
    ended: Arc<Notify>,
}

/// Holds the rows that a caller depends on until it is dropped.
pub struct Hold {
    gate: Gate,
    held: Vec<(Key, u64)>,
}

impl Gate {
    /// Holds what a caller depends on. It comes before the session that decides; dropping it ends it.
    #[must_use]
    pub fn hold(&self, caller: &Caller) -> Hold {
        let standing = caller.standing.as_deref();
        let keys = standing.into_iter().flat_map(|standing| [Some(standing.key()), standing.depends_on()]);
        let mut rows = self.inner.holds.rows.lock();
        let held = keys.flatten().map(|key| {
            let row = rows.entry(key.clone()).or_default();
            row.next += 1;
            row.open.insert(row.next);
            (key.clone(), row.next)
        });
        Hold { held: held.collect(), gate: self.clone() }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut rows = self.gate.inner.holds.rows.lock();
        for (key, number) in &self.held {
            let Some(row) = rows.get_mut(key) else { continue };
            row.open.remove(number);
            row.ended.notify_waiters();
            if row.open.is_empty() {
                rows.remove(key);
            }
        }
    }
}

impl Holds {
    /// Waits until the holds on these rows that are there now have ended.
    pub(crate) async fn ended(&self, keys: &[Key]) {
        for key in keys {
            let Some((newest, ended)) =
                self.rows.lock().get(key).map(|row| (row.next, Arc::clone(&row.ended)))
            else {
                continue;
            };
            loop {
                let notified = ended.notified();
                tokio::pin!(notified);
                // From here on no end is missed.
                notified.as_mut().enable();
                // A row that nobody holds any more may be held anew, with numbers from the beginning.
                let is_open = |row: &Held| {
                    Arc::ptr_eq(&row.ended, &ended) && row.open.first().is_some_and(|first| *first <= newest)
                };
                if !self.rows.lock().get(key).is_some_and(is_open) {
                    break;
                }
                notified.await;
            }
        }
    }
}
