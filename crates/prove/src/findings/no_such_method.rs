//! A method that its receiver does not have: the condition fails and denies.
//!
//! ```text
//! request.resource.data.hasAll(['a'])
//! ```
//!
//! Write `request.resource.data.keys().hasAll(['a'])`.

use policy::Diagnostic;
use policy::rules::lowered::Method;

use super::{Finding, SERVICES};
use crate::logic::Types;
use crate::readers::rules::Reading;
use crate::readers::rules::oddity::{Odd, Oddity};
use crate::wording::on_one_line;

/// The finding.
pub const FINDING: Finding = Finding::warning("no-such-method", SERVICES);

/// In Firestore and Storage rules.
pub fn of_expression(reading: &Reading<'_>, odd: &Odd) -> Option<Diagnostic> {
    let Oddity::NoMethod { receiver, types, method } = odd.oddity else { return None };
    let text = on_one_line(reading.ruleset.source(), receiver);
    let name = method.name();
    let message =
        format!("`{text}` is {}, which has no method `{name}`: this fails and denies", types.name());
    let diagnostic = FINDING.at(odd.span, message);
    Some(match method {
        Method::HasAll | Method::HasAny | Method::HasOnly if types.meets(Types::MAP) => {
            diagnostic.help(format!("ask its keys: `{text}.keys().{name}(…)`"))
        }
        Method::HasAll | Method::HasAny | Method::HasOnly if types.meets(Types::DIFF) => {
            diagnostic.help(format!("ask its keys: `{text}.affectedKeys().{name}(…)`"))
        }
        Method::Union | Method::Intersection | Method::Difference if types.meets(Types::LIST) => {
            diagnostic.help(format!("make it a set first: `{text}.toSet().{name}(…)`"))
        }
        _ => diagnostic,
    })
}
