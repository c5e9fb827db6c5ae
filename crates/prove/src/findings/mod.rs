//! Findings.

pub mod never_holds;
pub mod overlap;
pub mod realtime;
pub mod rules;
pub mod shape;
