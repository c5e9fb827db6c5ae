//! Conditions as logic: whether they can be true at all, whether they must be, and whether one grants whatever another
//! grants.
//!
//! Invariant: [`Solver::refutes`] and [`Solver::truth`] answer only what is proven. Work is bounded by
//! [`STEPS_MAX`]; when that is used up nothing is proven.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::Value;

use super::terms::{Need, Term, Terms};
use super::types::Types;
use policy::source::Span;

/// Steps of one proof.
const STEPS_MAX: usize = 3_000;
/// Values of a list that are looked at one by one.
const AMONG_MAX: usize = 64;

/// What may not even be equal to itself: what is no number, or holds it; objects that cannot be compared.
const UNLIKE_ITSELF: Types = Types::FLOAT.or(Types::MAP).or(Types::LIST).or(Types::SET);

/// A condition and where it is written.
#[derive(Clone, Debug)]
pub struct Formula {
    pub kind: Kind,
    pub span: Span,
}

/// What a condition says.
#[derive(Clone, Debug)]
pub enum Kind {
    /// It is this.
    Known(bool),
    /// It is an error.
    Fails,
    And(Vec<Formula>),
    Or(Vec<Formula>),
    Not(Box<Formula>),
    If(Box<Formula>, Box<Formula>, Box<Formula>),
    /// Something about one value.
    Test(Term, Test),
}

/// Something that a value can be tested for.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is true.
    Holds,
    /// `== value`
    Equals(Value),
    /// `== other`
    Same(Term),
    /// `in [values]`
    Among(Vec<Value>),
    /// `is type`
    Is(Types),
    /// `< value` and so on.
    Compares(Order, Value),
}

/// Comparisons with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn negated(self) -> Self {
        match self {
            Order::Less => Order::GreaterOrEqual,
            Order::LessOrEqual => Order::Greater,
            Order::Greater => Order::LessOrEqual,
            Order::GreaterOrEqual => Order::Less,
        }
    }

    /// The same comparison with its sides exchanged.
    pub fn mirrored(self) -> Self {
        match self {
            Order::Less => Order::Greater,
            Order::LessOrEqual => Order::GreaterOrEqual,
            Order::Greater => Order::Less,
            Order::GreaterOrEqual => Order::LessOrEqual,
        }
    }

    /// What it comes to for two constants; `None` when they cannot be compared.
    pub fn constants(self, one: &Value, two: &Value) -> Option<bool> {
        compare(one, two).map(|found| self.holds(found))
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl Formula {
    pub fn new(kind: Kind, span: Span) -> Self {
        Self { kind, span }
    }

    /// A text that is equal for equal conditions, wherever they are written.
    pub fn key(&self) -> String {
        let all = |parts: &[Formula]| parts.iter().map(Formula::key).collect::<Vec<_>>().join(",");
        match &self.kind {
            Kind::Known(value) => value.to_string(),
            Kind::Fails => "fails".to_owned(),
            Kind::And(parts) => format!("and({})", all(parts)),
            Kind::Or(parts) => format!("or({})", all(parts)),
            Kind::Not(part) => format!("not({})", part.key()),
            Kind::If(test, yes, no) => format!("if({},{},{})", test.key(), yes.key(), no.key()),
            Kind::Test(term, test) => format!("{term:?}{test:?}"),
        }
    }

    /// Whether any part says this.
    pub fn any(&self, wanted: &dyn Fn(&Formula) -> bool) -> bool {
        let found = match &self.kind {
            Kind::And(parts) | Kind::Or(parts) => parts.iter().any(|part| part.any(wanted)),
            Kind::Not(part) => part.any(wanted),
            Kind::If(test, yes, no) => test.any(wanted) || yes.any(wanted) || no.any(wanted),
            Kind::Known(_) | Kind::Fails | Kind::Test(..) => false,
        };
        found || wanted(self)
    }

    /// Whether a value is asked for being null, as opposed to not being null.
    pub fn asks_for_null(&self, value: Term, positive: bool) -> bool {
        match &self.kind {
            Kind::And(parts) | Kind::Or(parts) => {
                parts.iter().any(|part| part.asks_for_null(value, positive))
            }
            Kind::Not(part) => part.asks_for_null(value, !positive),
            // `value != null ? … : …` says something about both.
            Kind::If(test, yes, no) => {
                test.asks_for_null(value, true)
                    || test.asks_for_null(value, false)
                    || yes.asks_for_null(value, positive)
                    || no.asks_for_null(value, positive)
            }
            Kind::Test(term, Test::Equals(Value::Null)) => positive && *term == value,
            _ => false,
        }
    }

    /// The parts that must all be true for it to be true.
    pub fn conjuncts(&self) -> Vec<&Formula> {
        match &self.kind {
            Kind::And(parts) => parts.iter().flat_map(Formula::conjuncts).collect(),
            _ => vec![self],
        }
    }
}

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

/// How errors travel through `&&` and `||`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// `error || true` is true.
    Absorbed,
    /// The first error ends it.
    Fatal,
}

#[derive(Clone, Debug)]
struct Fact {
    types: Types,
    is: Option<Value>,
    not: Vec<Value>,
    among: Option<Vec<Value>>,
    low: Option<(Value, bool)>,
    high: Option<(Value, bool)>,
    /// Whether it was looked at, so that it is not an error.
    seen: bool,
}

