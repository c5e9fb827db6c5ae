//! What sessions cost together: how many there are and what they hold, of each address and of all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

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
    /// Bytes that all streams hold of messages decoded; one client's addresses may hold half of it.
    pub decoded_bytes: usize,
    /// How long clients are waited for.
    pub patience: Patience,
}

/// What production has. Half of the bytes is beyond the reach of any one address.
pub const LIMITS: Limits = Limits {
    sessions: 16_384,
    sessions_of_network: 2_048,
    bytes: 256 << 20,
    bytes_of_network: 128 << 20,
    decoded_bytes: 1 << 30,
    patience: PATIENCE,
};

/// What is in use.
#[derive(Debug, Default)]
struct Count {
    sessions: AtomicUsize,
    bytes: AtomicUsize,
    decoded: AtomicUsize,
    /// Responses over HTTP/1 that are open.
    responses_http1: AtomicUsize,
    /// When a client last sent something: milliseconds after the books were opened.
    sent_ms: AtomicU64,
}

/// A browser opens six connections to one host over HTTP/1, for all its pages. From so many open responses on, others
/// may wait for one of them to end.
const CONNECTIONS_FULL: usize = 5;
/// How long a response over HTTP/1 rests then, for each one open and at least, so that an address asks again at a steady
/// pace however many it has: where something was sent a moment ago, others probably wait for a connection.
const REST_BUSY_MS: (u64, u64) = (4, 25);
/// Where nothing was.
const REST_QUIET_MS: (u64, u64) = (200, 1_000);
/// How long a moment is.
const BUSY_MS: u64 = 2_000;

/// The books.
#[derive(Debug)]
pub struct Books {
    opened: Instant,
    decoded_bytes_max: usize,
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
    /// Nothing in use yet.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            decoded_bytes_max: limits.decoded_bytes,
            all: Arc::default(),
            networks: Mutex::default(),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

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

    /// Counts bytes of messages decoded; `false` when there are too many.
    pub fn decode(&self, bytes: usize) -> bool {
        let max = self.books.decoded_bytes_max;
        let all = self.books.all.decoded.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let of_network = self.of_network.decoded.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let is_room = all <= max && of_network <= max / 2;
        if !is_room {
            self.forget(bytes);
        }
        is_room
    }

    /// Counts them no more.
    pub fn forget(&self, bytes: usize) {
        self.books.all.decoded.fetch_sub(bytes, Ordering::Relaxed);
        self.of_network.decoded.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A client of these addresses sent something.
    pub fn note_sent(&self) {
        self.of_network.sent_ms.store(self.books.now_ms(), Ordering::Relaxed);
    }

    /// Counts a response over HTTP/1 that is open.
    pub fn begin_response(&self, is_http1: bool) {
        self.of_network.responses_http1.fetch_add(usize::from(is_http1), Ordering::Relaxed);
    }

    /// Counts it no more.
    pub fn end_response(&self, is_http1: bool) {
        self.of_network.responses_http1.fetch_sub(usize::from(is_http1), Ordering::Relaxed);
    }

    /// How long a response over HTTP/1 may rest while others perhaps wait for its connection; `None`: for ever.
    pub fn rest_ms(&self) -> Option<u64> {
        let open = self.of_network.responses_http1.load(Ordering::Relaxed);
        if open < CONNECTIONS_FULL {
            return None;
        }
        let sent_ms = self.of_network.sent_ms.load(Ordering::Relaxed);
        let is_busy = self.books.now_ms().saturating_sub(sent_ms) < BUSY_MS;
        let (each, least) = if is_busy { REST_BUSY_MS } else { REST_QUIET_MS };
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
