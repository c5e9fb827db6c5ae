//! Sessions begin here, and nowhere else.

use base::{Code, Status};
use kv::{StoreError, Version};

use crate::caller::Caller;
use crate::fault::fault;
use crate::gate::{Gate, Operation};
use crate::session::{Session, Suspended};

impl Gate {
    /// Begins an operation on the newest state.
    ///
    /// Errors: `UNAUTHENTICATED` when the caller was disabled, deleted or revoked since they were authenticated.
    pub async fn begin(&self, caller: &Caller, operation: Operation) -> Result<Session, Status> {
        let snapshot = self.inner.store.snapshot().await.map_err(|error| fault(&error))?;
        Session::new(self.clone(), caller.clone(), operation, snapshot).hold_caller(false).await
    }

    /// Begins an operation on the state at a version.
    ///
    /// Errors: `FAILED_PRECONDITION` when the version is older than the store remembers; `UNAUTHENTICATED` when the
    /// caller has no standing at present.
    pub async fn begin_at(
        &self,
        caller: &Caller,
        operation: Operation,
        version: Version,
    ) -> Result<Session, Status> {
        let snapshot = self.inner.store.snapshot_at(version).await.map_err(|error| match error {
            StoreError::TooOld { .. } => {
                Status::new(Code::FailedPrecondition, "The requested snapshot version is too old.")
            }
            error => fault(&error),
        })?;
        Session::new(self.clone(), caller.clone(), operation, snapshot).hold_caller(true).await
    }

    /// Begins the commit of a transaction: on its snapshot, with all that it has read. Its other requests begin at
    /// its version, and what they read is absorbed.
    pub async fn resume(
        &self,
        caller: &Caller,
        operation: Operation,
        suspended: Suspended,
    ) -> Result<Session, Status> {
        let mut session = self.begin_at(caller, operation, suspended.version()).await?;
        session.adopt(suspended);
        Ok(session)
    }
}
