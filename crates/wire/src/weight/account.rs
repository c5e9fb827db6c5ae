//! What the request that is being answered may still take of the server's memory.
//!
//! tonic makes its codecs without a request, so the account goes along with the request's task.

use std::sync::Arc;

use super::{MESSAGE_BYTES_MAX, WeightError};

/// A request's account; whoever serves sockets keeps it.
pub trait Account: Send + Sync {
    /// Takes more, until the request has been answered; `false` when that much is not left.
    fn charge(&self, bytes: usize) -> bool;

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

/// Charges the request that is being answered; without an account, as in tests, there is no bound.
pub fn charge(bytes: usize) -> Result<(), WeightError> {
    match ACCOUNT.try_with(|account| account.charge(bytes)) {
        Ok(false) => Err(WeightError::Account),
        Ok(true) | Err(_) => Ok(()),
    }
}

/// What one message may take.
pub fn message_bytes_max() -> usize {
    ACCOUNT.try_with(|account| account.message_bytes_max()).unwrap_or(MESSAGE_BYTES_MAX)
}
