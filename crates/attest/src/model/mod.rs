//! The data: rows and their keys, tokens, names.

pub mod rows;
pub mod settings;
pub mod token;
