//! What the client sends: maps, each applied once and in the order of their numbers, however requests overtake one
//! another or are repeated.

use std::collections::{BTreeMap, VecDeque};

use wire::webchannel::Map;

/// How far ahead of the next map another may be: a client has ten requests of a thousand maps under way at most.
pub const MAPS_AHEAD_MAX: u64 = 10_000;
/// Bytes of maps that wait for one before them.
pub const EARLY_BYTES_MAX: usize = 32 << 20;
/// Bytes of maps in order that the stream has not taken. A request that brings more waits.
pub const READY_BYTES_MAX: usize = 1 << 20;
/// Maps in order that the stream has not taken.
pub const READY_MAPS_MAX: usize = 1_000;

/// Why a request ends its session: no client of the protocol sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A map's number is too far ahead of the next one.
    #[error("message {id} is more than {MAPS_AHEAD_MAX} ahead of message {next}, which is the next")]
    TooFarAhead {
        /// The map's number.
        id: u64,
        /// The next one's.
        next: u64,
    },
    /// What waits for a missing map is too large.
    #[error("the messages that wait for message {next} hold more than {EARLY_BYTES_MAX} bytes")]
    TooManyEarly {
        /// The missing one's number.
        next: u64,
    },
    /// An array was acknowledged that was never sent.
    #[error("array {received} is acknowledged; the last one sent is {sent}")]
    NeverSent {
        /// What the client claims to have.
        received: u64,
        /// What it can have.
        sent: u64,
    },
}

/// Maps on their way to the stream.
#[derive(Debug, Default)]
pub struct Inbound {
    /// The number of the next map.
    next: u64,
    /// Those that came before their turn.
    early: BTreeMap<u64, String>,
    early_bytes: usize,
    /// Messages in order.
    ready: VecDeque<String>,
    ready_bytes: usize,
}

impl Inbound {
    /// Takes in the maps of a request. Those that came already are left out.
    ///
    /// Errors: a breach; nothing of the request counts then.
    pub fn accept(&mut self, maps: Vec<Map>) -> Result<(), Breach> {
        let mut bytes = self.early_bytes;
        let is_next_here = maps.iter().any(|map| map.id == self.next);
        for map in maps.iter().filter(|map| map.id >= self.next) {
            if map.id - self.next >= MAPS_AHEAD_MAX {
                return Err(Breach::TooFarAhead { id: map.id, next: self.next });
            }
            bytes = bytes.saturating_add(map.message.len());
        }
        if !is_next_here && bytes > EARLY_BYTES_MAX {
            return Err(Breach::TooManyEarly { next: self.next });
        }
        for map in maps {
            if map.id >= self.next && !self.early.contains_key(&map.id) {
                self.early_bytes += map.message.len();
                self.early.insert(map.id, map.message);
            }
        }
        while let Some(message) = self.early.remove(&self.next) {
            self.next += 1;
            self.early_bytes -= message.len();
            // A map without a message has a number and means nothing.
            if !message.is_empty() {
                self.ready_bytes += message.len();
                self.ready.push_back(message);
            }
        }
        Ok(())
    }

    /// The next message in order.
    pub fn take(&mut self) -> Option<String> {
        let message = self.ready.pop_front()?;
        self.ready_bytes -= message.len();
        Some(message)
    }

    /// Whether the stream keeps up, so that more may come.
    pub fn has_room(&self) -> bool {
        self.ready_bytes < READY_BYTES_MAX && self.ready.len() < READY_MAPS_MAX
    }

    /// What is held.
    pub fn bytes(&self) -> usize {
        self.early_bytes + self.ready_bytes
    }

    /// Forgets what is held.
    pub fn clear(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }
}
