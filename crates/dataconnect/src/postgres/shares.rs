//! Who runs and who waits: no caller has more than a share of the connections, and a queue that is full says so.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Operations that wait, of all callers.
const WAITING_MAX: usize = 512;
/// Operations that wait, of one caller.
const WAITING_OF_ONE_MAX: usize = 128;
/// How long one waits.
const WAIT_SECONDS_MAX: u64 = 5;

/// Too many wait already, or this one has waited too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many operations wait for the database")]
pub struct Busy;

/// What callers have.
#[derive(Debug)]
pub struct Shares {
    whole: Arc<Semaphore>,
    share: usize,
    waiting: AtomicUsize,
    callers: Mutex<HashMap<String, Arc<Caller>>>,
}

#[derive(Debug)]
struct Caller {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// The right to run one operation, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    shares: Arc<Shares>,
    name: String,
    caller: Option<Arc<Caller>>,
    running: Vec<OwnedSemaphorePermit>,
}

/// Counts one that waits.
struct Waiting<'w>(&'w AtomicUsize);

impl<'w> Waiting<'w> {
    fn enter(count: &'w AtomicUsize, max: usize) -> Result<Self, Busy> {
        if count.fetch_add(1, Ordering::Relaxed) >= max {
            count.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        Ok(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shares {
    /// Of so many connections.
    pub fn new(connections: usize) -> Arc<Self> {
        Arc::new(Self {
            whole: Arc::new(Semaphore::new(connections)),
            share: (connections / 2).max(1),
            waiting: AtomicUsize::new(0),
            callers: Mutex::default(),
        })
    }

    /// Waits for a turn. `name`: the caller, or where they are when nobody knows who it is.
    pub async fn turn(self: &Arc<Self>, name: &str) -> Result<Turn, Busy> {
        let caller = {
            let mut callers = self.callers.lock();
            let caller = callers.entry(name.to_owned()).or_insert_with(|| {
                let running = Arc::new(Semaphore::new(self.share));
                Arc::new(Caller { running, waiting: AtomicUsize::new(0) })
            });
            Arc::clone(caller)
        };
        // From here on the caller is forgotten with the turn.
        let mut turn = Turn {
            shares: Arc::clone(self),
            name: name.to_owned(),
            caller: Some(Arc::clone(&caller)),
            running: Vec::new(),
        };
        let _all = Waiting::enter(&self.waiting, WAITING_MAX)?;
        let _own = Waiting::enter(&caller.waiting, WAITING_OF_ONE_MAX)?;
        let both = async {
            let own = Arc::clone(&caller.running).acquire_owned().await;
            let whole = Arc::clone(&self.whole).acquire_owned().await;
            [own, whole].into_iter().collect::<Result<Vec<_>, _>>().map_err(|_| Busy)
        };
        turn.running = timeout(Duration::from_secs(WAIT_SECONDS_MAX), both).await.map_err(|_| Busy)??;
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.clear();
        let mut callers = self.shares.callers.lock();
        self.caller = None;
        if callers.get(&self.name).is_some_and(|caller| Arc::strong_count(caller) == 1) {
            callers.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_caller_leaves_half_to_the_others_and_is_forgotten_after() {
        let shares = Shares::new(4);
        let first = shares.turn("mallory").await.unwrap();
        let second = shares.turn("mallory").await.unwrap();
        assert_eq!(shares.turn("mallory").await.unwrap_err(), Busy, "its third waits in vain");
        let alice = shares.turn("alice").await.unwrap();
        drop((first, second, alice));
        assert!(shares.callers.lock().is_empty());
        assert_eq!(shares.whole.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_full_says_so_at_once() {
        let shares = Shares::new(2);
        let held = shares.turn("mallory").await.unwrap();
        let waiting: Vec<_> = (0..WAITING_OF_ONE_MAX)
            .map(|_| {
                let shares = Arc::clone(&shares);
                tokio::spawn(async move { shares.turn("mallory").await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        let asked = tokio::time::Instant::now();
        assert_eq!(shares.turn("mallory").await.unwrap_err(), Busy);
        assert_eq!(asked.elapsed(), Duration::ZERO);
        drop(held);
        for one in waiting {
            one.await.unwrap().unwrap();
        }
    }
}
