//! Transforms: values computed from what a field holds.

use std::cmp::Ordering;

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
                for item in operand {
                    if !items.iter().any(|present| order::equal(present, item)) {
                        items.push(item.clone());
                    }
                }
                (Value::Array(items), NO_RESULT)
            }
            Kind::Remove(operand) => {
                let mut items = elements(stored);
                items.retain(|present| !operand.iter().any(|item| order::equal(present, item)));
                (Value::Array(items), NO_RESULT)
            }
        };
        self.field.set(fields, new);
        result
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
