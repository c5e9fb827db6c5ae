//! The policy core: decides whether an operation is allowed, and says why.
//!
//! A language's front end parses a [`Source`], reports [`Diagnostic`]s and lowers it to one tree; an evaluator runs that
//! tree over borrowed values.
//!
//! There are two evaluators: [`eval`] for rules (Firestore, Storage, Realtime Database, Bolt) and one in [`cel`], because
//! unsigned integers, macros, optionals and keyed maps would burden the hot path of rules. What they would duplicate
//! (showing values, causes, traces, the readers of static checks) exists once.
//!
//! Who looks at rules without a request, as static checks do, reads the tree that a ruleset runs ([`rules::lowered`],
//! [`rtdb::lowered`]), CEL's syntax tree ([`cel::ast`]), and drafts of broken texts ([`rtdb::draft`], [`bolt::draft`]).
//!
//! From the bottom: `source`, `re2`, `builtin`, `document` → `diagnostic`, `syntax`, `ir`, `trace`, `value` → `request`,
//! `meter`, `recording`, `coverage` → `decision`, `dialect` → `cause`, `eval`, `policy` → `rules`, `rtdb`, `cel` → `bolt` →
//! `fuzz`. No arrow runs upward.
//!
//! Invariants:
//! - No I/O, no clock, no service: a decision finishes, or names the documents it needs ([`Step::Needs`]).
//! - Only a condition that is exactly `true` allows. An error is a value with a place and a text, never a panic.
//! - Parsing never fails: it gives a tree and diagnostics. A text with an error gives no [`Ruleset`].
//! - Every recursion and every amount of work is bounded, by [`Limits`] or by a constant with a unit in its name.
//! - Tracing costs nothing when off.

pub mod bolt;
pub mod builtin;
mod cause;
pub mod cel;
pub mod coverage;
pub mod decision;
pub mod diagnostic;
pub mod dialect;
pub mod document;
pub mod eval;
pub mod fuzz;
pub mod ir;
pub mod meter;
pub mod policy;
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
pub use policy::{App, Known, Policy, Who};
pub use request::{
    Auth, Document, Documents, Lookup, Method, Mock, MockResult, NoDocuments, Query, Request, Scope, Setting,
};
pub use rules::{Compiled, Ruleset, Service, compile};
pub use source::{Source, Span};
pub use trace::Trace;
pub use value::{Constraint, Operator};
