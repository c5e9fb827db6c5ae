//! What sessions cost together: how many there are and what they hold, of each address and of all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use access::Network;
use parking_lot::Mutex;

use super::session::{PATIENCE, Patience};

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions of all clients.
    pub sessions: usize,
    /// Sessions of one client's addresses.
    pub sessions_of_network: usize,
    /// Bytes that all sessions hold for their clients and their streams.
    pub bytes: usize,
    /// Bytes that those of one client's addresses hold.
    pub bytes_of_network: usize,
    /// How long clients are waited for.
    pub patience: Patience,
}

/// What production has. Half of the bytes is beyond the reach of any one address.
pub const LIMITS: Limits = Limits {
    sessions: 16_384,
    sessions_of_network: 2_048,
    bytes: 256 << 20,
    bytes_of_network: 128 << 20,
    patience: PATIENCE,
};

/// What is in use.
#[derive(Debug, Default)]
struct Count {
    sessions: AtomicUsize,
    bytes: AtomicUsize,
    /// Responses that are open, and those of them over HTTP/1.
    responses: AtomicUsize,
    responses_http1: AtomicUsize,
}

/// A browser opens six connections to one host over HTTP/1, for all its pages. From so many open responses on, others
/// may wait for one of them to end.
const CONNECTIONS_FULL: usize = 5;
/// How long a response over HTTP/1 rests then, for each one open, so that an address asks again at a steady pace however
/// many it has: where sessions wait for a connection, and where none does.
const REST_MS: (u64, u64) = (20, 200);
/// The least of these.
const REST_MS_MIN: (u64, u64) = (100, 1_000);

/// The books.
#[derive(Debug, Default)]
pub struct Books {
    all: Arc<Count>,
    networks: Mutex<HashMap<Network, Arc<Count>>>,
}

/// One session's place in the books, until it is dropped.
#[derive(Debug)]
pub struct Usage {
    books: Arc<Books>,
    network: Network,
    of_network: Arc<Count>,
}

impl Books {
    /// Counts one more session.
    pub fn enter(self: &Arc<Self>, network: Network) -> Usage {
        let of_network = {
            let mut networks = self.networks.lock();
            let of_network = Arc::clone(networks.entry(network).or_default());
            of_network.sessions.fetch_add(1, Ordering::Relaxed);
            of_network
        };
        self.all.sessions.fetch_add(1, Ordering::Relaxed);
        Usage { books: Arc::clone(self), network, of_network }
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.all.sessions.load(Ordering::Relaxed)
    }

    /// How many of them are of these addresses.
    pub fn sessions_of(&self, network: Network) -> usize {
        self.networks.lock().get(&network).map_or(0, |count| count.sessions.load(Ordering::Relaxed))
    }

    /// What they hold.
    pub fn bytes(&self) -> usize {
        self.all.bytes.load(Ordering::Relaxed)
    }
}

impl Usage {
    /// What the session held and holds now.
    pub fn recount(&self, before: usize, now: usize) {
        for count in [&self.books.all, &self.of_network] {
            if now >= before {
                count.bytes.fetch_add(now - before, Ordering::Relaxed);
            } else {
                count.bytes.fetch_sub(before - now, Ordering::Relaxed);
            }
        }
    }

    /// Counts a response that is open.
    pub fn begin_response(&self, is_http1: bool) {
        self.of_network.responses.fetch_add(1, Ordering::Relaxed);
        self.of_network.responses_http1.fetch_add(usize::from(is_http1), Ordering::Relaxed);
    }

    /// Counts it no more.
    pub fn end_response(&self, is_http1: bool) {
        self.of_network.responses.fetch_sub(1, Ordering::Relaxed);
        self.of_network.responses_http1.fetch_sub(usize::from(is_http1), Ordering::Relaxed);
    }

    /// How long a response over HTTP/1 may rest while others perhaps wait for its connection; `None`: for ever.
    pub fn rest_ms(&self) -> Option<u64> {
        let open = self.of_network.responses_http1.load(Ordering::Relaxed);
        if open < CONNECTIONS_FULL {
            return None;
        }
        let is_any_waiting = self.of_network.sessions.load(Ordering::Relaxed)
            > self.of_network.responses.load(Ordering::Relaxed);
        let (each, least) =
            if is_any_waiting { (REST_MS.0, REST_MS_MIN.0) } else { (REST_MS.1, REST_MS_MIN.1) };
        Some((open as u64).saturating_mul(each).max(least))
    }

    /// Whose session it is.
    pub fn network(&self) -> Network {
        self.network
    }

    /// What is held for the same addresses.
    pub fn bytes_of_network(&self) -> usize {
        self.of_network.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        self.books.all.sessions.fetch_sub(1, Ordering::Relaxed);
        let mut networks = self.books.networks.lock();
        if self.of_network.sessions.fetch_sub(1, Ordering::Relaxed) == 1 {
            networks.remove(&self.network);
        }
    }
}
