//! A condition that is the same whatever is asked, or that is no boolean. A literal `false` is a way to switch a rule off
//! and is not reported.
//!
//! ```text
//! allow read: if 1 == 2;
//! ".validate": "'a' == 'a'"
//! ```
//!
//! Write `true` or `false` if that is meant.

use policy::Diagnostic;
use policy::ir::Kind;
use policy::rtdb::lowered::RuleKind;

use super::never_holds::Parts;
use super::{Finding, RULES};
use crate::readers::realtime::abstraction::{Abstract, Caller, evaluate};
use crate::readers::rules::Standing;
use crate::readers::{realtime, rules};

/// The finding.
pub const FINDING: Finding = Finding::warning("constant-condition", RULES);

/// In Firestore and Storage rules: a condition that is false without being written so.
pub fn of_rule(place: &rules::Place<'_>) -> Option<Diagnostic> {
    let condition = place.grant.rule.condition.as_ref()?;
    let text = place.reading.ruleset.source().slice(condition.span);
    // `if false` is a way to say no; anything else that comes to the same is not.
    let literal = text.trim_matches(['(', ')', ' ']) == "false";
    let told =
        place.grant.standing == Standing::Refuses && !literal && !matches!(condition.kind, Kind::Call(..));
    let message = "this condition is never true";
    told.then(|| FINDING.at(condition.span, message).help("write `if false` if that is meant"))
}

/// In Realtime Database rules. `parts` know what is told already.
pub fn of_database_rule(place: &realtime::Place<'_>, parts: &Parts<'_>) -> Option<Diagnostic> {
    let condition = &place.rule.condition;
    let always = place.always();
    if always && place.rule.kind != RuleKind::Validate {
        return None;
    }
    let never = !always && evaluate(condition, Caller::Any) != Abstract::Unknown;
    let literal = matches!(condition.kind, Kind::Constant(_));
    if literal || !always && !never || parts.told_within(condition.span) {
        return None;
    }
    if never && place.formula().is_some_and(|formula| parts.switched_off(formula)) {
        return None;
    }
    let verdict = if always { "always" } else { "never" };
    let message = format!("this condition is {verdict} true");
    Some(FINDING.at(condition.span, message).help(format!("write `{always}` if that is meant")))
}
