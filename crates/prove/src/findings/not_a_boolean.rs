//! A condition, or a part of one, that is no boolean: the condition fails and denies. The compilers of the Realtime
//! Database (`uid-as-boolean`) and of Bolt (`bolt-not-boolean`, an error) report the same of theirs.
//!
//! ```text
//! allow read: if request.auth.uid && resource.data.open;
//! ```
//!
//! To ask whether it is there, write `request.auth.uid != null && …`.

use policy::Diagnostic;

use super::{Finding, SERVICES};
use crate::readers::rules::Reading;
use crate::readers::rules::oddity::{Odd, Oddity};
use crate::wording::on_one_line;

/// The finding.
pub const FINDING: Finding = Finding::warning("not-a-boolean", SERVICES);

/// In Firestore and Storage rules.
pub fn of_expression(reading: &Reading<'_>, odd: &Odd) -> Option<Diagnostic> {
    let Oddity::NotBoolean { types } = odd.oddity else { return None };
    let text = on_one_line(reading.ruleset.source(), odd.span);
    let message = format!("`{text}` is {}, not a boolean: the condition fails and denies", types.name());
    Some(FINDING.at(odd.span, message).help(format!("to ask whether it is there, write `{text} != null`")))
}
