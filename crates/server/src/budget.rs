//! What requests may hold that have not been answered, in bodies and decoded: small ones never wait for large ones, and no
//! address takes what is there for all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use wire::weight::Account;

use crate::limits::Limits;

/// The first bytes of each body, and of what it decodes to, come out of a pot of their own.
const SMALL_BYTES_MAX: usize = 256 << 10;

/// What is left of the pots.
pub struct Budget {
    small: Pot,
    body: Pot,
    decoded: Pot,
    message_bytes_max: usize,
}

impl Budget {
    /// Full pots.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            small: Pot::new(limits.small_bytes),
            body: Pot::new(limits.body_bytes),
            decoded: Pot::new(limits.decoded_bytes),
            message_bytes_max: limits.message_bytes,
        })
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

/// Bytes out of the pot for small ones, and out of that for the rest.
#[derive(Clone, Copy, Default)]
struct Taken {
    small: usize,
    rest: usize,
}

/// What one request holds, until it has been answered. One that is dropped half-way (its client hung up) gives back, too.
pub struct Share {
    budget: Arc<Budget>,
    address: IpAddr,
    body: Mutex<Taken>,
    decoded: Mutex<Taken>,
    /// There was not enough left for it.
    refused: AtomicBool,
    /// The answer has begun: what streams in from now on is its service's own business.
    answered: AtomicBool,
}

impl Share {
    /// Nothing yet, for a request from this address.
    pub fn of(budget: Arc<Budget>, address: IpAddr) -> Self {
        let (refused, answered) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { budget, address, body: Mutex::default(), decoded: Mutex::default(), refused, answered }
    }

    /// Takes more for the body; `false` when that much is not left.
    pub fn take(&self, bytes: usize) -> bool {
        self.take_from(&self.budget.body, &self.body, bytes)
    }

    fn take_from(&self, pot: &Pot, taken: &Mutex<Taken>, bytes: usize) -> bool {
        if self.is_answered() {
            return true;
        }
        let mut taken = taken.lock();
        let small = bytes.min(SMALL_BYTES_MAX.saturating_sub(taken.small));
        let rest = bytes - small;
        if self.budget.small.take(self.address, small) {
            if pot.take(self.address, rest) {
                *taken = Taken { small: taken.small + small, rest: taken.rest + rest };
                return true;
            }
            self.budget.small.put_back(self.address, small);
        }
        self.refused.store(true, Ordering::Relaxed);
        false
    }

    /// Of an answer that has begun: so much of the body is held now, and nothing else; `false` when that much is not left.
    pub fn hold(&self, bytes: usize) -> bool {
        let mut taken = self.body.lock();
        let before = std::mem::take(&mut *taken);
        self.budget.small.put_back(self.address, before.small);
        self.budget.body.put_back(self.address, before.rest);
        let small = bytes.min(SMALL_BYTES_MAX);
        let rest = bytes - small;
        if !self.budget.small.take(self.address, small) {
            return false;
        }
        if !self.budget.body.take(self.address, rest) {
            self.budget.small.put_back(self.address, small);
            return false;
        }
        *taken = Taken { small, rest };
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
        for (pot, taken) in [(&self.budget.body, &self.body), (&self.budget.decoded, &self.decoded)] {
            let Taken { small, rest } = std::mem::take(&mut *taken.lock());
            self.budget.small.put_back(self.address, small);
            pot.put_back(self.address, rest);
        }
    }
}

impl Account for Share {
    fn charge(&self, bytes: usize) -> bool {
        self.take_from(&self.budget.decoded, &self.decoded, bytes)
    }

    fn release(&self, bytes: usize) {
        let mut taken = self.decoded.lock();
        let rest = bytes.min(taken.rest);
        let small = (bytes - rest).min(taken.small);
        *taken = Taken { small: taken.small - small, rest: taken.rest - rest };
        self.budget.small.put_back(self.address, small);
        self.budget.decoded.put_back(self.address, rest);
    }

    fn message_bytes_max(&self) -> usize {
        self.budget.message_bytes_max
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
        let small_bytes = 16 * SMALL_BYTES_MAX;
        let (body_bytes, decoded_bytes) = (64 << 20, 8 << 20);
        let budget = Budget::new(&Limits { small_bytes, body_bytes, decoded_bytes, ..Limits::default() });
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
        let decoded = [of(1), of(1)];
        assert!(
            decoded[0].charge(3 << 20) && !decoded[1].charge(3 << 20) && decoded[1].charge(SMALL_BYTES_MAX)
        );
        assert!(of(2).charge(3 << 20));
        decoded[0].release(3 << 20);
        assert!(decoded[1].charge(3 << 20), "what was released is there again");
        drop(decoded);
        for pot in [&budget.small, &budget.body, &budget.decoded] {
            assert!(pot.held.lock().of_address.is_empty() && pot.held.lock().all == 0);
        }
    }
}
