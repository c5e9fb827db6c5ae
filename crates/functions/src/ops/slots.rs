//! How many calls are in flight and how many wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::Code;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::model::Endpoint;
use crate::status::Failure;

/// Calls in flight.
const CALLS_MAX: usize = 1000;
/// Of these, of one function, whatever it says of itself.
const CALLS_OF_FUNCTION_MAX: usize = 250;
/// Calls that wait.
const WAITING_MAX: usize = 2000;
/// Of these, for one function.
const WAITING_OF_FUNCTION_MAX: usize = 500;
/// Functions whose places are kept.
const FUNCTIONS_MAX: usize = 10_000;

/// The places for calls.
pub struct Slots {
    all: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    of_functions: Mutex<HashMap<(String, usize), Places>>,
}

#[derive(Clone)]
struct Places {
    free: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// A place; dropped, it is another's.
#[derive(Debug)]
pub struct Slot {
    _of_function: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(CALLS_MAX)),
            waiting: Arc::default(),
            of_functions: Mutex::default(),
        }
    }
}

/// One that waits, as long as this is there.
struct Waits(Arc<AtomicUsize>);

impl Waits {
    fn begin(count: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let waits = Self(Arc::clone(count));
        (count.fetch_add(1, Ordering::Relaxed) < max).then_some(waits)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slots {
    /// A place for a call of this function; waits for one until a time.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when too many wait already, or none became free in time.
    pub async fn take(&self, endpoint: &Endpoint, until: Instant) -> Result<Slot, Failure> {
        let calls_max = endpoint.calls_max.min(CALLS_OF_FUNCTION_MAX);
        let places = self.places(&endpoint.name, calls_max);
        let exhausted = || {
            let text =
                format!("`{}` has {calls_max} calls at once at most, and too many wait", endpoint.name);
            Failure::of(Code::ResourceExhausted, text)
        };
        let _waits = Waits::begin(&self.waiting, WAITING_MAX).ok_or_else(exhausted)?;
        let _waits_for_it = Waits::begin(&places.waiting, WAITING_OF_FUNCTION_MAX).ok_or_else(exhausted)?;
        let both = async {
            let of_function = Arc::clone(&places.free).acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Slot { _of_function: of_function, _of_all: of_all })
        };
        timeout_at(until, both).await.ok().flatten().ok_or_else(exhausted)
    }

    fn places(&self, function: &str, calls_max: usize) -> Places {
        let mut all = self.of_functions.lock();
        if all.len() >= FUNCTIONS_MAX {
            all.clear();
        }
        let fresh = || Places { free: Arc::new(Semaphore::new(calls_max)), waiting: Arc::default() };
        all.entry((function.to_owned(), calls_max)).or_insert_with(fresh).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Kind;

    fn endpoint(name: &str, calls_max: usize) -> Endpoint {
        Endpoint {
            name: name.to_owned(),
            entry_point: name.to_owned(),
            regions: Vec::new(),
            kind: Kind::Http,
            is_first_generation: false,
            timeout_s: 60,
            calls_max,
            is_private: false,
            secrets: Vec::new(),
            trigger: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_in_bounds_and_one_function_leaves_places_for_others() {
        let slots = Arc::new(Slots::default());
        let soon = || Instant::now() + Duration::from_secs(5);
        let first = slots.take(&endpoint("a", 1), soon()).await.unwrap();
        assert!(slots.take(&endpoint("a", 1), soon()).await.is_err(), "none became free in time");
        let waiting = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take(&endpoint("a", 1), soon()).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap().is_ok(), "who waits comes next");

        let mut greedy = Vec::new();
        for _ in 0..CALLS_OF_FUNCTION_MAX {
            greedy.push(slots.take(&endpoint("greedy", usize::MAX), soon()).await.unwrap());
        }
        assert!(slots.take(&endpoint("greedy", usize::MAX), soon()).await.is_err(), "it has its places");
        assert!(slots.take(&endpoint("b", 80), soon()).await.is_ok());
        let waits = (0..WAITING_OF_FUNCTION_MAX).map(|_| {
            let slots = Arc::clone(&slots);
            tokio::spawn(async move { slots.take(&endpoint("greedy", usize::MAX), soon()).await.is_ok() })
        });
        let waits: Vec<_> = waits.collect();
        while slots.waiting.load(Ordering::Relaxed) < WAITING_OF_FUNCTION_MAX {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        assert!(slots.take(&endpoint("greedy", usize::MAX), soon()).await.is_err());
        assert_eq!(began.elapsed(), Duration::ZERO, "too many wait: said at once");
        drop(waits);
    }
}
