//! Which findings are looked for in CEL expressions.

use policy::{Diagnostic, Source};

use crate::findings::never_holds::Parts;
use crate::findings::{only_when_signed_out, open_access, true_when_signed_out};
use crate::logic::Facts;
use crate::readers::cel::read;

/// All that is found in an expression that compiles.
pub fn findings(source: &Source) -> Vec<Diagnostic> {
    let Some(reading) = read(source) else { return Vec::new() };
    let solver = reading.solver();
    if let Some(open) = open_access::of_expression(&reading) {
        return vec![open];
    }
    let mut parts = Parts::new(&solver, source, Vec::new());
    if solver.refutes(&[&reading.condition], &Facts::default()) {
        return parts.contradiction(&[], &reading.condition).into_iter().collect();
    }
    parts.look(&reading.condition);
    let mut found = parts.told();
    let callers = only_when_signed_out::of_expression(&reading)
        .or_else(|| true_when_signed_out::of_expression(&reading));
    found.extend(callers);
    found
}
