//! The JSON form of messages: recorded pairs, recorded faults, round trips of arbitrary messages, and
//! agreement with an independent implementation (`prost-reflect`) working from the same descriptors.

mod arbitrary;
mod faults;
mod forms;
mod goldens;
mod nesting;
mod oracle;
