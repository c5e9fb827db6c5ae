//! How many transfers run at once, in all and for one address.

use std::collections::HashMap;
use std::sync::Arc;

use access::Network;
use parking_lot::Mutex;

use crate::status::Failure;

/// Places for transfers.
pub struct Slots {
    all_max: usize,
    of_address_max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of_address: HashMap<Network, usize>,
}

/// A place; free again when this is dropped.
pub struct Slot {
    network: Network,
    taken: Arc<Mutex<Taken>>,
}

impl Slots {
    /// So many places in all, and so many for one address.
    pub fn new(all_max: usize, of_address_max: usize) -> Self {
        Self { all_max, of_address_max, taken: Arc::default() }
    }

    /// Takes a place. Errors: there is none.
    pub fn take(&self, network: Network) -> Result<Slot, Failure> {
        let mut taken = self.taken.lock();
        let of_address = taken.of_address.get(&network).copied().unwrap_or(0);
        if of_address >= self.of_address_max {
            return Err(Failure::TooManyTransfers("from one address"));
        }
        if taken.all >= self.all_max {
            return Err(Failure::TooManyTransfers("from all clients"));
        }
        taken.all += 1;
        taken.of_address.insert(network, of_address + 1);
        Ok(Slot { network, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(count) = taken.of_address.get_mut(&self.network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.of_address.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use access::ClientAddress;

    use super::*;

    #[test]
    fn one_address_leaves_places_for_others_and_what_ends_is_free() {
        let slots = Slots::new(3, 2);
        let of = |last: u8| ClientAddress([10, 0, 0, last].into()).network();
        let held = [slots.take(of(1)).unwrap(), slots.take(of(1)).unwrap()];
        assert!(matches!(slots.take(of(1)), Err(Failure::TooManyTransfers("from one address"))));
        let other = slots.take(of(2)).unwrap();
        assert!(matches!(slots.take(of(2)), Err(Failure::TooManyTransfers("from all clients"))));
        drop((held, other));
        assert!(slots.taken.lock().of_address.is_empty() && slots.taken.lock().all == 0);
    }
}
