//! Which findings are looked for in Realtime Database rules, and in those that Bolt makes.

use base::Timestamp;
use policy::Diagnostic;
use policy::ir::walk;
use policy::rtdb::Draft;
use policy::rtdb::lowered::{Node, RuleKind};

use crate::findings::never_holds::Parts;
use crate::findings::{
    cannot_revoke, child_of_a_value, child_takes_text, constant_condition, date_has_passed, index_of_nothing,
    needless_index, never_equal, no_sign_in_check, only_when_signed_out, open_access, open_read,
    required_child_refused, shadowed_grant, text_compared_with_boolean, true_when_signed_out,
};
use crate::logic::{Callers, Facts, Solver};
use crate::readers::dates;
use crate::readers::realtime::abstraction::{Abstract, Caller, evaluate};
use crate::readers::realtime::{Place, Reading, read};

/// All that is found, also in rules of which others are broken.
pub fn findings(rules: &Draft, now: Option<Timestamp>) -> Vec<Diagnostic> {
    let reading = read(rules.source(), rules.nodes());
    let solver = reading.solver();
    let callers = reading.callers(&solver);
    let places = reading.unlike.iter().map(|unlike| unlike.span).collect();
    let parts = Parts::new(&solver, rules.source(), places);
    let found = reading.unlike.iter().map(never_equal::of_comparison).collect();
    let mut critic = Critic { reading: &reading, solver: &solver, callers: &callers, now, parts, found };
    if let Some(root) = rules.nodes().first() {
        critic.node(root, &mut Vec::new());
    }
    let Critic { mut parts, mut found, .. } = critic;
    found.extend(parts.told());
    found
}

struct Critic<'a> {
    reading: &'a Reading<'a>,
    solver: &'a Solver<'a>,
    callers: &'a Callers,
    now: Option<Timestamp>,
    parts: Parts<'a>,
    found: Vec<Diagnostic>,
}

impl<'a> Critic<'a> {
    /// `above` are the places on the way, from the root. Recursion is bounded by the nesting of the rules.
    fn node(&mut self, node: &'a Node, above: &mut Vec<&'a Node>) {
        let (source, nodes) = (self.reading.source, self.reading.nodes);
        for rule in node.rules() {
            let (reading, solver, callers) = (self.reading, self.solver, self.callers);
            self.rule(&Place { reading, solver, callers, node, rule, above });
        }
        self.found.extend(required_child_refused::of_node(nodes, node));
        self.found.extend(child_of_a_value::of_node(nodes, node));
        self.found.extend(needless_index::of_node(node));
        self.found.extend(index_of_nothing::of_node(source, nodes, node));
        above.push(node);
        for child in node.all_children().filter_map(|child| nodes.get(child)) {
            self.node(child, above);
        }
        above.pop();
    }

    fn rule(&mut self, place: &Place<'_>) {
        let shadow =
            cannot_revoke::of_database_rule(place).or_else(|| shadowed_grant::of_database_rule(place));
        let is_shadowed = shadow.is_some();
        self.found.extend(shadow);
        if !is_shadowed {
            self.found.extend(open_access::of_database_rule(place));
            self.found.extend(open_read::of_database_rule(place));
            self.found.extend(constant_condition::of_database_rule(place, &self.parts));
            self.condition(place);
        }
        self.found.extend(true_when_signed_out::of_database_rule(place));
        self.found.extend(child_takes_text::of_database_rule(place));
        walk::each(&place.rule.condition, &mut |expr| {
            self.found.extend(text_compared_with_boolean::of_expression(place, expr));
        });
    }

    /// What a condition can never be, and whom it lets in.
    fn condition(&mut self, place: &Place<'_>) {
        let Some(formula) = place.formula() else { return };
        if evaluate(&place.rule.condition, Caller::Any) != Abstract::Unknown || place.always() {
            return;
        }
        let facts = place.facts();
        if self.solver.refutes(&[formula], &facts) {
            self.parts.given(facts);
            self.found.extend(self.parts.contradiction(&[], formula));
            return;
        }
        // `!newData.exists() ||` says no more than the service does, and does no harm.
        self.parts.given(Facts::default());
        self.parts.look(formula);
        let dates = dates::of_database_rule(&place.rule.condition);
        if let Some(passed) = self.now.and_then(|now| date_has_passed::of_database_rule(place, &dates, now)) {
            self.found.push(passed);
            return;
        }
        if place.rule.kind == RuleKind::Validate {
            return;
        }
        self.found.extend(if self.callers.shuts_out_signed_in(self.solver, formula) {
            only_when_signed_out::of_database_rule(place)
        } else {
            no_sign_in_check::of_database_rule(place)
        });
    }
}
