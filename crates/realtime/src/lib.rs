//! The Realtime Database: trees of JSON that clients read, write and listen to over WebSockets, long polling and REST.
//!
//! Invariants:
//! - Every operation has a caller and passes the gate; only `ops` talks to it.
//! - The writes of one database take effect in the order in which they came, and are acknowledged when they are durable
//!   and listeners have been told.
//! - The pure parts (`model`, `query`) do no I/O.

pub mod api;
mod failure;
pub mod model;
pub mod ops;
pub mod query;
pub mod status;

pub use failure::Failure;
pub use ops::Realtime;
