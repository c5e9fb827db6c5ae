//! A query's constraints as facts about every document it can return.
//!
//! `or`, `in` and `array-contains-any` become alternatives, each of which must be allowed on its own: a document of
//! the result meets all facts of at least one of them. An alternative that fixes the document's name is about that
//! one document, which can be looked at.
//!
//! An equality with a number has two readings, because 1 also finds 1.0: an alternative that is not allowed as it
//! stands may be allowed as it is written. When it is not so in each reading, it is allowed literally only.

use base::{Value, order};

use crate::document::DocumentPath;
use crate::request::{Query, Scope};
use crate::value::{Constraint, Fact, Facts, Operator, is_exact};

/// The name of the document in constraints.
const NAME_FIELD: &str = "__name__";

/// No filter: one alternative without constraints.
const UNFILTERED: &[Vec<Constraint>] = &[Vec::new()];

/// One alternative of a query.
#[derive(Clone, Debug, Default)]
pub struct Alternative<'q> {
    /// What is known of its documents.
    pub facts: Facts<'q>,
    /// The document's name, where an equality fixes it: a reference.
    name: Option<&'q Value>,
    /// Whether the name counts for nothing.
    nameless: bool,
}

impl Alternative<'_> {
    /// The one document it is about. With anything else asked of the name, or in a collection group below a document,
    /// the official service sees no document.
    pub fn document(&self) -> Option<DocumentPath> {
        match self.name {
            Some(Value::Reference(name)) if !self.nameless => document_path(name),
            _ => None,
        }
    }

    /// The values that the open equalities can stand for, by the fact's index; empty when nothing is open, there is no
    /// telling, or there are more than `max`.
    pub fn readings(&self, max: usize) -> Vec<Vec<(usize, Value)>> {
        let facts = &self.facts.facts;
        let open = facts.iter().enumerate().filter(|(_, fact)| fact.op == Operator::Eq && !fact.exact);
        let mut readings: Vec<Vec<(usize, Value)>> = vec![Vec::new()];
        for (index, fact) in open {
            let Some(values) = spellings(fact.value, max) else { continue };
            if readings.len() * values.len() > max {
                return Vec::new();
            }
            readings = values
                .iter()
                .flat_map(|value| {
                    readings.iter().map(|reading| [reading.as_slice(), &[(index, value.clone())]].concat())
                })
                .collect();
        }
        readings.retain(|reading| !reading.is_empty());
        readings
    }
}

/// The facts of one reading.
pub fn read<'v>(facts: &Facts<'v>, reading: &'v [(usize, Value)]) -> Facts<'v> {
    let mut facts = facts.clone();
    for (index, value) in reading {
        if let Some(fact) = facts.facts.get_mut(*index) {
            (fact.value, fact.exact) = (value, true);
        }
    }
    facts
}

/// All values that a query finds equal to this one and that a policy can tell apart; this one first. `None` when there
/// are too many.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "what is cast is compared again"
)]
fn spellings(value: &Value, max: usize) -> Option<Vec<Value>> {
    match value {
        Value::Integer(_) | Value::Double(_) => {
            let (integer, double) = match value {
                Value::Integer(integer) => (*integer, *integer as f64),
                Value::Double(double) => (*double as i64, *double),
                _ => return None,
            };
            let twins =
                [Value::Integer(integer), Value::Double(double), Value::Double(0.0), Value::Double(-0.0)];
            let mut all = vec![value.clone()];
            for twin in twins {
                let told_apart = |other: &Value| match (other, &twin) {
                    (Value::Double(a), Value::Double(b)) => a.to_bits() != b.to_bits(),
                    (Value::Integer(a), Value::Integer(b)) => a != b,
                    _ => true,
                };
                if order::equal(&twin, value) && all.iter().all(told_apart) {
                    all.push(twin);
                }
            }
            Some(all)
        }
        Value::Array(items) => {
            let mut all = vec![Vec::new()];
            for item in items {
                let put = |array: &mut Vec<Value>, item| array.push(item);
                all = combined(all, spellings(item, max)?, max, put)?;
            }
            Some(all.into_iter().map(Value::Array).collect())
        }
        Value::Map(fields) => {
            let mut all = vec![base::Fields::new()];
            for (name, item) in fields {
                let put = |map: &mut base::Fields, item| {
                    map.insert(name.clone(), item);
                };
                all = combined(all, spellings(item, max)?, max, put)?;
            }
            Some(all.into_iter().map(Value::Map).collect())
        }
        Value::GeoPoint(_) => None,
        other => Some(vec![other.clone()]),
    }
}