/// What is known on one way through a condition.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    of: BTreeMap<Term, Fact>,
    same: BTreeMap<(Term, Term), bool>,
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

    fn fact(&self, facts: &Facts, term: Term) -> Fact {
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
        }
    }

    fn types(&self, facts: &Facts, term: Term) -> Types {
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

impl Fact {
    /// False when it cannot be.
    fn become_value(&mut self, value: &Value) -> bool {
        if self.equals(value) == Some(false) {
            return false;
        }
        self.types = self.types.and(Types::of(value));
        self.is = Some(value.clone());
        true
    }

    fn exclude(&mut self, value: &Value) {
        if matches!(value, Value::Null) {
            self.types = self.types.but(Types::NULL);
        }
        self.not.push(value.clone());
        if self.types == Types::BOOL
            && let Value::Bool(known) = value
        {
            self.is.get_or_insert(Value::Bool(!known));
        }
    }

    fn bound(&mut self, order: Order, value: &Value) {
        let inclusive = matches!(order, Order::LessOrEqual | Order::GreaterOrEqual);
        let (place, tighter) = match order {
            Order::Less | Order::LessOrEqual => (&mut self.high, Ordering::Less),
            Order::Greater | Order::GreaterOrEqual => (&mut self.low, Ordering::Greater),
        };
        let replaces = match place {
            None => true,
            Some((known, known_inclusive)) => match compare(value, known) {
                Some(Ordering::Equal) => *known_inclusive && !inclusive,
                Some(found) => found == tighter,
                None => false,
            },
        };
        if replaces {
            *place = Some((value.clone(), inclusive));
        }
    }

    fn within_bounds(&self, value: &Value) -> bool {
        let low = self.low.as_ref().is_none_or(|(low, inclusive)| {
            compare(value, low).is_none_or(|found| found.is_gt() || *inclusive && found.is_eq())
        });
        let high = self.high.as_ref().is_none_or(|(high, inclusive)| {
            compare(value, high).is_none_or(|found| found.is_lt() || *inclusive && found.is_eq())
        });
        low && high
    }

    fn is_possible(&self) -> bool {
        if self.types.is_empty() {
            return false;
        }
        let allowed = |value: &Value| {
            self.types.meets(Types::of(value))
                && self.within_bounds(value)
                && !self.not.iter().any(|not| equal(not, value))
        };
        if let (Some((low, a)), Some((high, b))) = (&self.low, &self.high)
            && compare(low, high).is_some_and(|found| found.is_gt() || found.is_eq() && !(*a && *b))
        {
            return false;
        }
        if self.types == Types::BOOL
            && [true, false].iter().all(|value| self.not.iter().any(|not| equal(not, &Value::Bool(*value))))
        {
            return false;
        }
        match (&self.is, &self.among) {
            (Some(value), among) => {
                allowed(value) && among.as_ref().is_none_or(|among| among.iter().any(|one| equal(one, value)))
            }
            (None, Some(among)) if among.len() <= AMONG_MAX => among.iter().any(allowed),
            _ => true,
        }
    }

    fn equals(&self, value: &Value) -> Option<bool> {
        if let Some(known) = &self.is {
            return Some(equal(known, value));
        }
        if !self.types.meets(Types::of(value))
            || self.not.iter().any(|not| equal(not, value))
            || !self.within_bounds(value)
            || self.among.as_ref().is_some_and(|among| !among.iter().any(|one| equal(one, value)))
        {
            return Some(false);
        }
        (self.types == Types::NULL && matches!(value, Value::Null)).then_some(true)
    }

    fn compares(&self, order: Order, value: &Value) -> Option<bool> {
        if let Some(known) = &self.is {
            return compare(known, value).map(|found| order.holds(found));
        }
        // All that is known to be above, or below, a bound.
        let beyond = |bound: &Option<(Value, bool)>, order: Order| {
            let (bound, inclusive) = bound.as_ref()?;
            let found = compare(bound, value)?;
            match order {
                Order::Greater => Some(found.is_gt() || found.is_eq() && !inclusive),
                Order::GreaterOrEqual => Some(found.is_ge()),
                Order::Less => Some(found.is_lt() || found.is_eq() && !inclusive),
                Order::LessOrEqual => Some(found.is_le()),
            }
        };
        let (own, opposite) = match order {
            Order::Greater | Order::GreaterOrEqual => (&self.low, &self.high),
            Order::Less | Order::LessOrEqual => (&self.high, &self.low),
        };
        if beyond(own, order) == Some(true) {
            return Some(true);
        }
        (beyond(opposite, order.negated()) == Some(true)).then_some(false)
    }
}

/// Equal as rules see it; an integer equals a double.
pub fn equal(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Integer(_) | Value::Double(_), Value::Integer(_) | Value::Double(_)) => {
            compare(one, two) == Some(Ordering::Equal)
        }
        _ => one == two,
    }
}

#[expect(clippy::cast_precision_loss, reason = "constants in rules are small")]
fn compare(one: &Value, two: &Value) -> Option<Ordering> {
    let double = |value: &Value| match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Double(value) => Some(*value),
        _ => None,
    };
    match (one, two) {
        (Value::Integer(one), Value::Integer(two)) => Some(one.cmp(two)),
        (Value::String(one), Value::String(two)) => Some(one.cmp(two)),
        _ => double(one)?.partial_cmp(&double(two)?),
    }
}
