//! What can be said about rules without a server: static checks, cases with their explanations, reports for tools.
//!
//! It stands above the policy core and no service depends on it: only the command line does. Editing a finding rebuilds
//! neither the gate nor a service.
//!
//! From the bottom: [`logic`] (conditions of any language, and what they can and must be) → [`readers`] (from each
//! language's tree to logic) → [`findings`] (one in each file: the decision and its words) → [`check`] (which findings are
//! looked for, and in which order). [`operations`] describes those of Data Connect. Beside them [`cases`] (requests in markdown, run and explained) and [`fn@lcov`]
//! (coverage as a tracefile).
//!
//! Invariants: no I/O; a finding about what a condition can or must be is made only when it is proven; what a text means
//! is decided in `policy` alone.

pub mod cases;
pub mod check;
mod checked;
pub mod findings;
pub mod fuzz;
mod language;
mod lcov;
mod logic;
pub mod operations;
mod readers;
mod wording;

pub use language::Language;
pub use lcov::lcov;
pub use readers::claims::{ClaimUse, Compared};
