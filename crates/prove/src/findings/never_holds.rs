//! A condition, or one alternative of `||`, that can never be true: what it asks contradicts itself, or a request of the
//! rule's methods.
//!
//! ```text
//! x is string && x > 3
//! a == 1 && a == 2
//! auth == null && auth.uid == 'x'
//! allow delete: if request.resource.data.open;
//! ```
//!
//! A value has one type and one value: join alternatives with `||`. After a delete there is no `request.resource`. A
//! literal `false` is a way to switch a rule off and is not reported.

use policy::{Diagnostic, Source, Span};

use super::{ALL, Finding};
use crate::logic::{Facts, Formula, Kind, Solver};
use crate::readers::rules::{Place, Standing};
use crate::wording::on_one_line;

/// The finding.
pub const FINDING: Finding = Finding::warning("never-holds", ALL);

/// In Firestore and Storage rules: a condition that is true for no method that its rule is about.
pub fn of_rule(place: &Place<'_>, parts: &Parts<'_>) -> Option<Diagnostic> {
    let (grant, reading) = (place.grant, place.reading);
    if grant.standing != Standing::Never {
        return None;
    }
    if place.solver.refutes(&[&grant.condition], &Facts::default()) {
        return parts.contradiction(&[], &grant.condition);
    }
    if parts.switched_off(&grant.condition) {
        return None;
    }
    let methods = grant.rule.methods;
    let message = format!("this is never true for `{}`: {}", place.verbs(), reading.absent(methods));
    let diagnostic = FINDING.at(grant.span(), message);
    Some(match reading.other_resource(methods) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    })
}

/// Parts of a condition among which the contradicting ones are looked for.
const PARTS_MAX: usize = 60;

/// A part that was found dead, or alive, in one place where it is used.
struct Seen {
    span: Span,
    told: Option<Diagnostic>,
}

/// Looks at conditions and their alternatives.
pub struct Parts<'s> {
    solver: &'s Solver<'s>,
    source: &'s Source,
    /// Where something was told already.
    places: Vec<Span>,
    /// What is so whatever is asked.
    facts: Facts,
    seen: Vec<Seen>,
}

impl<'s> Parts<'s> {
    /// `places` are those where something is told already.
    pub fn new(solver: &'s Solver<'s>, source: &'s Source, places: Vec<Span>) -> Self {
        Self { solver, source, places, facts: Facts::default(), seen: Vec::new() }
    }

    /// Looks on with these facts.
    pub fn given(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// Whether something was told about a part of a place.
    pub fn told_within(&self, span: Span) -> bool {
        self.places.iter().any(|place| span.start <= place.start && place.end <= span.end)
    }

    /// Whether `false` or something that is told elsewhere makes it so.
    pub fn switched_off(&self, formula: &Formula) -> bool {
        formula.any(&|part| match part.kind {
            Kind::Known(false) => self.source.slice(part.span).trim() == "false",
            Kind::Fails => true,
            _ => false,
        })
    }

    /// The parts that contradict each other, the condition's own last.
    pub fn contradiction(&self, context: &[&Formula], condition: &Formula) -> Option<Diagnostic> {
        let mut parts: Vec<&Formula> = context.iter().flat_map(|formula| formula.conjuncts()).collect();
        parts.extend(condition.conjuncts());
        if parts.len() > PARTS_MAX {
            parts = context.iter().copied().chain([condition]).collect();
        }
        let mut at = 0;
        while at < parts.len() && parts.len() > 1 {
            let without: Vec<&Formula> =
                parts.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, part)| *part).collect();
            if self.solver.refutes(&without, &self.facts) {
                parts = without;
            } else {
                at += 1;
            }
        }
        if parts.iter().any(|part| self.switched_off(part)) {
            return None;
        }
        let (last, others) = parts.split_last()?;
        // Parts that come from one place of another text, such as a Bolt file, do not show what is wrong.
        if others.iter().any(|other| other.span == last.span) {
            return None;
        }
        Some(match others {
            // Why it cannot be is told there.
            [] if self.told_within(last.span) => return None,
            [] => FINDING.at(last.span, "this can never be true"),
            [first, ..] => {
                let (line, _) = self.source.line_column(first.span.start);
                let message = format!(
                    "this can never be true where `{}` (line {line}) is",
                    on_one_line(self.source, first.span)
                );
                let mut diagnostic = FINDING.at(last.span, message);
                for other in others {
                    diagnostic = diagnostic.label(other.span, "this is asked too");
                }
                diagnostic.help("a value has one type and one value: join alternatives with `||`")
            }
        })
    }

    /// Looks at a condition that can be true for alternatives in it that cannot.
    pub fn look(&mut self, condition: &Formula) {
        self.alternatives(condition, &mut Vec::new());
    }

    /// Recursion is bounded by the depth of conditions.
    fn alternatives<'f>(&mut self, formula: &'f Formula, context: &mut Vec<&'f Formula>) {
        match &formula.kind {
            Kind::And(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    let known = context.len();
                    context.extend(
                        parts.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, part)| part),
                    );
                    self.alternatives(part, context);
                    context.truncate(known);
                }
            }
            Kind::Or(parts) => {
                for part in parts.iter().filter(|part| !matches!(part.kind, Kind::Known(_) | Kind::Fails)) {
                    let mut asked = context.clone();
                    asked.push(part);
                    let dead = self.solver.refutes(&asked, &self.facts);
                    let told = if dead { self.contradiction(context, part) } else { None };
                    self.seen.push(Seen { span: part.span, told });
                    if !dead {
                        self.alternatives(part, context);
                    }
                }
            }
            _ => {}
        }
    }

    /// Parts that are dead wherever they are used: a function's body is used in many places.
    pub fn told(&mut self) -> Vec<Diagnostic> {
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort_by_key(|seen| seen.span);
        let groups = seen.chunk_by(|one, two| one.span == two.span);
        let dead = groups.filter(|same| same.iter().all(|seen| seen.told.is_some()));
        dead.filter_map(|same| same.iter().find_map(|seen| seen.told.clone())).collect()
    }
}
