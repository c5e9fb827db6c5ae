//! Whoever is let in needs functions to call each other deeper than they may: 20.
//!
//! ```text
//! function a() { return b(); } function b() { return c(); } …
//! ```
//!
//! Call fewer functions from functions.

use policy::{Diagnostic, Limits, Span};

use super::{Finding, SERVICES};
use crate::readers::rules::Needs;

/// The finding.
pub const FINDING: Finding = Finding::warning("calls-too-deep", SERVICES);

/// One condition.
pub fn of_condition(span: Span, needs: Needs) -> Option<Diagnostic> {
    let max = Limits::default().call_depth_max;
    let message = format!("functions call each other {} deep here, and {max} may be", needs.calls);
    (needs.calls > max).then(|| FINDING.at(span, message).help("call fewer functions from functions"))
}
