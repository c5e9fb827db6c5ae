//! A write that does not depend on who asks: who is not signed in can meet its condition too.
//!
//! ```text
//! allow create: if request.resource.data.size() < 5;
//! ```
//!
//! Begin with `request.auth != null &&`, unless it is meant. Rules that look at `request.auth.uid` without a null check
//! are not reported: without a caller they fail, and deny.

use policy::Diagnostic;
use policy::rtdb::lowered::RuleKind;

use super::{Finding, RULES};
use crate::readers::{realtime, rules};

/// The finding.
pub const FINDING: Finding = Finding::note("no-sign-in-check", RULES);

/// In Firestore and Storage rules that can be met by somebody who is signed in.
pub fn of_rule(place: &rules::Place<'_>) -> Option<Diagnostic> {
    let grant = place.grant;
    if !grant.writes() || place.solver.asks_caller(&grant.condition) {
        return None;
    }
    let message = format!(
        "`allow {}` asks nothing about the caller: who is not signed in can meet it too",
        place.verbs()
    );
    let help = "if that is meant, fine; otherwise begin with `request.auth != null &&`";
    Some(FINDING.at(grant.span(), message).help(help))
}

/// In Realtime Database rules that can be met by somebody who is signed in.
pub fn of_database_rule(place: &realtime::Place<'_>) -> Option<Diagnostic> {
    let condition = place.formula()?;
    let without = !place.solver.refutes(&[condition], &place.callers.signed_out);
    if place.rule.kind != RuleKind::Write || !without || place.solver.asks_caller(condition) {
        return None;
    }
    let name = place.rule.kind.name();
    let message =
        format!("this `{name}` asks nothing about the caller: who is not signed in can meet it too");
    let help = "if that is meant, fine; otherwise begin with `auth != null &&`";
    Some(FINDING.at(place.rule.condition.span, message).help(help))
}
