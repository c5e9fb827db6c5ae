//! The WebChannel face: streams for browsers, over plain requests and responses.
//!
//! A transport that knows nothing of what it carries: [`routes`] read requests, [`channels`] find their session,
//! [`session`] is the protocol as a state machine without I/O, [`inbound`] and [`outbound`] are its two directions.
//! What is behind a session is an [`Endpoint`].
//!
//! Invariants: a message from the client reaches the stream once and in order; one to the client is kept until it is
//! acknowledged; a session is bounded in memory and time, and so are all sessions together and those of one address;
//! nothing is held while a client is slow but the session's own bytes.
//!
//! Source: closure-library's `goog.labs.net.webChannel`, version 8.

mod channel;
mod channels;
mod inbound;
mod outbound;
mod routes;
pub mod session;
mod usage;

pub use channel::Over;
pub use channels::{Channels, Client, Endpoint, Messages};
pub use inbound::Breach;
pub use routes::{Door, route};
pub use usage::{LIMITS, Limits};
