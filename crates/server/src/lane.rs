//! Threads of their own for large requests.
//!
//! Reading, decoding and committing megabytes keeps a thread busy for a long time, and what waits for that thread waits as
//! long. A request goes over to these threads as soon as its body turns out to be large; the system shares the cores
//! between them and the others.

use std::future::poll_fn;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Of the machine's cores, one in so many has a thread for large requests.
const CORES_PER_THREAD: usize = 2;

static LARGE: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (cores / CORES_PER_THREAD).max(1);
    let runtime =
        Builder::new_multi_thread().worker_threads(threads).thread_name("large").enable_all().build();
    runtime
        .inspect_err(|error| tracing::error!(%error, "no threads for large requests: they share the others'"))
        .ok()
});

/// Ends what was spawned when nobody waits for it any more.
struct Ending<T>(JoinHandle<T>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers a request, here or, from the moment that it is large, on threads of their own. `None` when those end.
pub async fn answered<F>(request: F, is_large: &AtomicBool) -> Option<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut request = Box::pin(request);
    let here = poll_fn(|cx| match request.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if is_large.load(Ordering::Relaxed) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    if let Some(output) = here.await {
        return Some(output);
    }
    let Some(large) = &*LARGE else { return Some(request.await) };
    let mut spawned = Ending(large.spawn(request));
    poll_fn(|cx| Pin::new(&mut spawned.0).poll(cx)).await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_request_moves_when_it_turns_out_to_be_large() {
        let is_large = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_large);
        let name = || std::thread::current().name().map(str::to_owned);
        let request = async move {
            tokio::task::yield_now().await;
            let before = name();
            flag.store(true, Ordering::Relaxed);
            tokio::task::yield_now().await;
            (before, name())
        };
        let (before, after) = answered(request, &is_large).await.unwrap();
        assert_ne!(before.as_deref(), Some("large"));
        assert_eq!(after.as_deref(), Some("large"));
    }

    #[tokio::test]
    async fn one_that_nobody_waits_for_ends_on_those_threads_too() {
        let held = Arc::new(());
        let (is_large, mine) = (Arc::new(AtomicBool::new(true)), Arc::clone(&held));
        let request = async move {
            std::future::pending::<()>().await;
            drop(mine);
        };
        let waiting =
            tokio::time::timeout(std::time::Duration::from_millis(50), answered(request, &is_large));
        assert!(waiting.await.is_err());
        for _ in 0..100 {
            if Arc::strong_count(&held) == 1 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("it goes on");
    }
}
