//! Everybody may read, signed in or not. It is often meant.
//!
//! ```text
//! allow read;
//! ".read": true
//! ```
//!
//! Nothing is to be done if it is meant; otherwise ask for something, such as `request.auth != null`.

use policy::Diagnostic;
use policy::rtdb::lowered::RuleKind;

use super::open_access::{DATABASE_HELP, RULES_HELP, database_message, rules_message};
use super::{Finding, RULES};
use crate::readers::rules::Standing;
use crate::readers::{realtime, rules};

/// The finding.
pub const FINDING: Finding = Finding::note("open-read", RULES);

/// In Firestore and Storage rules.
pub fn of_rule(place: &rules::Place<'_>) -> Option<Diagnostic> {
    let grant = place.grant;
    let told = grant.standing == Standing::Open && !grant.writes();
    told.then(|| FINDING.at(grant.rule.span, rules_message(place)).help(RULES_HELP))
}

/// In Realtime Database rules.
pub fn of_database_rule(place: &realtime::Place<'_>) -> Option<Diagnostic> {
    let told = place.rule.kind == RuleKind::Read && place.always();
    told.then(|| FINDING.at(place.rule.position.span, database_message(place)).help(DATABASE_HELP))
}
