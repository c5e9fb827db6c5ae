//! Sessions begin here, and nowhere else.

use base::Status;
use kv::Version;

use crate::caller::Caller;
use crate::fault::fault;
use crate::gate::{Gate, Operation};
use crate::reads::Reads;
use crate::session::{Session, Suspended};

impl Gate {
    /// Begins an operation on the newest state.
    ///
    /// Errors: `UNAUTHENTICATED` when the caller was disabled, deleted or revoked since they were authenticated.
    pub async fn begin(&self, caller: &Caller, operation: Operation) -> Result<Session, Status> {
        let snapshot = self.inner.store.snapshot().await.map_err(|error| fault(&error))?;
        let reads = Reads::new(snapshot.into(), self.past(caller));
        Session::new(self.clone(), caller.clone(), operation, reads).hold_caller(false).await
    }

    /// Begins an operation on the newest state for what stays open: a user's claims are those that the store has now, not
    /// those of a token that was made before they changed.
    ///
    /// Errors: as [`Gate::begin`].
    pub async fn begin_open(&self, caller: &Caller, operation: Operation) -> Result<Session, Status> {
        self.begin(caller, operation).await?.renew_caller().await
    }

    /// Begins an operation on the state at a version. What somebody else than an administrator reads there must be
    /// allowed at the present as well: begin at the present, decide, and [`Session::look_back`].
    ///
    /// Errors: `FAILED_PRECONDITION` when the version is older than the store remembers or too much was changed since;
    /// `RESOURCE_EXHAUSTED` when too many look back; `UNAUTHENTICATED` when the caller has no standing at present.
    pub async fn begin_at(
        &self,
        caller: &Caller,
        operation: Operation,
        version: Version,
    ) -> Result<Session, Status> {
        let past = self.past(caller);
        let reads = Reads::new(past.at(version).await?, past);
        Session::new(self.clone(), caller.clone(), operation, reads).hold_caller(true).await
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