/// Each of the wholes with each of the values put in.
fn combined<T: Clone>(
    wholes: Vec<T>,
    values: Vec<Value>,
    max: usize,
    put: impl Fn(&mut T, Value),
) -> Option<Vec<T>> {
    if wholes.len() * values.len() > max {
        return None;
    }
    let with = |value: &Value, whole: &T| {
        let mut whole = whole.clone();
        put(&mut whole, value.clone());
        whole
    };
    Some(values.iter().flat_map(|value| wholes.iter().map(move |whole| with(value, whole))).collect())
}

/// The alternatives of a query that looks at or below `path`, or `None` when there would be more than the limit.
pub fn alternatives<'q>(query: &'q Query, path: &[String], max: usize) -> Option<Vec<Alternative<'q>>> {
    let conjunctions = if query.alternatives.is_empty() { UNFILTERED } else { &query.alternatives };
    let nameless = match query.scope {
        Scope::Collection => false,
        Scope::CollectionGroup => path.len() > 1,
        Scope::Children | Scope::Descendants => true,
    };
    let mut all = Vec::new();
    for conjunction in conjunctions {
        let mut open = vec![Alternative { nameless, ..Alternative::default() }];
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

fn fact<'q>(constraint: &'q Constraint, op: Operator, value: &'q Value) -> Fact<'q> {
    Fact { field: &constraint.field, op, value, exact: op == Operator::Eq && is_exact(value) }
}

fn is_name(field: &[String]) -> bool {
    matches!(field, [only] if only == NAME_FIELD)
}

/// `projects/{project}/databases/{database}/documents/{path}`
fn document_path(name: &str) -> Option<DocumentPath> {
    let mut segments = name.split('/');
    let fixed = [segments.next(), segments.next(), segments.next()];
    let (database, documents) = (segments.next()?, segments.next());
    let is_name =
        matches!(fixed, [Some("projects"), Some(_), Some("databases")]) && documents == Some("documents");
    let is_some = segments.clone().next().is_some();
    (is_name && is_some).then(|| DocumentPath::new(database, segments))
}

/// Adds a constraint to each alternative, splitting it where the constraint has alternatives of its own.
fn extend<'q>(
    mut open: Vec<Alternative<'q>>,
    constraint: &'q Constraint,
    max: usize,
) -> Option<Vec<Alternative<'q>>> {
    let (op, values) = match (constraint.op, &constraint.value) {
        (Operator::In, Value::Array(values)) => (Operator::Eq, values.as_slice()),
        (Operator::ContainsAny, Value::Array(values)) => (Operator::Contains, values.as_slice()),
        (Operator::NotIn, Value::Array(values)) if !is_name(&constraint.field) => {
            let facts = values.iter().map(|value| fact(constraint, Operator::Neq, value));
            // Whatever the list holds, the field is there and not null.
            let not_null = fact(constraint, Operator::Neq, &Value::Null);
            let facts: Vec<Fact<'q>> = facts.chain([not_null]).collect();
            open.iter_mut().for_each(|alternative| alternative.facts.facts.extend(facts.iter().copied()));
            return Some(open);
        }
        // Lists without a list: nothing is known of the result.
        (Operator::In | Operator::ContainsAny | Operator::NotIn, _) if !is_name(&constraint.field) => {
            return Some(open);
        }
        (op, value) => (op, std::slice::from_ref(value)),
    };
    if open.len().checked_mul(values.len())? > max {
        return None;
    }
    let split = |alternative: &Alternative<'q>, value: &'q Value| {
        let mut alternative = alternative.clone();
        if is_name(&constraint.field) {
            if op == Operator::Eq && alternative.name.is_none_or(|name| name == value) {
                alternative.name = Some(value);
            } else {
                alternative.nameless = true;
            }
            return alternative;
        }
        let known = |fact: &Fact<'q>| {
            fact.op == op && fact.field == constraint.field && order::equal(fact.value, value)
        };
        if op != Operator::Eq || !alternative.facts.facts.iter().any(known) {
            alternative.facts.facts.push(fact(constraint, op, value));
        }
        alternative
    };
    Some(
        values
            .iter()
            .flat_map(|value| open.iter().map(move |alternative| split(alternative, value)))
            .collect(),
    )
}
