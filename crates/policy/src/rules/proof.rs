//! A query's constraints as facts about every document it can return.
//!
//! `or`, `in` and `array-contains-any` become alternatives, each of which must be allowed on its own: a document of
//! the result meets all facts of at least one of them.

use base::Value;

use crate::request::Query;
use crate::value::{Constraint, Fact, Facts, Operator};

/// The name of the document in constraints.
const NAME_FIELD: &str = "__name__";

/// No filter: one alternative without constraints.
const UNFILTERED: &[Vec<Constraint>] = &[Vec::new()];

/// The alternatives, or `None` when there would be more than the limit.
pub fn alternatives(query: &Query, max: usize) -> Option<Vec<Facts<'_>>> {
    let present: Vec<&[String]> =
        query.order_by.iter().map(|(field, _)| field.as_slice()).filter(|field| !is_name(field)).collect();
    let conjunctions = if query.alternatives.is_empty() { UNFILTERED } else { &query.alternatives };
    let mut all = Vec::new();
    for conjunction in conjunctions {
        let mut open = vec![Facts { facts: Vec::new(), present: present.clone(), name: None }];
        for constraint in conjunction {
            open = extend(open, constraint, max)?;
        }
        all.append(&mut open);
        if all.len() > max {
            return None;
        }
    }
    Some(all)
}

fn is_name(field: &[String]) -> bool {
    matches!(field, [only] if only == NAME_FIELD)
}

/// Adds a constraint to each alternative, splitting it where the constraint has alternatives of its own.
fn extend<'q>(open: Vec<Facts<'q>>, constraint: &'q Constraint, max: usize) -> Option<Vec<Facts<'q>>> {
    let (op, values) = match (constraint.op, &constraint.value) {
        (Operator::In, Value::Array(values)) => (Operator::Eq, values.as_slice()),
        (Operator::ContainsAny, Value::Array(values)) => (Operator::Contains, values.as_slice()),
        (Operator::NotIn, Value::Array(values)) => {
            let mut open = open;
            if !is_name(&constraint.field) {
                let facts =
                    values.iter().map(|value| Fact { field: &constraint.field, op: Operator::Neq, value });
                // Whatever the list holds, the field is there and not null.
                let not_null = Fact { field: &constraint.field, op: Operator::Neq, value: &Value::Null };
                let facts: Vec<Fact<'q>> = facts.chain([not_null]).collect();
                open.iter_mut().for_each(|alternative| alternative.facts.extend(facts.iter().copied()));
            }
            return Some(open);
        }
        // Lists without a list: nothing is known of the result.
        (Operator::In | Operator::ContainsAny | Operator::NotIn, _) => return Some(open),
        (op, value) => (op, std::slice::from_ref(value)),
    };
    if open.len().checked_mul(values.len())? > max {
        return None;
    }
    let split = |facts: &Facts<'q>, value: &'q Value| {
        let mut facts = facts.clone();
        if !is_name(&constraint.field) {
            facts.facts.push(Fact { field: &constraint.field, op, value });
        } else if op == Operator::Eq {
            facts.name = Some(value);
        }
        facts
    };
    Some(values.iter().flat_map(|value| open.iter().map(move |facts| split(facts, value))).collect())
}
