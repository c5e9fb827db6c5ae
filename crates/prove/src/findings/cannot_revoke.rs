//! A `false` that has no effect, because another rule grants: below a grant of the Realtime Database, or next to a
//! `match` that lets in everybody who is signed in.
//!
//! ```text
//! ".read": "auth != null"              at /a
//! ".read": false                       at /a/secret
//! ```
//!
//! Grant less there, and the rest where it is meant. In Firestore and Storage rules nothing is said about an `if false`
//! next to a rule for somebody in particular (an administrator).

use policy::rules::lowered::method_bit;
use policy::{Diagnostic, Method};

use super::{Finding, RULES};
use crate::readers::realtime::Place;
use crate::readers::realtime::syntax::is_false;
use crate::readers::rules::{Overlap, Reading, Standing};

/// The finding.
pub const FINDING: Finding = Finding::warning("cannot-revoke", RULES);

/// In Firestore and Storage rules.
pub fn of_overlap(reading: &Reading<'_>, overlap: &Overlap<'_>) -> Option<Diagnostic> {
    let (narrow, wide) = (overlap.narrow, overlap.wide.rule);
    if narrow.standing != Standing::Refuses {
        return None;
    }
    let (line, _) = reading.ruleset.source().line_column(wide.span.start);
    let granted = Method::ALL.into_iter().filter(|verb| overlap.methods & method_bit(*verb) != 0);
    let names: Vec<&str> = granted.map(Method::name).collect();
    let message = format!(
        "`if false` takes nothing away: the `allow` on line {line} grants {} to everybody who is signed in",
        names.join(", ")
    );
    let help = format!("rules only add up: make the rule on line {line} stricter, or its path narrower");
    Some(FINDING.at(narrow.rule.span, message).label(wide.span, "this one grants").help(help))
}

/// In Realtime Database rules.
pub fn of_database_rule(place: &Place<'_>) -> Option<Diagnostic> {
    if !is_false(&place.rule.condition) {
        return None;
    }
    let (node, granting) = place.granting_above().next()?;
    let (name, line) = (place.rule.kind.name(), granting.position.line);
    let above = if node.path.is_empty() { "/" } else { &node.path };
    let message = format!(
        "`{name}: false` takes nothing away: what `{name}` at {above} (line {line}) grants stays granted"
    );
    let help = format!(
        "a deeper rule cannot take back what `{name}` on line {line} grants: grant less there, and the rest where it is meant"
    );
    let diagnostic = FINDING.at(place.rule.position.span, message);
    Some(diagnostic.label(granting.position.span, "this one grants first").help(help))
}
