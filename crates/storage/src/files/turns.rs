//! Turns at a blob: who publishes bytes or commits a use of them, and who collects them, are never at it at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::model::BlobName;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The turns at all blobs.
#[derive(Default)]
pub struct Turns(Arc<Mutex<HashMap<BlobName, Lock>>>);

/// A turn; it ends when this is dropped.
pub struct Turn {
    blob: BlobName,
    guard: Option<OwnedMutexGuard<()>>,
    all: Arc<Mutex<HashMap<BlobName, Lock>>>,
}

impl Turns {
    fn lock(&self, blob: &BlobName) -> Lock {
        Arc::clone(self.0.lock().entry(*blob).or_default())
    }

    /// Waits for a turn.
    pub async fn take(&self, blob: &BlobName) -> Turn {
        let guard = self.lock(blob).lock_owned().await;
        Turn { blob: *blob, guard: Some(guard), all: Arc::clone(&self.0) }
    }

    /// A turn, if nobody has one.
    pub fn try_take(&self, blob: &BlobName) -> Option<Turn> {
        let guard = self.lock(blob).try_lock_owned().ok()?;
        Some(Turn { blob: *blob, guard: Some(guard), all: Arc::clone(&self.0) })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        self.guard = None;
        // The map's own: nobody waits, and nobody can come to wait while the map is held.
        if all.get(&self.blob).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            all.remove(&self.blob);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_nothing_is_left_behind() {
        let (turns, blob) = (Turns::default(), BlobName([1; 32]));
        let first = turns.take(&blob).await;
        assert!(turns.try_take(&blob).is_none());
        assert!(turns.try_take(&BlobName([2; 32])).is_some());
        let waiting = turns.take(&blob);
        drop(first);
        drop(waiting.await);
        assert!(turns.0.lock().is_empty());
    }
}
