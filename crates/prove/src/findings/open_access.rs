//! Everybody may write, or whatever else is granted, signed in or not: the condition is always true, or compares only
//! the time with a fixed one, as the rules do that a new project begins with.
//!
//! ```text
//! allow write: if true;
//! allow read, write: if request.time < timestamp.date(2030, 1, 1);
//! ".write": "auth != null || true"
//! ```
//!
//! Ask for something, such as `request.auth != null`.

use policy::Diagnostic;
use policy::ir::{Binary, Expr, Kind};
use policy::rtdb::lowered::RuleKind;
use policy::rules::lowered::{Function, Global, Rules};

use super::{ALL, Finding};
use crate::logic::{Facts, Truth};
use crate::readers::rules::Standing;
use crate::readers::{cel, realtime, rules};

/// The finding.
pub const FINDING: Finding = Finding::warning("open-access", ALL);

/// In Firestore and Storage rules.
pub fn of_rule(place: &rules::Place<'_>) -> Option<Diagnostic> {
    let grant = place.grant;
    let told = grant.standing == Standing::Open && grant.writes();
    told.then(|| FINDING.at(grant.rule.span, rules_message(place)).help(RULES_HELP))
}

pub(super) const RULES_HELP: &str =
    "if that is meant, fine; otherwise ask for something, such as `request.auth != null`";

pub(super) fn rules_message(place: &rules::Place<'_>) -> String {
    let verbs = place.verbs();
    let how = match &place.grant.rule.condition {
        None => format!("`allow {verbs}` without a condition"),
        Some(condition) if matches!(condition.kind, Kind::Constant(_)) => format!("`allow {verbs}: if true`"),
        Some(_) => format!("`allow {verbs}` with a condition that is always true"),
    };
    format!("{how} lets everybody in, signed in or not")
}

/// For as long as the time is right.
pub fn for_a_time(place: &rules::Place<'_>) -> Option<Diagnostic> {
    let condition = place.grant.rule.condition.as_ref().filter(|condition| only_time(condition))?;
    let (verbs, until) = (place.verbs(), place.reading.ruleset.source().slice(condition.span));
    let message = format!(
        "`allow {verbs}` lets everybody in, signed in or not, as long as the time is right: `{until}`"
    );
    let help = "this is for first trials; ask for something else, such as `request.auth != null`";
    Some(FINDING.at(condition.span, message).help(help))
}

/// Whether a condition only compares the time with a fixed one.
fn only_time(condition: &Expr<Rules>) -> bool {
    let Kind::Binary(Binary::Less | Binary::LessOrEqual, left, right) = &condition.kind else {
        return false;
    };
    let is_time = |expr: &Expr<Rules>| match &expr.kind {
        Kind::Member(request, name) => {
            **name == *"time" && matches!(request.kind, Kind::Global(Global::Request))
        }
        _ => false,
    };
    let is_fixed = |expr: &Expr<Rules>| match &expr.kind {
        Kind::Function(Function::TimestampDate | Function::TimestampValue, arguments) => {
            arguments.iter().all(|argument| matches!(argument.kind, Kind::Constant(_)))
        }
        _ => false,
    };
    is_time(left) && is_fixed(right)
}

/// In Realtime Database rules.
pub fn of_database_rule(place: &realtime::Place<'_>) -> Option<Diagnostic> {
    let told = place.rule.kind == RuleKind::Write && place.always();
    told.then(|| FINDING.at(place.rule.position.span, database_message(place)).help(DATABASE_HELP))
}

pub(super) const DATABASE_HELP: &str =
    "if that is meant, fine; otherwise ask for something, such as `auth != null`";

pub(super) fn database_message(place: &realtime::Place<'_>) -> String {
    format!("this `{}` lets everybody in, signed in or not", place.rule.kind.name())
}

/// In CEL.
pub fn of_expression(reading: &cel::Reading) -> Option<Diagnostic> {
    let told = reading.solver().truth(&reading.condition, &Facts::default()) == Truth::True;
    let message = "this condition is always true: it lets everybody in, signed in or not";
    told.then(|| FINDING.at(reading.span, message).help(DATABASE_HELP))
}
