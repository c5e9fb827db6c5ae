//! Constant folding: what needs no request is computed once, when the rules are compiled.

use base::Value;

use super::names::Rules;
use super::operators;
use crate::ir::{Expr, Kind};
use crate::meter::{Limits, Meter};
use crate::value::{Str, Val};

/// Computes what is constant. What would fail stays, to fail with its place at run time.
pub fn fold(kind: Kind<Rules>) -> Kind<Rules> {
    let constant = |expr: &Expr<Rules>| match &expr.kind {
        Kind::Constant(value) => Some(value.clone()),
        _ => None,
    };
    let folded = match &kind {
        Kind::Negate(operand) => constant(operand)
            .and_then(|value| operators::negate(&Val::from_value(&value)).ok().and_then(stored)),
        Kind::Not(operand) => match constant(operand) {
            Some(Value::Bool(value)) => Some(Value::Bool(!value)),
            _ => None,
        },
        Kind::Binary(op, left, right) => match (constant(left), constant(right)) {
            (Some(left), Some(right)) => {
                let limits = Limits::default();
                let (left, right) = (Val::from_value(&left), Val::from_value(&right));
                operators::binary(*op, &left, &right, &mut Meter::new(&limits), false).ok().and_then(stored)
            }
            _ => None,
        },
        Kind::List(items) => items.iter().map(constant).collect::<Option<Vec<_>>>().map(Value::Array),
        Kind::Map(entries) => {
            let pairs = entries.iter().map(|(key, value)| match constant(key)? {
                Value::String(key) => Some((key, constant(value)?)),
                _ => None,
            });
            pairs.collect::<Option<_>>().map(Value::Map)
        }
        _ => None,
    };
    folded.map_or(kind, Kind::Constant)
}

/// A computed scalar as a constant.
fn stored(value: Val<'_>) -> Option<Value> {
    Some(match value {
        Val::Bool(value) => Value::Bool(value),
        Val::Int(value) => Value::Integer(value),
        Val::Float(value) => Value::Double(value),
        Val::Str(Str::Borrowed(text)) => Value::String(text.to_owned()),
        Val::Str(Str::Shared(text)) => Value::String(text.to_string()),
        _ => return None,
    })
}
