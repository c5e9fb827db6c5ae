//! What the request that is being answered may still take of the server's memory.
//!
//! tonic makes its codecs without a request, so the account goes along with the request's task.

use std::sync::Arc;

use super::{MESSAGE_BYTES_MAX, WeightError};

/// A message is held as it was decoded, and as what a service makes of it: its values as documents, their bytes.
const FORMS: usize = 2;

/// A request is charged so much more at a time than is needed.
const AHEAD_BYTES: usize = 8 << 10;

/// A request's account; whoever serves sockets keeps it.
pub trait Account: Send + Sync {
    /// Takes more, until it is released or the request has been answered; `false` when that much is not left.
    fn charge(&self, bytes: usize) -> bool;

    /// Gives back what was taken.
    fn release(&self, bytes: usize);

    /// What one message may take.
    fn message_bytes_max(&self) -> usize;
}

tokio::task_local! {
    static ACCOUNT: Arc<dyn Account>;
}

/// Answers a request with an account. What it decodes is charged to it.
pub async fn charged<F: Future>(account: Arc<dyn Account>, request: F) -> F::Output {
    ACCOUNT.scope(account, request).await
}

/// Charges the request that is being answered with a message of this weight, until it has been answered. Without an account,
/// as in tests, there is no bound.
pub fn charge(bytes: usize) -> Result<(), WeightError> {
    match ACCOUNT.try_with(|account| account.charge(bytes.saturating_mul(FORMS))) {
        Ok(false) => Err(WeightError::Account),
        Ok(true) | Err(_) => Ok(()),
    }
}

/// Charges it with something that is held for some time only.
pub fn hold(bytes: usize) -> Result<Hold, WeightError> {
    match ACCOUNT.try_with(Arc::clone) {
        Ok(account) if account.charge(bytes) => Ok(Hold { account: Some(account), bytes }),
        Ok(_) => Err(WeightError::Account),
        Err(_) => Ok(Hold { account: None, bytes }),
    }
}

/// A message that is weighed while it is made, and charged a little ahead.
pub(crate) struct Made {
    bytes: usize,
    charged: usize,
    max: usize,
}

impl Made {
    /// Nothing so far.
    pub(crate) fn begin() -> Self {
        Self { bytes: 0, charged: 0, max: message_bytes_max() }
    }

    /// So much more is about to be made.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), WeightError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.max {
            return Err(WeightError::Bytes { max: self.max });
        }
        if self.bytes > self.charged {
            let more = self.bytes - self.charged + AHEAD_BYTES;
            charge(more)?;
            self.charged += more;
        }
        Ok(())
    }
}

/// Memory that a request holds until this is dropped.
pub struct Hold {
    account: Option<Arc<dyn Account>>,
    bytes: usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.release(self.bytes);
        }
    }
}

/// What one message may take.
pub fn message_bytes_max() -> usize {
    ACCOUNT.try_with(|account| account.message_bytes_max()).unwrap_or(MESSAGE_BYTES_MAX)
}
