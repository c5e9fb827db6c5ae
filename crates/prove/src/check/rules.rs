//! Which findings are looked for in Firestore and Storage rules.

use base::Timestamp;
use policy::{Diagnostic, Ruleset};

use crate::findings::never_holds::Parts;
use crate::findings::{
    calls_too_deep, cannot_revoke, constant_condition, date_has_passed, exists_takes_a_path, never_equal,
    never_holds, no_sign_in_check, no_such_field, no_such_method, not_a_boolean, only_when_signed_out,
    open_access, open_read, operands_do_not_fit, shadowed_grant, too_many_expressions, too_many_reads,
    true_when_signed_out, verb_never_granted,
};
use crate::readers::dates;
use crate::readers::rules::oddity::Odd;
use crate::readers::rules::{Place, Reading, Standing, needs, overlaps, read};

/// All that is found.
pub fn findings(ruleset: &Ruleset, now: Option<Timestamp>) -> Vec<Diagnostic> {
    let reading = read(ruleset);
    let solver = reading.solver();
    let mut found: Vec<Diagnostic> =
        reading.oddities.iter().filter_map(|odd| expression(&reading, odd)).collect();
    let places = reading.oddities.iter().map(|odd| odd.span).collect();
    let mut parts = Parts::new(&solver, ruleset.source(), places);
    let dates = dates::of_rules(ruleset);
    for grant in &reading.grants {
        let place = Place { reading: &reading, solver: &solver, grant };
        found.extend(open_access::of_rule(&place));
        found.extend(open_read::of_rule(&place));
        found.extend(constant_condition::of_rule(&place));
        found.extend(never_holds::of_rule(&place, &parts));
        if grant.standing == Standing::Alive {
            found.extend(verb_never_granted::of_rule(&place));
            parts.look(&grant.condition);
            let passed = now.and_then(|now| date_has_passed::of_rule(&place, &dates, now));
            found.extend(passed.or_else(|| callers(&place)));
        }
    }
    found.extend(parts.told());
    for overlap in overlaps(&reading) {
        found.extend(shadowed_grant::of_overlap(&reading, &overlap));
        found.extend(cannot_revoke::of_overlap(&reading, &overlap));
    }
    for (span, needs) in needs(ruleset) {
        found.extend(too_many_reads::of_condition(span, ruleset.service(), needs));
        found.extend(too_many_expressions::of_condition(span, needs));
        found.extend(calls_too_deep::of_condition(span, needs));
    }
    found
}

/// What is odd about an expression is told by one of these.
fn expression(reading: &Reading<'_>, odd: &Odd) -> Option<Diagnostic> {
    never_equal::of_expression(odd)
        .or_else(|| exists_takes_a_path::of_expression(odd))
        .or_else(|| no_such_field::of_expression(reading, odd))
        .or_else(|| no_such_method::of_expression(reading, odd))
        .or_else(|| not_a_boolean::of_expression(reading, odd))
        .or_else(|| operands_do_not_fit::of_expression(odd))
}

/// Whom a rule lets in: the first of these that is so says enough.
fn callers(place: &Place<'_>) -> Option<Diagnostic> {
    let callers = &place.reading.callers;
    if callers.shuts_out_signed_in(place.solver, &place.grant.condition) {
        return only_when_signed_out::of_rule(place);
    }
    true_when_signed_out::of_rule(place)
        .or_else(|| open_access::for_a_time(place))
        .or_else(|| no_sign_in_check::of_rule(place))
}
