//! What request bodies may hold, of all requests that have not been answered: small ones never wait for large ones, and no
//! address takes what is there for all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// The first bytes of each body come out of a pot of their own.
const SMALL_BYTES_MAX: usize = 256 << 10;

/// How many bytes there are.
#[derive(Clone, Copy, Debug)]
pub struct Pots {
    /// For the beginnings of bodies.
    pub small: usize,
    /// For what is beyond the beginnings.
    pub large: usize,
}

/// What is left of the pots.
pub struct Budget {
    small: Pot,
    large: Pot,
}

impl Budget {
    /// Full pots.
    pub fn new(pots: Pots) -> Arc<Self> {
        Arc::new(Self { small: Pot::new(pots.small), large: Pot::new(pots.large) })
    }
}

struct Pot {
    /// An address may hold one half: another is never left without.
    of_address_max: usize,
    all_max: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

impl Pot {
    fn new(bytes: usize) -> Self {
        Self { of_address_max: bytes / 2, all_max: bytes, held: Mutex::default() }
    }

    fn take(&self, address: IpAddr, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let mut held = self.held.lock();
        let of_address = held.of_address.get(&address).copied().unwrap_or(0).saturating_add(bytes);
        let all = held.all.saturating_add(bytes);
        if of_address > self.of_address_max || all > self.all_max {
            return false;
        }
        held.all = all;
        held.of_address.insert(address, of_address);
        true
    }

    fn put_back(&self, address: IpAddr, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut held = self.held.lock();
        held.all = held.all.saturating_sub(bytes);
        if let Some(of_address) = held.of_address.get_mut(&address) {
            *of_address = of_address.saturating_sub(bytes);
            if *of_address == 0 {
                held.of_address.remove(&address);
            }
        }
    }
}

/// What one request holds, until it has been answered. One that is dropped half-way (its client hung up) gives back, too.
pub struct Share {
    budget: Arc<Budget>,
    address: IpAddr,
    /// Out of the small and the large pot.
    taken: Mutex<(usize, usize)>,
    /// There was not enough left for it.
    refused: AtomicBool,
    /// The answer has begun: what streams in from now on is its service's own business.
    answered: AtomicBool,
}

impl Share {
    /// Nothing yet, for a request from this address.
    pub fn of(budget: Arc<Budget>, address: IpAddr) -> Self {
        let (refused, answered) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { budget, address, taken: Mutex::default(), refused, answered }
    }

    /// Takes more; `false` when that much is not left.
    pub fn take(&self, bytes: usize) -> bool {
        if self.is_answered() {
            return true;
        }
        let mut taken = self.taken.lock();
        let small = bytes.min(SMALL_BYTES_MAX.saturating_sub(taken.0));
        let large = bytes - small;
        if self.budget.small.take(self.address, small) {
            if self.budget.large.take(self.address, large) {
                *taken = (taken.0 + small, taken.1 + large);
                return true;
            }
            self.budget.small.put_back(self.address, small);
        }
        self.refused.store(true, Ordering::Relaxed);
        false
    }

    /// Of an answer that has begun: so much is held now, and nothing else; `false` when that much is not left.
    pub fn hold(&self, bytes: usize) -> bool {
        let mut taken = self.taken.lock();
        let (small, large) = std::mem::take(&mut *taken);
        self.budget.small.put_back(self.address, small);
        self.budget.large.put_back(self.address, large);
        let small = bytes.min(SMALL_BYTES_MAX);
        let large = bytes - small;
        if !self.budget.small.take(self.address, small) {
            return false;
        }
        if !self.budget.large.take(self.address, large) {
            self.budget.small.put_back(self.address, small);
            return false;
        }
        *taken = (small, large);
        true
    }

    /// Whether something that was needed was not there.
    pub fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether the answer has begun.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// The answer has begun: nothing is held any more.
    pub fn give_back(&self) {
        self.answered.store(true, Ordering::Relaxed);
        let (small, large) = std::mem::take(&mut *self.taken.lock());
        self.budget.small.put_back(self.address, small);
        self.budget.large.put_back(self.address, large);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_and_other_addresses_never_wait_for_large_ones() {
        let budget = Budget::new(Pots { small: 16 * SMALL_BYTES_MAX, large: 64 << 20 });
        let of = |last: u8| Share::of(Arc::clone(&budget), IpAddr::from([10, 0, 0, last]));
        let large = [of(1), of(1), of(1)];
        assert!(large[0].take(16 << 20) && large[1].take(16 << 20));
        assert!(!large[2].take(16 << 20) && large[2].was_refused(), "more than half is for others");
        let small: Vec<Share> = (0..6).map(|_| of(1)).collect();
        assert!(small.iter().all(|share| share.take(SMALL_BYTES_MAX)));
        assert!(!of(1).take(1), "its small ones have a bound, too");
        assert!(of(2).take(16 << 20));
        drop(large);
        assert!(of(1).take(16 << 20));
        drop(small);
        assert!(budget.small.held.lock().of_address.is_empty() && budget.large.held.lock().all == 0);
    }
}
