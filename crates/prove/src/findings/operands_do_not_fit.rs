//! An operator whose operand has the wrong type: the condition errors and denies.
//!
//! ```text
//! request.time > 1700000000000
//! 'a' + 1
//! ```
//!
//! Turn one of them into what the other is: `timestamp.value(…)`, `string(…)`.

use policy::Diagnostic;
use policy::ir::Binary;

use super::{Finding, SERVICES};
use crate::logic::Types;
use crate::readers::rules::oddity::{Odd, Oddity};

/// The finding.
pub const FINDING: Finding = Finding::warning("operands-do-not-fit", SERVICES);

/// In Firestore and Storage rules.
pub fn of_expression(odd: &Odd) -> Option<Diagnostic> {
    match odd.oddity {
        Oddity::NoOrder { left, right } => {
            let message =
                format!("{} and {} cannot be compared: this fails and denies", left.name(), right.name());
            let (diagnostic, kinds) = (FINDING.at(odd.span, message), left.or(right));
            let is_time = kinds.meets(Types::TIME) && kinds.meets(Types::NUMBER);
            let help = "a number of milliseconds becomes a timestamp with `timestamp.value(…)`";
            Some(if is_time { diagnostic.help(help) } else { diagnostic })
        }
        Oddity::NoContainer { types } => {
            let message = format!("`in` looks into a list or a map; this is {}", types.name());
            Some(FINDING.at(odd.span, message))
        }
        Oddity::NoOperator { op, left, right } => {
            let (text, left_name, right_name) = (op.text(), left.name(), right.name());
            let message =
                format!("`{text}` does not take {left_name} and {right_name}: this fails and denies");
            let diagnostic = FINDING.at(odd.span, message);
            let is_text = op == Binary::Add && left.or(right).meets(Types::TEXT);
            let help = "turn the other one into text with `string(…)`";
            Some(if is_text { diagnostic.help(help) } else { diagnostic })
        }
        _ => None,
    }
}
