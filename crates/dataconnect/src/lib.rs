//! Data Connect: GraphQL schemas and operations on PostgreSQL, each operation decided by its own guards.
//!
//! Invariants:
//! - Only `postgres` and `ops` do I/O: the rooms below read texts and give values, plans and diagnostics.
//! - Only `ops` talks to the gate: every call has a caller, is decided there and leaves its record; the record of a mutation is in
//!   the transaction of its effect.
//! - A text never fails to be read: it gives what can be made of it, and diagnostics with file, line and column.
//! - Nothing that a client sends becomes a part of a statement: it is bound.
//!
//! Source: the Data Connect reference; schemas and APIs as the official tool prints them.

pub mod api;
pub mod diagnostic;
pub mod execution;
pub mod generated;
pub mod migration;
pub mod names;
pub mod operation;
pub mod ops;
pub mod postgres;
pub mod project;
pub mod schema;
pub mod sdk;
pub mod sql;
pub mod status;

pub use ops::DataConnect;
