//! The Firestore documents service: documents, commits, queries and transactions, over gRPC and REST.
//!
//! Invariants:
//! - Every operation has a caller and passes the gate; only [`ops`] talks to it.
//! - What a write decides on (the document before, what rules read) is validated by the commit that applies it.
//! - The pure parts ([`mod@write`], [`model`]) do no I/O.

pub mod api;
mod events;
mod export;
pub mod listen;
pub mod model;
pub mod ops;
pub mod query;
pub mod status;
pub mod write;

pub use export::Written;
pub use ops::Firestore;
