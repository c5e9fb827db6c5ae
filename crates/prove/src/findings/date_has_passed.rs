//! A condition compares the time with a fixed one that has passed: it denies everybody since then, or what it waited for has
//! come. The rules that a new project begins with are so after thirty days.
//!
//! ```text
//! allow read, write: if request.time < timestamp.date(2024, 12, 1);
//! ".read": "now < 1733011200000"
//! ```
//!
//! Test rules of a new project end like this. Require something that does not expire, such as `request.auth != null`. Reported where the present time is known: by
//! `hearth check` and `hearth dev`.

use base::Timestamp;
use policy::Diagnostic;

use super::{Finding, RULES};
use crate::logic::{Facts, Formula, Solver, Truth};
use crate::readers::dates::Dated;
use crate::readers::{realtime, rules};

/// The finding.
pub const FINDING: Finding = Finding::warning("date-has-passed", RULES);

const HELP: &str = "test rules of a new project end like this: ask for something that does not run out, such as `request.auth != null`";
const DATABASE_HELP: &str = "test rules of a new project end like this: ask for something that does not run out, such as `auth != null`";

/// In Firestore and Storage rules.
pub fn of_rule(place: &rules::Place<'_>, dates: &[Dated], now: Timestamp) -> Option<Diagnostic> {
    let allow = format!("`allow {}`", place.verbs());
    told(place.solver, &place.grant.condition, &Facts::default(), dates, now, &allow)
        .map(|found| found.help(HELP))
}

/// In Realtime Database rules.
pub fn of_database_rule(place: &realtime::Place<'_>, dates: &[Dated], now: Timestamp) -> Option<Diagnostic> {
    let rule = format!("this `{}`", place.rule.kind.name());
    told(place.solver, place.formula()?, &place.facts(), dates, now, &rule)
        .map(|found| found.help(DATABASE_HELP))
}

/// The first date that decides; otherwise the first that has passed.
fn told(
    solver: &Solver<'_>,
    condition: &Formula,
    facts: &Facts,
    dates: &[Dated],
    now: Timestamp,
    rule: &str,
) -> Option<Diagnostic> {
    if solver.refutes(&[condition], facts) {
        return None;
    }
    let mut part = None;
    for dated in dates.iter().filter(|dated| condition.any(&|part| part.span == dated.span)) {
        let Some(value) = dated.settled(now) else { continue };
        let (settled, day) = (condition.with(dated.span, value), day(dated.at));
        if solver.refutes(&[&settled], facts) {
            let message = format!("{day} has passed: {rule} has denied everybody since then");
            return Some(FINDING.at(dated.span, message));
        }
        if solver.truth(&settled, facts) == Truth::True {
            let message = format!("{day} has passed: {rule} has let everybody in since then");
            return Some(FINDING.at(dated.span, message));
        }
        let message = format!("{day} has passed: since then this is always {value}");
        part.get_or_insert_with(|| FINDING.at(dated.span, message));
    }
    part
}

/// `2024-12-01`, with the time where it is not midnight.
fn day(at: Timestamp) -> String {
    let text = at.to_string();
    text.strip_suffix("T00:00:00Z").map_or(text.clone(), str::to_owned)
}
