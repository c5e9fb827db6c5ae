//! Only those who are not signed in get in: mostly the opposite is meant.
//!
//! ```text
//! allow update: if request.auth == null;
//! ```
//!
//! Write `request.auth != null`.

use policy::Diagnostic;

use super::{ALL, Finding};
use crate::readers::{cel, realtime, rules};

/// The finding.
pub const FINDING: Finding = Finding::warning("only-when-signed-out", ALL);

/// In Firestore and Storage rules.
pub fn of_rule(place: &rules::Place<'_>) -> Option<Diagnostic> {
    let told = place.reading.callers.only_signed_out(place.solver, &place.grant.condition);
    let message = format!("`allow {}` lets in only those who are not signed in", place.verbs());
    let help = "to let in those who are, write `request.auth != null`";
    told.then(|| FINDING.at(place.grant.span(), message).help(help))
}

/// In Realtime Database rules.
pub fn of_database_rule(place: &realtime::Place<'_>) -> Option<Diagnostic> {
    let told = place.callers.only_signed_out(place.solver, place.formula()?);
    let message = format!("this `{}` lets in only those who are not signed in", place.rule.kind.name());
    told.then(|| FINDING.at(place.rule.condition.span, message).help(HELP))
}

/// In CEL.
pub fn of_expression(reading: &cel::Reading) -> Option<Diagnostic> {
    let solver = reading.solver();
    let told = reading.callers(&solver).only_signed_out(&solver, &reading.condition);
    told.then(|| FINDING.at(reading.span, "this lets in only those who are not signed in").help(HELP))
}

const HELP: &str = "to let in those who are, write `auth != null`";
