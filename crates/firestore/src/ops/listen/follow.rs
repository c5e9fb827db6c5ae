//! Follows the store's commits for all listeners: one task, never the committer's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{Gate, Holder};
use base::Code;

use crate::listen::Hub;

/// Commits read at once.
const COMMITS_PER_READ: usize = 256;
/// How long commits are taken in before others have their turn. Not after each: many writers may have theirs between two.
const TURN: Duration = Duration::from_millis(2);
/// How long a fault is waited out.
const FAULT_MS: u64 = 100;
/// Streams that are woken at once when rules change.
const WOKEN_AT_ONCE: usize = 256;

/// Takes commits in, in their order, for as long as somebody listens; and wakes everybody when the rules change.
pub async fn follow(gate: Gate, hub: Arc<Hub>) {
    let mut published = gate.published();
    let mut rules = gate.rules().firestore.generations();
    loop {
        if hub.is_idle() {
            hub.attention().await;
            continue;
        }
        published.borrow_and_update();
        match gate.follow(hub.processed(), COMMITS_PER_READ).await {
            Ok(changes) if changes.is_empty() => {
                tokio::select! {
                    changed = published.changed() => if changed.is_err() { return },
                    changed = rules.changed() => match changed {
                        Ok(()) => wake_all(&hub).await,
                        Err(_) => return,
                    },
                }
            }
            Ok(changes) => {
                let mut begun = Instant::now();
                for change in changes {
                    // A grant that the commit takes away is stale by now.
                    hub.apply(&change);
                    if begun.elapsed() > TURN {
                        tokio::task::yield_now().await;
                        begun = Instant::now();
                    }
                }
                if rules.has_changed().unwrap_or(false) {
                    rules.borrow_and_update();
                    wake_all(&hub).await;
                }
            }
            Err(status) if status.code == Code::FailedPrecondition => {
                tracing::warn!("listeners are behind the change log: they begin anew");
                let head = *published.borrow();
                hub.skip_to(head);
            }
            Err(status) => {
                tracing::error!(%status, "the store's commits cannot be followed");
                tokio::time::sleep(Duration::from_millis(FAULT_MS)).await;
            }
        }
    }
}

/// Has every stream look at its grants, some at a time.
async fn wake_all(hub: &Hub) {
    for streams in hub.outboxes().chunks(WOKEN_AT_ONCE) {
        streams.iter().for_each(|outbox| Holder::wake(&**outbox));
        tokio::task::yield_now().await;
    }
}
