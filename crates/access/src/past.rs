//! Looking back: snapshots of past versions, within bounds.
//!
//! What a look back costs follows what was changed since. It is bounded for each, few are made at once, and
//! administrators have a share of their own.

use std::sync::Arc;
use std::time::Duration;

use base::{Code, Status};
use kv::{LookBack, Snapshot, Store, StoreError, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller::Caller;
use crate::fault::fault;

/// Snapshots of the past that administrators hold at once.
const ADMIN_HELD_MAX: usize = 8;
/// Snapshots of the past that everybody else holds at once, together.
const OTHERS_HELD_MAX: usize = 2;
/// Others that wait for one.
const OTHERS_WAITING_MAX: usize = 256;
/// How long one waits for it.
const WAIT_MS_MAX: u64 = 5_000;
/// What one costs at most, for administrators.
const ADMIN_LOOK_BACK: LookBack = LookBack { rows_max: 200_000, bytes_max: 256 << 20 };
/// What one costs at most, for everybody else.
const OTHERS_LOOK_BACK: LookBack = LookBack { rows_max: 20_000, bytes_max: 16 << 20 };

/// A snapshot, and for one of the past the right to hold it.
pub(crate) struct Held {
    pub(crate) snapshot: Snapshot,
    _right: Option<[OwnedSemaphorePermit; 2]>,
}

impl From<Snapshot> for Held {
    /// The present needs no right.
    fn from(snapshot: Snapshot) -> Self {
        Self { snapshot, _right: None }
    }
}

/// The shares of administrators and of everybody else.
pub(crate) struct Shares {
    admin: Share,
    others: Share,
}

#[derive(Clone)]
struct Share {
    held: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    look_back: LookBack,
}

impl Default for Shares {
    fn default() -> Self {
        let share = |held: usize, look_back: LookBack| Share {
            held: Arc::new(Semaphore::new(held)),
            waiting: Arc::new(Semaphore::new(held + OTHERS_WAITING_MAX)),
            look_back,
        };
        Self {
            admin: share(ADMIN_HELD_MAX, ADMIN_LOOK_BACK),
            others: share(OTHERS_HELD_MAX, OTHERS_LOOK_BACK),
        }
    }
}

/// A caller's way to past versions.
pub(crate) struct Past {
    store: Store,
    share: Share,
}

impl Past {
    pub(crate) fn new(store: &Store, shares: &Shares, caller: &Caller) -> Self {
        let share = if caller.is_admin() { &shares.admin } else { &shares.others };
        Self { store: store.clone(), share: share.clone() }
    }

    /// The state at a version.
    ///
    /// Errors: `FAILED_PRECONDITION` when the version is older than the store remembers or too much was changed since;
    /// `RESOURCE_EXHAUSTED` when too many are held already; the store's faults.
    pub(crate) async fn at(&self, version: Version) -> Result<Held, Status> {
        let newest = self.store.snapshot().await.map_err(|error| fault(&error))?;
        if newest.version() == version {
            return Ok(newest.into());
        }
        drop(newest);
        let waiting = self.share.waiting.clone().try_acquire_owned().map_err(|_| too_many())?;
        let held = self.share.held.clone().acquire_owned();
        let held = tokio::time::timeout(Duration::from_millis(WAIT_MS_MAX), held).await;
        let held = held.ok().and_then(Result::ok).ok_or_else(too_many)?;
        let snapshot = self.store.snapshot_within(version, self.share.look_back).await;
        let snapshot = snapshot.map_err(|error| match error {
            StoreError::TooOld { .. } | StoreError::TooManyChanges { .. } => {
                Status::new(Code::FailedPrecondition, "The requested snapshot version is too old.")
            }
            error => fault(&error),
        })?;
        Ok(Held { snapshot, _right: Some([held, waiting]) })
    }
}

fn too_many() -> Status {
    Status::new(Code::ResourceExhausted, "Too many reads of the past are under way.")
}
