//! Places for streams that stay open: how many there are, and whose.
//!
//! An open stream costs its client nothing. So callers have a share, addresses have one, and there is a bound for all;
//! administrators have places of their own, which addresses do not count against.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Caller, ClientAddress, Network};
use base::Status;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shares::{
    Counts, OPEN_ADDRESS_MAX, OPEN_OTHERS_MAX, Owner, TARGETS_CALLER_MAX, TARGETS_OTHERS_MAX,
};
use crate::status;

/// First results that are being read at once: of administrators, and of everybody else.
const LOADS_MAX: usize = 8;

/// The places.
pub struct Places {
    taken: Arc<Mutex<Taken>>,
    loads_admin: Arc<Semaphore>,
    loads_others: Arc<Semaphore>,
}

#[derive(Default)]
struct Taken {
    of_owners: Counts,
    of_networks: HashMap<Network, usize>,
    others: usize,
    /// By caller; of those who have not signed in, by address.
    targets: HashMap<(Owner, Option<Network>), usize>,
    targets_of_others: usize,
}

/// One place, for as long as its stream is open.
pub struct Place {
    owner: Owner,
    network: Option<Network>,
    taken: Arc<Mutex<Taken>>,
}

/// Room for one target of a stream.
pub struct TargetPlace {
    /// None for an administrator's.
    of: Option<(Owner, Option<Network>)>,
    taken: Arc<Mutex<Taken>>,
}

impl Place {
    /// Room for a target.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when the caller or all together have too many. Administrators may have any number.
    pub fn target(&self) -> Result<TargetPlace, Status> {
        let mut taken = self.taken.lock();
        let of = (!self.owner.is_admin()).then(|| {
            let network = self.network.filter(|_| self.owner.is_anonymous());
            (self.owner.clone(), network)
        });
        if let Some(of) = &of {
            let own = taken.targets.get(of).copied().unwrap_or(0);
            if own >= TARGETS_CALLER_MAX || taken.targets_of_others >= TARGETS_OTHERS_MAX {
                return Err(status::too_many_targets_of_all());
            }
            taken.targets.insert(of.clone(), own + 1);
            taken.targets_of_others += 1;
        }
        Ok(TargetPlace { of, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for TargetPlace {
    fn drop(&mut self) {
        let Some(of) = &self.of else { return };
        let mut taken = self.taken.lock();
        taken.targets_of_others = taken.targets_of_others.saturating_sub(1);
        match taken.targets.get_mut(of) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.targets.remove(of);
            }
        }
    }
}

impl Default for Places {
    fn default() -> Self {
        let loads = || Arc::new(Semaphore::new(LOADS_MAX));
        Self { taken: Arc::default(), loads_admin: loads(), loads_others: loads() }
    }
}

impl Places {
    /// A place for a stream of a caller at an address.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when the caller, the address or all together have too many.
    pub fn take(&self, caller: &Caller, address: Option<ClientAddress>) -> Result<Place, Status> {
        let owner = Owner::of(caller);
        let network = address.filter(|_| !owner.is_admin()).map(ClientAddress::network);
        let mut taken = self.taken.lock();
        let of_network = network.and_then(|network| taken.of_networks.get(&network)).copied().unwrap_or(0);
        let is_full = taken.of_owners.of(&owner) >= owner.open_max()
            || of_network >= OPEN_ADDRESS_MAX
            || !owner.is_admin() && taken.others >= OPEN_OTHERS_MAX;
        if is_full {
            return Err(status::too_many_open_streams());
        }
        taken.of_owners.add(&owner);
        taken.others += usize::from(!owner.is_admin());
        if let Some(network) = network {
            *taken.of_networks.entry(network).or_default() += 1;
        }
        Ok(Place { owner, network, taken: Arc::clone(&self.taken) })
    }

    /// The turn to read a first result, or a part of it.
    pub async fn load(&self, caller: &Caller) -> Result<OwnedSemaphorePermit, Status> {
        let loads = if caller.is_admin() { &self.loads_admin } else { &self.loads_others };
        let turn = Arc::clone(loads).acquire_owned().await;
        turn.map_err(|_| Status::unavailable("The service is currently unavailable."))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.of_owners.remove(&self.owner);
        taken.others = taken.others.saturating_sub(usize::from(!self.owner.is_admin()));
        if let Some(network) = self.network
            && let Some(count) = taken.of_networks.get_mut(&network)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.of_networks.remove(&network);
            }
        }
    }
}
