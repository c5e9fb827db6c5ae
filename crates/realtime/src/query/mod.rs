//! Queries: an order, a range and a limit over the children of a node.
//!
//! Invariants: no I/O; a query is normalised, so that equal questions are equal values; filtering is complete, whether
//! there is an index or not.

mod compound;
mod parse;
pub mod view;
mod window;

pub use compound::{CompoundHash, RANGES_MAX, RangeMerge};
pub use parse::{QueryError, RestParameters};
pub use window::{Bound, BoundKey, ChildPath, Limit, Order, Position, Query, Side};
