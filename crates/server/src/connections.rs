//! The open connections of a listener: how many, whose, and which of them ends when there are too many.
//!
//! An idle connection costs its client nothing, so there would always be too many of them: one that has nothing in flight
//! has its place only until somebody needs it. Addresses have a share of all places, so that what one of them keeps busy
//! leaves places to others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The bits of an IPv6 address that count: a customer has the rest to choose from.
const IPV6_NETWORK: u128 = u128::MAX << 64;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Of all addresses together.
    pub all: usize,
    /// Of one address.
    pub of_address: usize,
}

/// The open connections.
pub struct Connections {
    places: Places,
    began: Instant,
    open: Mutex<Open>,
    /// A connection ended or has become idle.
    freed: Notify,
}

#[derive(Default)]
struct Open {
    next: u64,
    seats: HashMap<u64, (IpAddr, Arc<Activity>)>,
    of_address: HashMap<IpAddr, usize>,
}

/// What a connection is doing.
struct Activity {
    in_flight: AtomicUsize,
    /// Since when nothing is in flight: milliseconds after the beginning.
    idle_ms: AtomicU64,
    /// It must end, because another needs its place.
    leave: Notify,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The address has its share, and all of it is busy.
    Address,
    /// Everything is busy.
    All,
}

impl Connections {
    /// None yet.
    pub fn new(places: Places) -> Arc<Self> {
        Arc::new(Self { places, began: Instant::now(), open: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a connection from this address. An idle connection may have to leave for it: one of the same address
    /// where that has its share, else one of the address that has most.
    pub fn seat(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Full> {
        let address = network(address);
        let mut open = self.open.lock();
        if open.of_address.get(&address).is_some_and(|count| *count >= self.places.of_address)
            && !open.dismiss(|of| of == address)
        {
            return Err(Full::Address);
        }
        if open.seats.len() >= self.places.all {
            let most = open.of_address.iter().max_by_key(|(_, count)| **count).map(|(of, _)| *of);
            if !open.dismiss(|of| Some(of) == most) && !open.dismiss(|_| true) {
                return Err(Full::All);
            }
        }
        let id = open.next;
        open.next += 1;
        let activity = Arc::new(Activity {
            in_flight: AtomicUsize::new(0),
            idle_ms: AtomicU64::new(self.now_ms()),
            leave: Notify::new(),
        });
        open.seats.insert(id, (address, Arc::clone(&activity)));
        *open.of_address.entry(address).or_default() += 1;
        Ok(Seat { id, connections: Arc::clone(self), activity })
    }

    /// Waits until there may be a place again.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0)
    }
}

impl Open {
    /// Has the one leave that has been idle longest, of those whose address fits.
    fn dismiss(&mut self, fits: impl Fn(IpAddr) -> bool) -> bool {
        let idle = |(id, (address, activity)): (&u64, &(IpAddr, Arc<Activity>))| {
            let is_idle = fits(*address) && activity.in_flight.load(Ordering::Relaxed) == 0;
            is_idle.then(|| (activity.idle_ms.load(Ordering::Relaxed), *id))
        };
        let Some((_, id)) = self.seats.iter().filter_map(idle).min() else { return false };
        if let Some(activity) = self.remove(id) {
            activity.leave.notify_one();
        }
        true
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Activity>> {
        let (address, activity) = self.seats.remove(&id)?;
        if let Some(count) = self.of_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
        Some(activity)
    }
}

/// What counts as one address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
    }
}

/// A connection's place; dropped, it is free.
pub struct Seat {
    id: u64,
    connections: Arc<Connections>,
    activity: Arc<Activity>,
}

impl Seat {
    /// A request begins; it is in flight until this is dropped.
    pub fn request(&self) -> InFlight {
        self.activity.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { connections: Arc::clone(&self.connections), activity: Arc::clone(&self.activity) }
    }

    /// Waits until the place is needed by another. It is given away already.
    pub async fn is_needed(&self) {
        self.activity.leave.notified().await;
    }

    /// Whether nothing has been in flight for so long.
    pub fn is_idle_for(&self, patience: Duration) -> bool {
        let idle_ms = self.connections.now_ms().saturating_sub(self.activity.idle_ms.load(Ordering::Relaxed));
        self.activity.in_flight.load(Ordering::Relaxed) == 0 && u128::from(idle_ms) >= patience.as_millis()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.open.lock().remove(self.id);
        self.connections.freed.notify_one();
    }
}

/// A request that has not been answered to its end.
pub struct InFlight {
    connections: Arc<Connections>,
    activity: Arc<Activity>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.activity.idle_ms.store(self.connections.now_ms(), Ordering::Relaxed);
        if self.activity.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.connections.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn is_dismissed(seat: &Seat) -> bool {
        seat.is_needed().now_or_never().is_some()
    }

    #[test]
    fn at_the_cap_the_one_that_is_idle_longest_leaves_of_the_address_that_has_most() {
        let connections = Connections::new(Places { all: 4, of_address: 3 });
        let single = connections.seat(address(2)).unwrap();
        std::thread::sleep(Duration::from_millis(3));
        let many: Vec<Seat> = (0..3).map(|_| connections.seat(address(1)).unwrap()).collect();
        // Busy ones stay, whatever their age.
        let busy = many[0].request();
        let third = connections.seat(address(3)).unwrap();
        let left: Vec<bool> = many.iter().map(is_dismissed).collect();
        assert_eq!((left, is_dismissed(&single)), (vec![false, true, false], false));
        drop(busy);
        drop(many);
        assert!(connections.open.lock().seats.len() == 2 && !is_dismissed(&third));
    }

    #[test]
    fn an_address_whose_share_is_busy_has_no_more_and_others_have() {
        let connections = Connections::new(Places { all: 3, of_address: 2 });
        let many: Vec<Seat> = (0..2).map(|_| connections.seat(address(1)).unwrap()).collect();
        let busy: Vec<InFlight> = many.iter().map(Seat::request).collect();
        assert_eq!(connections.seat(address(1)).err(), Some(Full::Address));
        let other = connections.seat(address(2)).unwrap();
        let of_other = other.request();
        assert_eq!(connections.seat(address(2)).err(), Some(Full::All));
        assert!(connections.freed().now_or_never().is_none());
        drop(busy);
        assert!(connections.freed().now_or_never().is_some());
        connections.seat(address(2)).unwrap();
        drop(of_other);
        let customers: Vec<IpAddr> =
            ["2001:db8::1", "2001:db8::ffff:2"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(network(customers[0]), network(customers[1]));
    }
}
