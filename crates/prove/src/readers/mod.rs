//! From the trees of each language to logic: what rules ask, and whatever is odd about how they are written.
//!
//! Readers say what is so; what is worth telling, and in which words, is decided in [`crate::findings`], of which nothing
//! here knows.

pub mod cel;
pub mod claims;
pub mod dates;
pub mod realtime;
pub mod rules;
