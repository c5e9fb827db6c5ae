//! draft
pub mod limits;
pub mod model;
pub mod password;
pub mod status;
pub mod token;
pub mod keys;
