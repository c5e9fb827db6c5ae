//! Cloud Storage: objects in buckets, their bytes in files of their own and what is known of them in the store.
//!
//! Invariants:
//! - Every operation has a caller and passes the gate; only [`ops`] talks to it.
//! - Bytes are in their file, and the file is durable, before the row that names it commits. The decision about the
//!   finished object and its row are one serializable step.
//! - Bytes stream: what is held of an object in memory has a bound that does not depend on its size.
//! - Who may not read an object learns nothing of it, not even that it is missing.

pub mod api;
mod events;
pub mod files;
pub mod model;
pub mod ops;
pub mod status;

pub use events::Events;
pub use ops::Storage;
