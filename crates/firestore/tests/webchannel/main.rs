//! WebChannel: the session as a state machine, then the routes with the real clients' requests and hostile ones.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod client;
mod exactly_once;
mod hostile;
#[path = "../house/mod.rs"]
mod house;
mod routes;
mod steps;
mod streams;
