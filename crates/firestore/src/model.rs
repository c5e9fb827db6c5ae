//! What the service stores: where documents live, and how their rows are written.
//!
//! Invariants: a collection's documents are contiguous; everything below a document shares its path as a prefix; a
//! row's version is the document's update time.

mod body;
pub mod document;
pub mod key;
pub mod value;

pub use document::{Stored, encode};
