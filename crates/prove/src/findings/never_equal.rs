//! What is compared is of different types: it is never equal.
//!
//! ```text
//! request.auth == ''
//! $id === 3
//! ```
//!
//! Compare the value that is meant, in its own type: `request.auth.uid == ''`, `$id === '3'`.

use policy::Diagnostic;

use super::{Finding, RULES};
use crate::logic::Types;
use crate::readers::realtime::Unlike;
use crate::readers::rules::oddity::{Odd, Oddity};

/// The finding.
pub const FINDING: Finding = Finding::warning("never-equal", RULES);

/// In Firestore and Storage rules.
pub fn of_expression(odd: &Odd) -> Option<Diagnostic> {
    let Oddity::Unlike { left, right } = odd.oddity else { return None };
    let message = if left == Types::NULL || right == Types::NULL {
        let other = if left == Types::NULL { right } else { left };
        format!("what is compared with null here is {}, or an error: it is never equal", other.name())
    } else {
        format!("{} is compared with {}, which is never equal", left.name(), right.name())
    };
    Some(FINDING.at(odd.span, message))
}

/// In Realtime Database rules.
pub fn of_comparison(unlike: &Unlike) -> Diagnostic {
    let outcome = if unlike.positive { "never equal" } else { "always different" };
    let message = format!("{} is compared with {}: {outcome}", unlike.left.name(), unlike.right.name());
    FINDING.at(unlike.span, message)
}
