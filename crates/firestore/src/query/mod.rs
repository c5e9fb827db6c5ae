//! The query engine: what a structured query means, which index serves it, and its result at a cost that follows
//! the result.
//!
//! - [`Query`] is a validated query; [`Filter`] its conditions; [`position`] the bytes its order compares.
//!
//! Invariants: a result is the same with and without an index; whatever a query reads it reads through the
//! session, so that a commit notices when it changed; every buffer has a named limit.
//!
//! Source: Firestore's documented query semantics.

pub mod filter;
pub mod position;
pub mod shape;

pub use filter::{Condition, Disjunct, Filter, Test};
pub use shape::{Cursor, Order, Query, Scope};
