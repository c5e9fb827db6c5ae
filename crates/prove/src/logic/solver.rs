//! Whether conditions can be true at all, and whether one grants whatever another grants.
//!
//! Invariant: [`Solver::refutes`] and [`Solver::truth`] answer only what is proven. Work is bounded by
//! [`STEPS_MAX`]; when that is used up nothing is proven.

use base::Value;

use super::facts::{Fact, Facts};
use super::formula::{Formula, Kind, Test};
use super::order::equal;
use super::terms::{Need, Term, Terms};
use super::truth::Truth;
use super::types::Types;

/// Steps of one proof.
const STEPS_MAX: usize = 3_000;

/// What may not even be equal to itself: what is no number, or holds it; objects that cannot be compared.
pub(super) const UNLIKE_ITSELF: Types = Types::FLOAT.or(Types::MAP).or(Types::LIST).or(Types::SET);

/// How errors travel through `&&` and `||`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// `error || true` is true.
    Absorbed,
    /// The first error ends it.
    Fatal,
}

/// What all proofs share.
pub struct Solver<'t> {
    pub terms: &'t Terms,
    pub errors: Errors,
}

impl Solver<'_> {
    /// Whether these conditions cannot all be true, whatever else is so.
    pub fn refutes(&self, conditions: &[&Formula], facts: &Facts) -> bool {
        self.every_way(conditions, facts, &mut |_| false)
    }

    /// Whether the second condition surely is true whenever the first ones are.
    pub fn implies(&self, conditions: &[&Formula], wanted: &Formula, facts: &Facts) -> bool {
        self.every_way(conditions, facts, &mut |facts| self.truth(wanted, facts) == Truth::True)
    }

    /// Whether every way in which the conditions can all be true is as wanted.
    pub fn every_way(
        &self,
        conditions: &[&Formula],
        facts: &Facts,
        wanted: &mut dyn FnMut(&Facts) -> bool,
    ) -> bool {
        let goals: Vec<(&Formula, bool)> = conditions.iter().rev().map(|one| (*one, true)).collect();
        let mut steps = STEPS_MAX;
        self.ways(goals, facts.clone(), &mut steps, wanted)
    }

    /// Follows all ways to meet the goals, the last one first. Recursion is bounded by the steps.
    fn ways(
        &self,
        mut goals: Vec<(&Formula, bool)>,
        mut facts: Facts,
        steps: &mut usize,
        wanted: &mut dyn FnMut(&Facts) -> bool,
    ) -> bool {
        loop {
            let Some(left) = steps.checked_sub(1) else { return false };
            *steps = left;
            let Some((formula, value)) = goals.pop() else { return wanted(&facts) };
            match &formula.kind {
                Kind::Known(known) if *known == value => {}
                // There is no such way.
                Kind::Known(_) | Kind::Fails => return true,
                Kind::Not(part) => goals.push((part, !value)),
                Kind::And(parts) if value => goals.extend(parts.iter().rev().map(|part| (part, true))),
                Kind::Or(parts) if !value => goals.extend(parts.iter().rev().map(|part| (part, false))),
                Kind::And(parts) | Kind::Or(parts) => {
                    return parts.iter().all(|part| {
                        let mut goals = goals.clone();
                        goals.push((part, value));
                        self.ways(goals, facts.clone(), steps, wanted)
                    });
                }
                Kind::If(test, yes, no) => {
                    return [(true, yes), (false, no)].into_iter().all(|(outcome, branch)| {
                        let mut goals = goals.clone();
                        goals.push((branch, value));
                        goals.push((test, outcome));
                        self.ways(goals, facts.clone(), steps, wanted)
                    });
                }
                Kind::Test(term, test) => {
                    if !self.learn(&mut facts, *term, test, value) {
                        return true;
                    }
                }
            }
        }
    }

    /// Facts with one more, or none when that cannot be.
    pub fn with(&self, facts: &Facts, term: Term, test: &Test, value: bool) -> Option<Facts> {
        let mut facts = facts.clone();
        self.learn(&mut facts, term, test, value).then_some(facts)
    }

    pub(super) fn fact(&self, facts: &Facts, term: Term) -> Fact {
        if let Some(fact) = facts.of.get(&term) {
            return fact.clone();
        }
        let about = self.terms.about(term);
        let mut types = about.types;
        for need in &about.needs {
            if let Need::Lenient(other, kinds) = need
                && !self.types(facts, *other).meets(*kinds)
            {
                types = types.and(Types::NULL);
            }
        }
        Fact {
            types,
            is: None,
            not: Vec::new(),
            among: about.among.clone(),
            low: None,
            high: None,
            seen: false,
            ordered: false,
        }
    }

    pub(super) fn types(&self, facts: &Facts, term: Term) -> Types {
        self.fact(facts, term).types
    }

    /// Adds what a test tells. False when it contradicts what is known.
    fn learn(&self, facts: &mut Facts, term: Term, test: &Test, value: bool) -> bool {
        let mut fact = self.fact(facts, term);
        fact.seen = true;
        match (test, value) {
            (Test::Holds, _) => {
                fact.types = fact.types.and(Types::BOOL);
                if !fact.become_value(&Value::Bool(value)) {
                    return false;
                }
            }
            (Test::Equals(other), true) => {
                if !fact.become_value(other) {
                    return false;
                }
            }
            (Test::Equals(other), false) => fact.exclude(other),
            (Test::Among(values), true) => {
                let both = |known: &Vec<Value>| -> Vec<Value> {
                    known.iter().filter(|one| values.iter().any(|two| equal(one, two))).cloned().collect()
                };
                fact.among = Some(fact.among.as_ref().map_or_else(|| values.clone(), both));
                let kinds = values.iter().map(Types::of).fold(Types::NONE, Types::or);
                fact.types = fact.types.and(kinds);
            }
            (Test::Among(values), false) => values.iter().for_each(|other| fact.exclude(other)),
            (Test::Is(kinds), true) => fact.types = fact.types.and(*kinds),
            (Test::Is(kinds), false) => fact.types = fact.types.but(*kinds),
            (Test::Compares(order, other), _) => {
                fact.ordered |= value;
                let order = if value { *order } else { order.negated() };
                fact.types = fact.types.and(Types::of(other));
                fact.bound(order, other);
            }
            (Test::Same(other), _) => {
                let pair = if term < *other { (term, *other) } else { (*other, term) };
                if facts.same.insert(pair, value).is_some_and(|known| known != value)
                    || term == *other && !value && !fact.types.meets(UNLIKE_ITSELF)
                {
                    return false;
                }
                let mut twin = self.fact(facts, *other);
                twin.seen = true;
                if value {
                    let widened = |types: Types| {
                        if types.meets(Types::NUMBER) { types.or(Types::NUMBER) } else { types }
                    };
                    fact.types = fact.types.and(widened(twin.types));
                    twin.types = twin.types.and(widened(fact.types));
                    let known = fact.is.clone().or_else(|| twin.is.clone());
                    if let Some(known) = known
                        && !(fact.become_value(&known) && twin.become_value(&known))
                    {
                        return false;
                    }
                } else if let (Some(one), Some(two)) = (&fact.is, &twin.is)
                    && equal(one, two)
                {
                    return false;
                }
                if term != *other && !self.settle(facts, *other, twin) {
                    return false;
                }
            }
        }
        self.settle(facts, term, fact)
    }

    /// Keeps a fact and what follows from it for others. False when it cannot be.
    fn settle(&self, facts: &mut Facts, term: Term, fact: Fact) -> bool {
        if !fact.is_possible() {
            return false;
        }
        let present = !fact.types.meets(Types::NULL);
        facts.of.insert(term, fact);
        self.terms.about(term).needs.iter().all(|need| match need {
            Need::Strict(other, kinds) => self.narrow(facts, *other, *kinds),
            Need::Lenient(other, kinds) => !present || self.narrow(facts, *other, *kinds),
        })
    }

    /// Recursion is as deep as expressions are.
    fn narrow(&self, facts: &mut Facts, term: Term, kinds: Types) -> bool {
        let mut fact = self.fact(facts, term);
        if fact.seen && fact.types.within(kinds) {
            return true;
        }
        fact.types = fact.types.and(kinds);
        fact.seen = true;
        self.settle(facts, term, fact)
    }

    /// Whether a condition asks anything about the caller.
    pub fn asks_caller(&self, condition: &Formula) -> bool {
        let caller = |term| self.terms.about(term).caller;
        condition.any(&|part| match &part.kind {
            Kind::Test(term, test) => caller(*term) || matches!(test, Test::Same(other) if caller(*other)),
            _ => false,
        })
    }
}
