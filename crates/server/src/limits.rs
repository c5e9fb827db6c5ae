//! What a listener bounds, as far as an operator may change it.

use wire::weight::MESSAGE_BYTES_MAX;

/// Numbers of connections and bytes of memory. What is not here is a constant where it is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once. At the cap the one that is idle longest ends; where none is idle, more wait in the system's
    /// backlog.
    pub connections: usize,
    /// Of these, an address may have so many. A proxy that is in front of everybody gets along with the default.
    pub connections_per_address: usize,
    /// What unanswered requests hold of the first 256 KiB of their bodies, and of the first 256 KiB that they decode to.
    pub small_bytes: usize,
    /// What they hold of their bodies beyond that.
    pub body_bytes: usize,
    /// What they hold decoded beyond that.
    pub decoded_bytes: usize,
    /// What one message may come to when it is decoded.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let mebibyte = 1 << 20;
        Self {
            connections: 4096,
            connections_per_address: 3072,
            small_bytes: 128 * mebibyte,
            body_bytes: 192 * mebibyte,
            decoded_bytes: 1024 * mebibyte,
            message_bytes: MESSAGE_BYTES_MAX,
        }
    }
}
