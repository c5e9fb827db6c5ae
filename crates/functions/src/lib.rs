//! Cloud Functions: the project's own code, run by Node.js with the real `firebase-functions` packages, behind the gate.
//!
//! Invariants:
//! - Every call has a caller and passes the gate before the code sees it; only [`ops`] talks to the gate.
//! - A codebase's code runs in one process of its own, which listens on a socket that only this user can reach and ends
//!   with Hearth. What it does (ending, hanging, refusing to load) concerns only its own codebase.
//! - Calls in flight, calls that wait, bodies and answers have bounds, for each function and for all.
//!
//! Source: the functions reference, sections A1 to A7.

pub mod api;
pub mod model;
pub mod ops;
pub mod runtime;
pub mod status;

pub use ops::Functions;
