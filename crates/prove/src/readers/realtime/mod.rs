//! Readers.

pub mod abstraction;
pub mod reader;
