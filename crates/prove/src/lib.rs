//! What can be said about rules without a server: static checks, cases, explanations, reports.

pub mod cases;
pub mod check;
pub mod claims;
mod findings;
pub mod fuzz;
mod language;
mod lcov;
mod logic;
mod readers;

pub use language::Language;
pub use lcov::lcov;
