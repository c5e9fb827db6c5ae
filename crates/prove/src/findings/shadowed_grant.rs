//! A rule that never matters: another one, for the same documents and more, grants whenever it would.
//!
//! ```text
//! ".read": "auth != null"              at /a
//! ".read": "auth.uid === $id"          at /a/$id
//! ```
//!
//! A deeper rule cannot take back what is granted above, and rules only add up: make the other one stricter, or remove
//! this one.

use policy::Diagnostic;

use super::{Finding, RULES};
use crate::readers::realtime::Place;
use crate::readers::realtime::syntax::is_false;
use crate::readers::rules::{Overlap, Reading, Standing};

/// The finding.
pub const FINDING: Finding = Finding::warning("shadowed-grant", RULES);

/// In Firestore and Storage rules.
pub fn of_overlap(reading: &Reading<'_>, overlap: &Overlap<'_>) -> Option<Diagnostic> {
    let (narrow, wide) = (overlap.narrow, overlap.wide.rule);
    if narrow.standing == Standing::Refuses {
        return None;
    }
    let (line, _) = reading.ruleset.source().line_column(wide.span.start);
    let message = format!("this `allow` never matters: the one on line {line} grants whenever it would");
    let help = format!("rules only add up: make the rule on line {line} stricter, or remove this one");
    Some(FINDING.at(narrow.rule.span, message).label(wide.span, "this one grants").help(help))
}

/// In Realtime Database rules.
pub fn of_database_rule(place: &Place<'_>) -> Option<Diagnostic> {
    if is_false(&place.rule.condition) {
        return None;
    }
    let (node, granting) = place.granted_by()?;
    let (name, line) = (place.rule.kind.name(), granting.position.line);
    let above = if node.path.is_empty() { "/" } else { &node.path };
    let message = format!(
        "this `{name}` never matters: `{name}` at {above} (line {line}) already grants whenever it would"
    );
    let help = format!(
        "a deeper rule cannot take back what `{name}` on line {line} grants: make that one as strict as it is meant, or remove this one"
    );
    let diagnostic = FINDING.at(place.rule.position.span, message);
    Some(diagnostic.label(granting.position.span, "this one grants first").help(help))
}
