//! Whoever is let in needs more expressions to be evaluated than one decision may: 1,000.
//!
//! ```text
//! allow read: if a(1) && a(2) && … && a(99);
//! ```
//!
//! Ask for less in one condition, or split it over several `match`es.

use policy::{Diagnostic, Limits, Span};

use super::{Finding, SERVICES};
use crate::readers::rules::Needs;

/// The finding.
pub const FINDING: Finding = Finding::warning("too-many-expressions", SERVICES);

/// One condition.
pub fn of_condition(span: Span, needs: Needs) -> Option<Diagnostic> {
    let max = Limits::default().expressions_max;
    let message = format!(
        "whoever is let in here needs {} expressions to be evaluated, and {max} may be",
        needs.expressions
    );
    let help = "ask for less in one condition, or split it over several `match`es";
    (needs.expressions > u64::from(max)).then(|| FINDING.at(span, message).help(help))
}
