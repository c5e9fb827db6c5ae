//! How rules compare values: an integer equals a double.

use std::cmp::Ordering;

use base::Value;
use policy::ir::Binary;

/// Comparisons with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Of an operator, if it compares so.
    pub fn of(op: Binary) -> Option<Self> {
        match op {
            Binary::Less => Some(Order::Less),
            Binary::LessOrEqual => Some(Order::LessOrEqual),
            Binary::Greater => Some(Order::Greater),
            Binary::GreaterOrEqual => Some(Order::GreaterOrEqual),
            _ => None,
        }
    }

    pub(super) fn negated(self) -> Self {
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

    pub(super) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
        }
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
pub(super) fn compare(one: &Value, two: &Value) -> Option<Ordering> {
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
