//! What a caller must still be while their operation runs.

use std::fmt::Debug;

use base::{Fields, Status};
use kv::{Key, Row};

/// Whether a caller may still act, decided by one row of the store. A session reads that row in its own snapshot, and
/// its commit validates it: a caller who was disabled, deleted or revoked meanwhile cannot commit.
pub trait Standing: Debug + Send + Sync {
    /// The row.
    fn key(&self) -> &Key;

    /// A further row whose change ends the standing and of which [`Standing::check`] knows without reading it. Whoever changes it
    /// lets the check know first and commits then: so a session sees the one or conflicts with the other.
    fn depends_on(&self) -> Option<&Key> {
        None
    }

    /// Checks the row as it is. Errors: `UNAUTHENTICATED` when the caller lost their standing; `DATA_LOSS` for an
    /// unreadable row.
    fn check(&self, row: Option<&Row>) -> Result<(), Status>;

    /// What the row makes of the caller's claims now, for what stays open longer than a request; `None` leaves them as they
    /// are. Errors: as [`Standing::check`].
    fn renew(&self, row: Option<&Row>, _claims: &Fields) -> Result<Option<Fields>, Status> {
        self.check(row).map(|()| None)
    }
}
