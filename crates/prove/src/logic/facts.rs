//! What is known about values on one way through a condition.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::Value;

use super::order::{Order, compare, equal};
use super::terms::Term;
use super::types::Types;

/// Values of a list that are looked at one by one.
const AMONG_MAX: usize = 64;

/// What is known about one value.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub types: Types,
    pub is: Option<Value>,
    pub not: Vec<Value>,
    pub among: Option<Vec<Value>>,
    pub low: Option<(Value, bool)>,
    pub high: Option<(Value, bool)>,
    /// Whether it was looked at, so that it is not an error.
    pub seen: bool,
    /// Whether a comparison with it was true, so that it is not NaN: bounds of what is NaN were learned from comparisons
    /// that were false, and do not hold of it.
    pub ordered: bool,
}

/// What is known on one way through a condition.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub(super) of: BTreeMap<Term, Fact>,
    pub(super) same: BTreeMap<(Term, Term), bool>,
}

impl Fact {
    /// False when it cannot be.
    pub fn become_value(&mut self, value: &Value) -> bool {
        if self.equals(value) == Some(false) {
            return false;
        }
        self.types = self.types.and(Types::of(value));
        self.is = Some(value.clone());
        true
    }

    pub fn exclude(&mut self, value: &Value) {
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

    pub fn bound(&mut self, order: Order, value: &Value) {
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

    fn may_be_nan(&self) -> bool {
        !self.ordered && self.is.is_none() && self.types.meets(Types::FLOAT)
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

    pub fn is_possible(&self) -> bool {
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
            return self.among.is_none() && self.may_be_nan();
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

    pub fn equals(&self, value: &Value) -> Option<bool> {
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

    pub fn compares(&self, order: Order, value: &Value) -> Option<bool> {
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
            return (!self.may_be_nan()).then_some(true);
        }
        (beyond(opposite, order.negated()) == Some(true)).then_some(false)
    }
}
