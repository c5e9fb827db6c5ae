//! How long a stream may stay open: until its caller's credential ends, and no longer than [`OPEN_SECONDS_MAX`].

use std::sync::Arc;
use std::time::Duration;

use access::Caller;
use base::{Clock, Status};
use tokio::sync::watch;

use crate::status;

/// How long a stream stays open. Clients open another and resume.
pub const OPEN_SECONDS_MAX: u64 = 3_600;
/// How often the clock is looked at: it may be set.
const LOOK_SECONDS_MAX: u64 = 30;

/// The end of a stream.
pub struct Lifetime {
    clock: Arc<dyn Clock>,
    /// Microseconds.
    credential_until: Option<i64>,
    until: i64,
}

impl Lifetime {
    /// Of a stream that begins now.
    pub fn of(caller: &Caller, clock: &Arc<dyn Clock>) -> Self {
        let open = i64::try_from(OPEN_SECONDS_MAX).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self {
            clock: Arc::clone(clock),
            credential_until: caller.until.map(base::Timestamp::micros),
            until: clock.now_micros().saturating_add(open),
        }
    }

    /// The status with which the stream ends now, if it does: `UNAUTHENTICATED` when the credential has ended.
    pub fn check(&self) -> Result<(), Status> {
        let now = self.clock.now_micros();
        if self.credential_until.is_some_and(|until| until <= now) {
            return Err(status::credential_expired());
        }
        if self.until <= now { Err(status::open_too_long()) } else { Ok(()) }
    }

    /// Waits for the end.
    pub async fn over(&self) -> Status {
        loop {
            if let Err(over) = self.check() {
                return over;
            }
            tokio::time::sleep(self.left()).await;
        }
    }

    /// How long until it is to be looked at again.
    pub fn left(&self) -> Duration {
        let until = self.credential_until.map_or(self.until, |until| until.min(self.until));
        let left = u64::try_from(until.saturating_sub(self.clock.now_micros())).unwrap_or(0);
        Duration::from_micros(left.max(1)).min(Duration::from_secs(LOOK_SECONDS_MAX))
    }
}

/// Waits until this process is about to stop.
pub async fn ended(ending: &mut watch::Receiver<bool>) {
    // Without a sender there is no service any more.
    let _ = ending.wait_for(|ending| *ending).await;
}
