//! What open connections cost together: how many there are and what they hold, of each address and of all.
//!
//! A connection that is upgraded to a WebSocket leaves the listener's count, and a long-polling session is not a
//! connection at all, so both are counted here. What each holds beyond [`Limits::free_bytes`] comes out of a common
//! allowance, half of which is beyond the reach of any one address.

use std::collections::HashMap;
use std::sync::Arc;

use access::Network;
use parking_lot::Mutex;

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of all clients.
    pub connections: usize,
    /// Connections of one client's addresses.
    pub connections_of_network: usize,
    /// Bytes that each may hold of a message that is not complete, beside the allowance.
    pub free_bytes: usize,
    /// Bytes that all may hold beyond that. One client's addresses may hold half of it.
    pub held_bytes: usize,
}

/// What production has.
pub const SOCKETS: Limits = Limits {
    connections: 16_384,
    connections_of_network: 4_096,
    free_bytes: 64 << 10,
    held_bytes: 256 << 20,
};
/// Of long-polling sessions. Only browsers without WebSockets have one for longer than a moment.
pub const POLLS: Limits =
    Limits { connections: 4_096, connections_of_network: 512, free_bytes: 64 << 10, held_bytes: 128 << 20 };

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    connections: usize,
    held_bytes: usize,
}

/// The books.
#[derive(Debug)]
pub struct Seats {
    limits: Limits,
    taken: Mutex<(Count, HashMap<Network, Count>)>,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The client's addresses have their share.
    #[error("too many open connections from this address")]
    Network,
    /// All are taken.
    #[error("too many open connections")]
    All,
}

impl Seats {
    /// None taken yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// A seat for a connection from these addresses.
    pub fn take(self: &Arc<Self>, network: Network) -> Result<Seat, Full> {
        let mut taken = self.taken.lock();
        let (all, networks) = &mut *taken;
        if all.connections >= self.limits.connections {
            return Err(Full::All);
        }
        let of_network = networks.entry(network).or_default();
        if of_network.connections >= self.limits.connections_of_network {
            return Err(Full::Network);
        }
        of_network.connections += 1;
        all.connections += 1;
        Ok(Seat { seats: Arc::clone(self), network, charged: 0 })
    }

    fn charge(&self, network: Network, before: usize, now: usize) -> bool {
        let mut taken = self.taken.lock();
        let (all, networks) = &mut *taken;
        let of_network = networks.entry(network).or_default();
        let all_now = all.held_bytes.saturating_sub(before).saturating_add(now);
        let of_network_now = of_network.held_bytes.saturating_sub(before).saturating_add(now);
        let max = self.limits.held_bytes;
        if now > before && (all_now > max || of_network_now > max / 2) {
            return false;
        }
        (all.held_bytes, of_network.held_bytes) = (all_now, of_network_now);
        true
    }
}

/// A connection's place in the books, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    network: Network,
    charged: usize,
}

impl Seat {
    /// Takes note of what the connection holds now; `false` when that is more than there is room for.
    #[must_use]
    pub fn hold(&mut self, bytes: usize) -> bool {
        let now = bytes.saturating_sub(self.seats.limits.free_bytes);
        if now == self.charged {
            return true;
        }
        let is_room = self.seats.charge(self.network, self.charged, now);
        if is_room {
            self.charged = now;
        }
        is_room
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        let (all, networks) = &mut *taken;
        all.connections -= 1;
        all.held_bytes -= self.charged;
        let Some(of_network) = networks.get_mut(&self.network) else { return };
        of_network.connections -= 1;
        of_network.held_bytes -= self.charged;
        if of_network.connections == 0 {
            networks.remove(&self.network);
        }
    }
}

#[cfg(test)]
mod tests {
    use access::ClientAddress;

    use super::*;

    fn network(text: &str) -> Network {
        ClientAddress(text.parse().unwrap()).network()
    }

    #[test]
    fn an_address_has_a_share_and_leaves_the_rest_to_others() {
        let limits = Limits { connections: 3, connections_of_network: 2, free_bytes: 10, held_bytes: 100 };
        let seats = Seats::new(limits);
        let (a, b) = (network("192.0.2.1"), network("192.0.2.2"));
        let mut first = seats.take(a).unwrap();
        let mut second = seats.take(a).unwrap();
        assert_eq!(seats.take(a).unwrap_err(), Full::Network);
        let mut third = seats.take(b).unwrap();
        assert_eq!(seats.take(b).unwrap_err(), Full::All);

        assert!(first.hold(10) && first.hold(50) && second.hold(20), "40 and 10 beyond what is free");
        assert!(!second.hold(21), "half of all is the most for one address");
        assert!(third.hold(60) && !third.hold(61));
        assert!(first.hold(5) && second.hold(60), "what was given back is there again");
        drop((first, second));
        let mut first = seats.take(a).unwrap();
        assert!(first.hold(60) && !first.hold(61));
        drop((first, third));
        assert_eq!(seats.taken.lock().0.held_bytes, 0);
        assert!(seats.taken.lock().1.is_empty(), "nothing is remembered of who has left");
    }
}
