//! What one caller may have open at once, so that nobody takes what others need: the limits in one place, and whose
//! something is.
//!
//! Administrators have shares of their own; callers who have not signed in share one.

use std::collections::HashMap;
use std::sync::Arc;

use access::Caller;
use base::Status;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::status;

/// Transactions open at once, of one user.
pub const TRANSACTIONS_USER_MAX: usize = 200;
/// Transactions open at once, of callers who have not signed in.
pub const TRANSACTIONS_ANONYMOUS_MAX: usize = 1_000;
/// Transactions open at once, of all but administrators.
pub const TRANSACTIONS_OTHERS_MAX: usize = 2_000;
/// Transactions open at once, of administrators.
pub const TRANSACTIONS_ADMIN_MAX: usize = 10_000;

/// Streams of responses open at once, of one user.
pub const STREAMS_USER_MAX: usize = 64;
/// Streams of responses open at once, of callers who have not signed in.
pub const STREAMS_ANONYMOUS_MAX: usize = 512;
/// Streams of responses open at once, of one administrator.
pub const STREAMS_ADMIN_MAX: usize = 1_000;
/// Streams of responses open at once.
pub const STREAMS_MAX: usize = 2_000;
/// Bytes of responses that all streams keep for their clients.
pub const STREAMS_BYTES_MAX: usize = 256 << 20;
/// How long a stream of responses may last.
pub const STREAM_MS_MAX: i64 = 300_000;
/// How long a stream may go unread before it may be ended for another.
pub const STREAM_UNREAD_MS_MAX: i64 = 1_000;

/// Streams that stay open, of one user, on all their devices.
pub const OPEN_USER_MAX: usize = 500;
/// Open streams of callers who have not signed in.
pub const OPEN_ANONYMOUS_MAX: usize = 5_000;
/// Open streams of one administrator: server SDKs open one for each listener.
pub const OPEN_ADMIN_MAX: usize = 20_000;
/// Open streams of one address, administrators' not counted.
pub const OPEN_ADDRESS_MAX: usize = 2_000;
/// Open streams of all but administrators.
pub const OPEN_OTHERS_MAX: usize = 20_000;

/// Targets of one caller, on all of their streams; of those who have not signed in, of one address.
pub const TARGETS_CALLER_MAX: usize = 10_000;
/// Targets of all but administrators.
pub const TARGETS_OTHERS_MAX: usize = 300_000;

/// Writes from which on a commit is large.
pub const LARGE_COMMIT_WRITES: usize = 200;
/// Large commits under way at once, of administrators.
const LARGE_COMMITS_ADMIN_MAX: usize = 4;
/// Large commits under way at once, of everybody else together.
const LARGE_COMMITS_OTHERS_MAX: usize = 1;
/// Large commits of one caller, waiting ones included.
const LARGE_COMMITS_CALLER_MAX: usize = 8;

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    kind: &'static str,
    id: Option<String>,
}

impl Owner {
    /// The caller's.
    pub fn of(caller: &Caller) -> Self {
        Self { kind: caller.kind(), id: caller.id().map(str::to_owned) }
    }

    /// Whether it is an administrator's.
    pub fn is_admin(&self) -> bool {
        self.kind == "admin"
    }

    /// Whether it is anybody's who has not signed in.
    pub fn is_anonymous(&self) -> bool {
        self.kind == "unauthenticated"
    }

    /// The transactions it may have open.
    pub fn transactions_max(&self) -> usize {
        self.of_kind(TRANSACTIONS_ADMIN_MAX, TRANSACTIONS_USER_MAX, TRANSACTIONS_ANONYMOUS_MAX)
    }

    /// The streams it may have open.
    pub fn streams_max(&self) -> usize {
        self.of_kind(STREAMS_ADMIN_MAX, STREAMS_USER_MAX, STREAMS_ANONYMOUS_MAX)
    }

    /// The streams that stay open it may have.
    pub fn open_max(&self) -> usize {
        self.of_kind(OPEN_ADMIN_MAX, OPEN_USER_MAX, OPEN_ANONYMOUS_MAX)
    }

    fn of_kind(&self, admin: usize, user: usize, anonymous: usize) -> usize {
        match self.kind {
            "admin" => admin,
            "user" => user,
            _ => anonymous,
        }
    }
}

/// How many things each owner has.
#[derive(Debug, Default)]
pub struct Counts(HashMap<Owner, usize>);

impl Counts {
    /// How many this one has.
    pub fn of(&self, owner: &Owner) -> usize {
        self.0.get(owner).copied().unwrap_or_default()
    }

    /// One more.
    pub fn add(&mut self, owner: &Owner) {
        *self.0.entry(owner.clone()).or_default() += 1;
    }

    /// One less.
    pub fn remove(&mut self, owner: &Owner) {
        if let Some(count) = self.0.get_mut(owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(owner);
            }
        }
    }
}

/// Turns for large commits: each keeps the store busy for long, and two of the same documents would only get in each
/// other's way.
pub struct LargeCommits {
    admin: Arc<Semaphore>,
    others: Arc<Semaphore>,
    counts: Arc<Mutex<Counts>>,
}

/// Held while a commit is under way.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _counted: Counted,
}

struct Counted {
    owner: Owner,
    counts: Arc<Mutex<Counts>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counts.lock().remove(&self.owner);
    }
}

impl Default for LargeCommits {
    fn default() -> Self {
        Self {
            admin: Arc::new(Semaphore::new(LARGE_COMMITS_ADMIN_MAX)),
            others: Arc::new(Semaphore::new(LARGE_COMMITS_OTHERS_MAX)),
            counts: Arc::default(),
        }
    }
}

impl LargeCommits {
    /// Waits for the turn of a commit of so many writes; small ones have theirs at once.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when the caller has too many large ones already.
    pub async fn turn(&self, caller: &Caller, writes: usize) -> Result<Option<Turn>, Status> {
        if writes < LARGE_COMMIT_WRITES {
            return Ok(None);
        }
        let owner = Owner::of(caller);
        let turns = if owner.is_admin() { &self.admin } else { &self.others };
        let counted = {
            let mut counts = self.counts.lock();
            if counts.of(&owner) >= LARGE_COMMITS_CALLER_MAX {
                return Err(status::too_many_large_commits());
            }
            counts.add(&owner);
            Counted { owner, counts: self.counts.clone() }
        };
        let permit = turns.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Status::unavailable("The service is currently unavailable."))?;
        Ok(Some(Turn { _permit: permit, _counted: counted }))
    }
}
