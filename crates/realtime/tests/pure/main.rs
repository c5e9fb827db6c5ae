//! Values, paths and queries against plain references: JSON, naive sorting, the text of hashes spelled out, and the
//! client's side of compound hashes.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod compound;
mod disconnect;
mod hashes;
mod keys;
mod queries;
mod random;
mod refusals;
mod trees;
mod values;
mod writes;
