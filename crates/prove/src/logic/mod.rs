//! Conditions as logic.

pub mod solver;
pub mod terms;
pub mod types;
