//! Keeping files: while somebody copies them, none is removed.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Whether files may be removed.
#[derive(Clone, Default)]
pub struct Keep(Arc<RwLock<()>>);

/// While it lives nothing is removed.
pub struct Kept {
    _guard: OwnedRwLockWriteGuard<()>,
}

/// While it lives a removal is under way.
pub struct Removal {
    _guard: OwnedRwLockReadGuard<()>,
}

impl Keep {
    /// Waits for the removals that are under way and keeps others from beginning.
    pub async fn keep(&self) -> Kept {
        Kept { _guard: Arc::clone(&self.0).write_owned().await }
    }

    /// Begins a removal, unless files are kept or about to be.
    pub fn try_remove(&self) -> Option<Removal> {
        Some(Removal { _guard: Arc::clone(&self.0).try_read_owned().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_removed_while_files_are_kept() {
        let keep = Keep::default();
        let removal = keep.try_remove().unwrap();
        let mut keeping = Box::pin(keep.keep());
        assert!(futures_util::poll!(&mut keeping).is_pending(), "a removal is under way");
        assert!(keep.try_remove().is_none(), "somebody waits");
        drop(removal);
        let kept = keeping.await;
        assert!(keep.try_remove().is_none());
        drop(kept);
        assert!(keep.try_remove().is_some());
    }
}
