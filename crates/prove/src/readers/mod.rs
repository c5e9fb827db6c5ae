//! Readers.

pub mod cel;
pub mod realtime;
pub mod rules;
