//! placeholder

pub mod builtin;
pub mod re2;
