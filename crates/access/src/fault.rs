//! Faults of the store, as clients hear of them.

use base::Status;
use kv::StoreError;

/// What a client hears of a store fault; the cause goes to the operator's log.
pub(crate) fn fault(error: &StoreError) -> Status {
    tracing::error!(%error, "the store failed");
    Status::unavailable("The service is currently unavailable.")
}
