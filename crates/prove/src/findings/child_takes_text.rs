//! `child()` of a value that is a number: where `.validate` wants a number there, or where the same value is turned into
//! text elsewhere in the rule. A number fails the whole rule.
//!
//! ```text
//! ".read": "root.child(data.child('room').val()).exists()"
//! ```
//!
//! Add `+ ''` after `val()`.

use base::Value;
use policy::Diagnostic;
use policy::ir::{Binary, Kind, walk};
use policy::rtdb::lowered::{Condition, Method};

use super::{DATABASE, Finding};
use crate::readers::realtime::Place;
use crate::readers::realtime::syntax::{demands_number, is_val, place as place_of, same};

/// The finding.
pub const FINDING: Finding = Finding::warning("child-takes-text", DATABASE);

/// All of a rule.
pub fn of_database_rule(place: &Place<'_>) -> Vec<Diagnostic> {
    let mut converted: Vec<&Condition> = Vec::new();
    let mut plain: Vec<&Condition> = Vec::new();
    walk::each(&place.rule.condition, &mut |expr| match &expr.kind {
        Kind::Binary(Binary::Add, left, right) => {
            if matches!(&right.kind, Kind::Constant(Value::String(text)) if text.is_empty()) {
                converted.push(left);
            }
        }
        Kind::Method(_, Method::Child | Method::HasChild, arguments, _) => {
            plain.extend(arguments.iter().filter(|argument| is_val(argument)));
        }
        _ => {}
    });
    plain.into_iter().filter_map(|argument| of_argument(place, argument, &converted)).collect()
}

fn of_argument(place: &Place<'_>, argument: &Condition, converted: &[&Condition]) -> Option<Diagnostic> {
    let reading = place.reading;
    let like = converted.iter().find(|other| same(reading.source, argument, other, false));
    let (message, span, label) = if let Some(like) = like {
        let (line, _) = reading.source.line_column(like.span.start);
        let message = format!(
            "child() takes text: on line {line} the same value is turned into text with `+ ''`, here it is not, and a number fails the whole rule"
        );
        (message, like.span, "turned into text here")
    } else {
        let Kind::Method(snapshot, ..) = &argument.kind else { return None };
        let node = place_of(reading.nodes, snapshot, place.node)?;
        let validate = node.validate.as_ref().filter(|rule| demands_number(&rule.condition))?;
        let line = validate.position.line;
        let message = format!(
            "child() takes text: `.validate` on line {line} wants a number there, which fails the whole rule"
        );
        (message, validate.position.span, "a number is wanted here")
    };
    Some(FINDING.at(argument.span, message).label(span, label).help("add `+ ''` after `val()`"))
}
