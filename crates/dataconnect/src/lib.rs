//! Data Connect: GraphQL schemas and operations on PostgreSQL, each operation decided by its own guards.
//!
//! Invariants:
//! - The rooms down to `sql` do no I/O: they read texts and give values, plans and diagnostics.
//! - A text never fails to be read: it gives what can be made of it, and diagnostics with file, line and column.
//! - Nothing that a client sends becomes a part of a statement: it is bound.
//!
//! Source: the Data Connect reference; schemas and APIs as the official tool prints them.

pub mod diagnostic;
pub mod execution;
pub mod fuzz;
pub mod generated;
pub mod migration;
pub mod names;
pub mod operation;
pub mod project;
pub mod schema;
pub mod sdk;
pub mod sql;
