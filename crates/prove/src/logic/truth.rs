//! What a condition surely comes to.

use base::Value;

use super::facts::Facts;
use super::formula::{Formula, Kind, Test};
use super::order::equal;
use super::solver::{Errors, Solver, UNLIKE_ITSELF};
use super::terms::{Need, Term};
use super::types::Types;

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    /// An error.
    Fails,
    /// False or an error.
    NotTrue,
    /// True or false, but no error.
    Either,
    Unknown,
}

impl Solver<'_> {
    /// What a condition surely comes to.
    pub fn truth(&self, formula: &Formula, facts: &Facts) -> Truth {
        match &formula.kind {
            Kind::Known(true) => Truth::True,
            Kind::Known(false) => Truth::False,
            Kind::Fails => Truth::Fails,
            Kind::Not(part) => match self.truth(part, facts) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Fails => Truth::Fails,
                Truth::Either => Truth::Either,
                Truth::NotTrue | Truth::Unknown => Truth::Unknown,
            },
            Kind::And(parts) => self.joined(parts, facts, Truth::False, Truth::True),
            Kind::Or(parts) => self.joined(parts, facts, Truth::True, Truth::False),
            Kind::If(test, yes, no) => match self.truth(test, facts) {
                Truth::True => self.truth(yes, facts),
                Truth::False => self.truth(no, facts),
                Truth::Fails => Truth::Fails,
                Truth::NotTrue | Truth::Either | Truth::Unknown => {
                    let not_true = |part| {
                        matches!(self.truth(part, facts), Truth::False | Truth::Fails | Truth::NotTrue)
                    };
                    if not_true(yes) && not_true(no) { Truth::NotTrue } else { Truth::Unknown }
                }
            },
            Kind::Test(term, test) => self.test(*term, test, facts),
        }
    }

    /// `ends` is what one operand decides alone, `passes` what all must be otherwise.
    fn joined(&self, parts: &[Formula], facts: &Facts, ends: Truth, passes: Truth) -> Truth {
        let (mut all_pass, mut fails, mut doubt, mut not_true) = (true, false, false, true);
        for part in parts {
            let truth = self.truth(part, facts);
            // What comes before may be an error that ends it.
            let decided = !doubt && !fails || self.errors == Errors::Absorbed;
            if truth == ends && decided {
                return ends;
            }
            if truth == Truth::Fails && decided && self.errors == Errors::Fatal {
                return Truth::Fails;
            }
            not_true &= matches!(truth, Truth::False | Truth::Fails | Truth::NotTrue);
            all_pass &= truth == passes;
            if ends == Truth::False && matches!(truth, Truth::False | Truth::Fails | Truth::NotTrue) {
                // One that is not true is enough for `&&` not to be.
                fails = true;
                continue;
            }
            fails |= truth == Truth::Fails;
            doubt |= matches!(truth, Truth::Unknown | Truth::NotTrue) || truth == ends;
        }
        match (ends, all_pass) {
            (_, true) => passes,
            (Truth::False, _) if fails => Truth::NotTrue,
            (Truth::True, _) if not_true => Truth::NotTrue,
            _ if !fails && !doubt => Truth::Either,
            _ => Truth::Unknown,
        }
    }

    /// Whether a value surely is there; `Some(false)` when it surely is an error.
    fn presence(&self, term: Term, facts: &Facts) -> Option<bool> {
        let about = self.terms.about(term);
        if facts.of.get(&term).is_some_and(|fact| fact.seen) {
            return Some(true);
        }
        let mut sure = about.always;
        for need in &about.needs {
            let (Need::Strict(other, _) | Need::Lenient(other, _)) = need;
            match self.presence(*other, facts) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => sure = false,
            }
            if let Need::Strict(other, kinds) = need {
                let types = self.types(facts, *other);
                if !types.meets(*kinds) {
                    return Some(false);
                }
                sure &= types.within(*kinds);
            }
        }
        sure.then_some(true)
    }

    fn test(&self, term: Term, test: &Test, facts: &Facts) -> Truth {
        match self.presence(term, facts) {
            Some(false) => return Truth::Fails,
            None => return Truth::Unknown,
            Some(true) => {}
        }
        let fact = self.fact(facts, term);
        let sure = |value: Option<bool>| match value {
            Some(true) => Truth::True,
            Some(false) => Truth::False,
            None => Truth::Either,
        };
        match test {
            Test::Holds if !fact.types.meets(Types::BOOL) => Truth::Fails,
            Test::Holds => match &fact.is {
                Some(Value::Bool(value)) => sure(Some(*value)),
                _ if fact.types == Types::BOOL => Truth::Either,
                _ => Truth::Unknown,
            },
            Test::Equals(other) => sure(fact.equals(other)),
            Test::Among(values) => {
                let each: Vec<Option<bool>> = values.iter().map(|value| fact.equals(value)).collect();
                let inside =
                    |known: &Vec<Value>| known.iter().all(|one| values.iter().any(|two| equal(one, two)));
                if each.contains(&Some(true)) || fact.among.as_ref().is_some_and(inside) {
                    Truth::True
                } else if each.iter().all(|one| *one == Some(false)) {
                    Truth::False
                } else {
                    Truth::Either
                }
            }
            Test::Is(kinds) if fact.types.within(*kinds) => Truth::True,
            Test::Is(kinds) if !fact.types.meets(*kinds) => Truth::False,
            Test::Is(_) => Truth::Either,
            Test::Compares(_, other) if !fact.types.meets(Types::of(other)) => Truth::Fails,
            Test::Compares(_, other) if !fact.types.within(Types::of(other)) => Truth::Unknown,
            Test::Compares(order, other) => sure(fact.compares(*order, other)),
            Test::Same(other) => {
                match self.presence(*other, facts) {
                    Some(false) => return Truth::Fails,
                    None => return Truth::Unknown,
                    Some(true) => {}
                }
                let pair = if term < *other { (term, *other) } else { (*other, term) };
                let twin = self.fact(facts, *other);
                let known = facts.same.get(&pair).copied();
                // Two objects cannot be compared there.
                if known.is_none()
                    && self.errors == Errors::Fatal
                    && fact.types.and(twin.types).meets(Types::MAP)
                {
                    return Truth::Unknown;
                }
                let itself = term == *other && !fact.types.meets(UNLIKE_ITSELF);
                sure(known.or(itself.then_some(true)).or_else(|| match (&fact.is, &twin.is) {
                    (Some(one), _) => twin.equals(one),
                    (_, Some(two)) => fact.equals(two),
                    _ if !(fact.types.meets(twin.types)
                        || fact.types.meets(Types::NUMBER) && twin.types.meets(Types::NUMBER)) =>
                    {
                        Some(false)
                    }
                    _ if fact.types == Types::NULL && twin.types == Types::NULL => Some(true),
                    _ => None,
                }))
            }
        }
    }
}
