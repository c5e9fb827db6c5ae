//! The JSON form of messages: recorded pairs, recorded faults, round trips of arbitrary messages, and
//! agreement with an independent implementation (`prost-reflect`) working from the same descriptors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod arbitrary;
mod faults;
mod forms;
mod goldens;
mod nesting;
mod oracle;
