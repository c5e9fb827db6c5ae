//! Conditions as logic, whatever language they are written in: what they can and must be.
//!
//! [`Meanings`] is the kit that every language's reader is made of; it turns expressions into [`Formula`]s about
//! [`terms`]. A [`Solver`] proves things about formulas; it never guesses. Nothing here knows a language or a finding.

pub mod callers;
pub mod facts;
pub mod formula;
pub mod meaning;
pub mod order;
pub mod solver;
pub mod terms;
pub mod truth;
pub mod types;

pub use callers::Callers;
pub use facts::Facts;
pub use formula::{Formula, Kind, Test};
pub use meaning::{Meaning, Meanings, Subject};
pub use order::Order;
pub use solver::{Errors, Solver};
pub use terms::{About, Need, Term, Terms};
pub use truth::Truth;
pub use types::Types;
