//! Readers.

pub mod needs;
pub mod reader;
pub mod shapes;
