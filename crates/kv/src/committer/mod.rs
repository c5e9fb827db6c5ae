//! The committer, one per database: queue, validate, one durable engine batch per group, publish,
//! answer.
//!
//! [`core`] decides and does no I/O, so that a seeded simulation can drive it; [`driver`] fetches the
//! facts the core asks for and carries its batches to the engine.

mod core;
mod driver;
mod horizon;
mod recent;
#[cfg(test)]
mod simulation;

pub(crate) use driver::{Driver, LogLength, Request, Waiting};
pub(crate) use horizon::Horizon;
