//! Transforms: values computed from what a field holds.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::{FieldPath, Fields, Timestamp, Value, order};

use super::NO_RESULT;

/// One transform of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// The field.
    pub field: FieldPath,
    /// What happens to it.
    pub kind: Kind,
}

/// What a transform computes. Operands of the numeric ones are numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The time of the request.
    ServerTime,
    /// The sum.
    Increment(Value),
    /// The larger.
    Maximum(Value),
    /// The smaller.
    Minimum(Value),
    /// Elements are added unless present.
    Append(Vec<Value>),
    /// Equal elements go.
    Remove(Vec<Value>),
}

impl Transform {
    /// Changes the fields; gives what the client is told.
    pub fn apply(&self, fields: &mut Fields, now: Timestamp) -> Value {
        let stored = self.field.get(fields);
        let (new, result) = match &self.kind {
            Kind::ServerTime => same(Value::Timestamp(now)),
            Kind::Increment(operand) => same(increment(stored, operand)),
            Kind::Maximum(operand) => same(extreme(stored, operand, Ordering::Greater)),
            Kind::Minimum(operand) => same(extreme(stored, operand, Ordering::Less)),
            Kind::Append(operand) => {
                let mut items = elements(stored);
                let mut present = Set::of(&items);
                let missing: Vec<_> = operand.iter().filter(|item| present.insert(item)).cloned().collect();
                items.extend(missing);
                (Value::Array(items), NO_RESULT)
            }
            Kind::Remove(operand) => {
                let mut items = elements(stored);
                let removed = Set::of(operand);
                items.retain(|present| !removed.contains(present));
                (Value::Array(items), NO_RESULT)
            }
        };
        self.field.set(fields, new);
        result
    }
}

/// Values of which no two are equal. Arrays may be long, so they are not searched one by one.
#[derive(Default)]
struct Set<'a>(BTreeMap<Ordered<'a>, Vec<&'a Value>>);

/// A value by Firestore's order, which tells less apart than equality does: of long texts the beginning.
struct Ordered<'a>(&'a Value);

impl Ord for Ordered<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        order::compare(self.0, other.0)
    }
}

impl PartialOrd for Ordered<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered<'_> {}

impl<'a> Set<'a> {
    fn of(values: &'a [Value]) -> Self {
        let mut set = Self::default();
        for value in values {
            set.insert(value);
        }
        set
    }

    /// Whether it was not in the set yet.
    fn insert(&mut self, value: &'a Value) -> bool {
        let alike = self.0.entry(Ordered(value)).or_default();
        let is_new = !alike.iter().any(|present| order::equal(present, value));
        if is_new {
            alike.push(value);
        }
        is_new
    }

    fn contains(&self, value: &Value) -> bool {
        let alike = self.0.get(&Ordered(value)).map(Vec::as_slice).unwrap_or_default();
        alike.iter().any(|present| order::equal(present, value))
    }
}

fn same(value: Value) -> (Value, Value) {
    (value.clone(), value)
}

fn elements(stored: Option<&Value>) -> Vec<Value> {
    match stored {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    }
}

fn as_double(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "mixed sums are doubles by definition")]
        Value::Integer(integer) => Some(*integer as f64),
        Value::Double(double) => Some(*double),
        _ => None,
    }
}

/// The sum: of two integers an integer that stops at the bounds, otherwise a double; of no number the operand.
fn increment(stored: Option<&Value>, operand: &Value) -> Value {
    match (stored, operand) {
        (Some(Value::Integer(a)), Value::Integer(b)) => Value::Integer(a.saturating_add(*b)),
        (Some(stored), operand) => match (as_double(stored), as_double(operand)) {
            (Some(a), Some(b)) => Value::Double(a + b),
            _ => operand.clone(),
        },
        (None, operand) => operand.clone(),
    }
}

/// The stored number unless the operand is strictly on the wanted side of it; NaN wins.
fn extreme(stored: Option<&Value>, operand: &Value, wanted: Ordering) -> Value {
    let is_nan = |value: &Value| matches!(value, Value::Double(double) if double.is_nan());
    match stored {
        Some(stored @ (Value::Integer(_) | Value::Double(_))) => {
            let replaced = !is_nan(stored) && (is_nan(operand) || order::compare(operand, stored) == wanted);
            if replaced { operand.clone() } else { stored.clone() }
        }
        _ => operand.clone(),
    }
}
