//! Tells listeners what has become durable, in the order of commits, and then who wrote it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use kv::Version;
use tokio::sync::mpsc;

use super::database::Database;
use super::hub::{Dirty, Touched};
use super::sequencer::Durable;
use crate::model::Key;

/// Commits that are told together.
const TOGETHER_MAX: usize = 256;
/// How long a fault is waited out.
const FAULT_MS: u64 = 100;
/// Children that a view looks at one by one; beyond them it looks at all.
const CHILDREN_MAX: usize = 256;

/// Tells until the database is dropped.
pub async fn run(database: Arc<Database>, mut durable: mpsc::Receiver<Durable>) {
    let mut batch = Vec::new();
    while durable.recv_many(&mut batch, TOGETHER_MAX).await > 0 {
        let newest = batch.iter().filter_map(|told| told.version).max();
        if let Some(newest) = newest.filter(|_| !database.hub().is_idle()) {
            settle(&database, newest).await;
            for told in &batch {
                if let Some(version) = told.version {
                    database.hub().publish(version, &told.effects);
                }
            }
            look_again(&database, newest).await;
        }
        for Durable { effects, done, .. } in batch.drain(..) {
            let _ = done.send(Ok(effects));
        }
    }
}

/// Grants that commits up to a version touch are stale before its data leaves.
async fn settle(database: &Database, version: Version) {
    while let Err(status) = database.gate().settle(version).await {
        tracing::error!(%status, "the store's commits cannot be followed");
        tokio::time::sleep(Duration::from_millis(FAULT_MS)).await;
    }
}

/// Has views look at what has changed below them.
async fn look_again(database: &Database, version: Version) {
    for Touched { path, query, dirty } in database.hub().touched() {
        let mut children = HashSet::new();
        let mut whole = false;
        for dirty in dirty {
            match dirty {
                Dirty::Child(key) => {
                    children.insert(key);
                }
                Dirty::All => whole = true,
            }
        }
        let mut children: Vec<Key> = children.into_iter().collect();
        children.sort_unstable();
        let mut some = (!whole && children.len() <= CHILDREN_MAX).then_some(children.as_slice());
        loop {
            match database.look(version, &path, some).await {
                Ok(seen) => {
                    if !database.hub().seen(&path, &query, version, seen) {
                        break;
                    }
                    // What moves up is not among what has changed.
                    some = None;
                }
                Err(failure) => {
                    tracing::error!(?failure, "a query of listeners cannot be read");
                    tokio::time::sleep(Duration::from_millis(FAULT_MS)).await;
                    if database.hub().is_idle() {
                        return;
                    }
                    some = None;
                }
            }
        }
    }
}
