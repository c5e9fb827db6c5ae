//! A document is looked for at what can never be a path, such as a claim: the condition denies everybody. What needs no
//! more than the expression at hand is reported when compiling too.
//!
//! ```text
//! allow read: if exists(request.auth.token.role);
//! ```
//!
//! To test for a claim, write `'role' in request.auth.token`.

use policy::Diagnostic;

use super::{Finding, SERVICES};
use crate::readers::rules::oddity::{Odd, Oddity};

/// The finding.
pub const FINDING: Finding = Finding::warning("exists-takes-a-path", SERVICES);

/// In Firestore and Storage rules.
pub fn of_expression(odd: &Odd) -> Option<Diagnostic> {
    let Oddity::NoPath { function, types } = odd.oddity else { return None };
    let name = function.name();
    let message = format!("{name}() takes a document path; this is {}", types.name());
    let help = format!("write a path: `{name}(/databases/$(database)/documents/collection/$(id))`");
    Some(FINDING.at(odd.span, message).help(help))
}
