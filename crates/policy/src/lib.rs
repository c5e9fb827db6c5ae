//! The policy core: decides whether an operation is allowed, and says why.
//!
//! One evaluator under all policy languages: a language's front end parses a [`Source`], tells
//! [`Diagnostic`]s and lowers it to one tree; the evaluator runs that tree over borrowed values.
//!
//! Invariants:
//! - No I/O, no clock, no service: a decision finishes, or names the documents it needs ([`Step::Needs`]).
//! - Only a condition that is exactly `true` allows. An error is a value with a place and a text, never a panic.
//! - Parsing never fails: it gives a tree and diagnostics. A text with an error gives no [`Ruleset`].
//! - Every recursion and every amount of work is bounded, by [`Limits`] or by a constant with a unit in its name.
//! - Tracing costs nothing when off.

pub mod bolt;
pub mod builtin;
pub mod cases;
mod cause;
pub mod cel;
pub mod check;
pub mod coverage;
pub mod decision;
pub mod diagnostic;
pub mod dialect;
pub mod document;
pub mod eval;
pub mod fuzz;
pub mod ir;
pub mod meter;
pub mod re2;
pub mod recording;
pub mod request;
pub mod rtdb;
pub mod rules;
pub mod source;
pub mod syntax;
pub mod trace;
pub mod value;

pub use coverage::Coverage;
pub use decision::{Cause, Decision, Dependence, RulePosition, Step};
pub use diagnostic::{Diagnostic, Severity};
pub use document::{DocumentName, DocumentPath, DocumentPaths, Need, Needed};
pub use meter::{Cost, Limits};
pub use request::{
    Auth, Document, Documents, Lookup, Method, Mock, MockResult, NoDocuments, Query, Request, Scope, Setting,
};
pub use rules::{Compiled, Ruleset, Service, compile};
pub use source::{Source, Span};
pub use trace::Trace;
pub use value::{Constraint, Operator};
