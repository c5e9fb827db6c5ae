//! What the service stores and what it speaks of: rulesets, releases, and how they are called.

pub mod names;
pub mod resource;
pub mod row;
pub mod source;
