//! Which documents a query returns, by Firestore's documentation.

use base::{Fields, Value, order};
use policy::{Constraint, Operator, Query, Scope};

use crate::generate::text;

fn find<'d>(fields: &'d Fields, path: &[String]) -> Option<&'d Value> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(fields, |fields, name| match fields.get(name) {
        Some(Value::Map(inner)) => Some(inner),
        _ => None,
    });
    parent?.get(last)
}

fn meets(constraint: &Constraint, place: &str, fields: &Fields, literally: bool) -> bool {
    let name;
    let value = if constraint.field == ["__name__"] {
        name = Value::Reference(format!("projects/p/databases/(default)/documents/{place}"));
        Some(&name)
    } else {
        find(fields, &constraint.field)
    };
    let Some(value) = value else { return false };
    let operand = &constraint.value;
    let ranged = || (order::class(value) == order::class(operand)).then(|| order::compare(value, operand));
    let list = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        _ => Vec::new(),
    };
    let has = |operand: &Value| list(value).iter().any(|item| order::equal(item, operand));
    let null = |value: &Value| matches!(value, Value::Null);
    let equal = |operand: &Value| {
        order::equal(value, operand) && (!literally || format!("{value:?}") == format!("{operand:?}"))
    };
    match constraint.op {
        Operator::Eq => equal(operand),
        Operator::Neq => !null(value) && !order::equal(value, operand),
        Operator::Lt => ranged().is_some_and(|order| order.is_lt()),
        Operator::Lte => ranged().is_some_and(|order| order.is_le()),
        Operator::Gt => ranged().is_some_and(|order| order.is_gt()),
        Operator::Gte => ranged().is_some_and(|order| order.is_ge()),
        Operator::In => list(operand).iter().any(equal),
        Operator::NotIn => !null(value) && !list(operand).iter().any(|o| null(o) || order::equal(value, o)),
        Operator::Contains => has(operand),
        Operator::ContainsAny => list(operand).iter().any(has),
    }
}

/// Whether the query, which looks at or below `path`, returns the document; `literally`, where only what it writes counts
/// as equal.
pub fn returns(query: &Query, path: &str, place: &str, fields: &Fields, literally: bool) -> bool {
    let is_there = match query.scope {
        Scope::Collection => place.rsplit_once('/').unwrap().0 == path,
        _ => {
            let (above, id) = path.rsplit_once('/').unwrap_or(("", path));
            let collection = place.rsplit_once('/').unwrap().0;
            collection.starts_with(above) && collection.rsplit('/').next() == Some(id)
        }
    };
    let ordered = query.order_by.iter().all(|(field, _)| find(fields, field).is_some());
    let meets_all =
        |all: &Vec<Constraint>| all.iter().all(|constraint| meets(constraint, place, fields, literally));
    is_there && ordered && query.alternatives.iter().any(meets_all)
}

/// Documents made to measure: with the query's own values, also as the other number type, and inside arrays.
pub fn fitted(query: &Query, documents: &[(&'static str, Fields)]) -> Vec<(&'static str, Fields)> {
    let twin = |value: &Value| match value {
        Value::Integer(1) => Value::Double(1.0),
        Value::Integer(0) => Value::Double(-0.0),
        Value::Double(number) if *number == 1.0 => Value::Integer(1),
        other => other.clone(),
    };
    let near = |value: &Value, round: usize| match value {
        Value::Integer(number) => Value::Integer(number + i64::try_from(round % 3).unwrap() - 1),
        Value::Double(number) => Value::Double(number + 0.5),
        Value::String(_) => text(["a", "b", ""][round % 3]),
        other => other.clone(),
    };
    let mut fitted = Vec::new();
    for alternative in &query.alternatives {
        for (round, (place, fields)) in documents.iter().enumerate() {
            let mut fields = fields.clone();
            for constraint in alternative {
                let value = match (&constraint.value, constraint.op) {
                    (value, Operator::Eq | Operator::Lte | Operator::Gte) => value.clone(),
                    (value, Operator::Lt | Operator::Gt | Operator::Neq) => near(value, round),
                    (value, Operator::Contains) => Value::Array(vec![value.clone(), Value::Null]),
                    (Value::Array(items), Operator::In) => items[round % items.len()].clone(),
                    (Value::Array(items), Operator::ContainsAny) => {
                        Value::Array(vec![items[round % items.len()].clone()])
                    }
                    _ => continue,
                };
                let value = if round % 2 == 0 { value } else { twin(&value) };
                match constraint.field.as_slice() {
                    [name] if name != "__name__" => {
                        fields.insert(name.clone(), value);
                    }
                    [parent, name] => {
                        let inner = fields.entry(parent.clone()).or_insert_with(|| Value::Map(Fields::new()));
                        if let Value::Map(inner) = inner {
                            inner.insert(name.clone(), value);
                        }
                    }
                    _ => {}
                }
            }
            fitted.push((*place, fields));
        }
    }
    fitted
}
