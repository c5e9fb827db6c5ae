//! Work of a stream that must not stand still when its client does.
//!
//! A stream is polled when its client has room for more. Work that holds something others wait for (a turn, a lock, a
//! snapshot of the store) would hold it for as long as a client likes who gives no room in the middle of it.

use std::future::Future;
use std::panic::resume_unwind;

use base::Status;
use futures_util::FutureExt;

/// Does the work here if it is done at once; otherwise on a task of its own, which goes on whether this is polled or not.
///
/// Errors: `UNAVAILABLE` when the house stops meanwhile.
pub async fn away<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    let mut work = Box::pin(work);
    if let Some(done) = work.as_mut().now_or_never() {
        return done;
    }
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
        Err(_) => Err(Status::unavailable("The service is currently unavailable.")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_has_begun_goes_on_without_being_polled() {
        let (begun, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (waits, says) = (begun.clone(), done.clone());
        let mut away = Box::pin(away(async move {
            waits.notified().await;
            says.notify_one();
            Ok(7)
        }));
        assert!(away.as_mut().now_or_never().is_none());
        begun.notify_one();
        // Nobody polls it.
        done.notified().await;
        assert_eq!(away.await, Ok(7));
        assert_eq!(
            super::away(async { Ok(1) }).now_or_never(),
            Some(Ok(1)),
            "no task for what is done at once"
        );
    }
}
