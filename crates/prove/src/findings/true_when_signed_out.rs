//! A condition about the caller that is true when there is none: `auth` is null then, and so is all of it.
//!
//! ```text
//! ".write": "auth.provider !== 'anonymous'"
//! ```
//!
//! Write `auth != null && …`.

use base::Value;
use policy::Diagnostic;
use policy::ir::{Binary, Kind, walk};
use policy::rtdb::lowered::RuleKind;

use super::{ALL, Finding};
use crate::readers::realtime::abstraction::{Caller, evaluate};
use crate::readers::realtime::syntax::of_auth;
use crate::readers::{cel, realtime, rules};
use crate::wording::on_one_line;

/// The finding.
pub const FINDING: Finding = Finding::warning("true-when-signed-out", ALL);

/// In Firestore and Storage rules.
pub fn of_rule(place: &rules::Place<'_>) -> Option<Diagnostic> {
    let told = place.reading.callers.forgets_signed_out(place.solver, &place.grant.condition);
    let message = "this is true when nobody is signed in: then `request.auth` is null";
    told.then(|| FINDING.at(place.grant.span(), message).help("begin with `request.auth != null &&`"))
}

/// In Realtime Database rules, where the comparison is told that makes it so.
pub fn of_database_rule(place: &realtime::Place<'_>) -> Option<Diagnostic> {
    let condition = &place.rule.condition;
    let outcome = evaluate(condition, Caller::SignedOut);
    let refused = |formula| place.solver.refutes(&[formula], &place.callers.signed_out);
    let never = outcome.never_grants() || place.formula().is_some_and(refused);
    if place.rule.kind == RuleKind::Validate || never || place.always() {
        return None;
    }
    let (mut asked, mut suspect) = (false, None);
    walk::each(condition, &mut |expr| {
        let Kind::Binary(op @ (Binary::Equal | Binary::NotEqual), left, right) = &expr.kind else { return };
        let other = match (of_auth(left), of_auth(right)) {
            (true, false) => right,
            (false, true) => left,
            _ => return,
        };
        if matches!(other.kind, Kind::Constant(Value::Null)) {
            asked |= *op == Binary::Equal;
        } else if evaluate(expr, Caller::SignedOut).is_true() {
            suspect.get_or_insert(expr.span);
        }
    });
    let span = suspect.or(outcome.is_true().then_some(condition.span)).filter(|_| !asked)?;
    let message = "this is true when nobody is signed in: then `auth` and all of it is null";
    let help = format!("write `auth != null && {}`", on_one_line(place.reading.source, span));
    Some(FINDING.at(span, message).help(help))
}

/// In CEL.
pub fn of_expression(reading: &cel::Reading) -> Option<Diagnostic> {
    let solver = reading.solver();
    let told = reading.callers(&solver).forgets_signed_out(&solver, &reading.condition);
    let message = "this is true when nobody is signed in: then `auth` is null";
    told.then(|| FINDING.at(reading.span, message).help("begin with `auth != null &&`"))
}
