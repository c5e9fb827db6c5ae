//! draft
pub mod limits;
pub mod status;
pub mod token;
