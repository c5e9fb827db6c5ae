//! Units of work: read, decide, stage, commit, and again when others changed what was read.

use base::Status;
use kv::{Key, Version};

use crate::caller::Caller;
use crate::gate::{Gate, Operation};
use crate::session::{CommitFailure, Session};

/// How a unit of work is tried.
#[derive(Clone, Copy)]
pub struct Attempts<'a> {
    /// How often, at most.
    pub max: usize,
    /// Rows that it is known to write, or to read and then write. Where units of work get in each other's way over such a
    /// row, they wait for their turn.
    pub contended: &'a [Key],
    /// What is answered when others kept changing what it reads.
    pub exhausted: fn() -> Status,
}

impl Gate {
    /// Runs a unit of work and commits what it staged. On a conflict it runs again from the start, in a new session.
    ///
    /// `work` receives the session and hands it back with its result; what it returns as an error is final. Returns the
    /// result and the version it became; without writes nothing is committed, and it is the time of the snapshot.
    ///
    /// Errors: `work`'s own, the store's faults, and [`Attempts::exhausted`].
    pub async fn transact<T, E, F>(
        &self,
        caller: &Caller,
        operation: &Operation,
        attempts: Attempts<'_>,
        mut work: impl FnMut(Session) -> F,
    ) -> Result<(T, Version), E>
    where
        E: From<Status>,
        F: Future<Output = Result<(Session, T), E>>,
    {
        for attempt in 0..attempts.max {
            let _turn = self.inner.contention.turn(attempts.contended, attempt == 0).await;
            let session = self.begin(caller, operation.clone()).await?;
            let (session, output) = work(session).await?;
            if !session.has_writes() {
                let version = session.time();
                session.finish();
                return Ok((output, version));
            }
            match session.commit().await {
                Ok(version) => return Ok((output, version)),
                Err(CommitFailure::Conflict) => {}
                Err(CommitFailure::Failed(status)) => return Err(status.into()),
            }
        }
        tracing::warn!(verb = operation.verb, "others kept changing what this operation reads");
        Err((attempts.exhausted)().into())
    }
}
