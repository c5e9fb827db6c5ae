//! What a query proves about every document in its result: the question put to the rules ("rules are not filters").
//!
//! Invariant: sound. Each alternative states only what [`super::filter`] demands of a document, so a rule that the
//! policy core derives from it holds for whatever the engine returns.

use base::Value;
use policy::{Constraint, Operator};

use super::filter::{Condition, Test};
use super::shape::{Query, Scope};

/// The query as the rules see it.
pub fn proof(query: &Query) -> policy::Query {
    let explicit = query.orders.iter().take(query.orders_explicit);
    policy::Query {
        limit: query.limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)),
        offset: i64::try_from(query.offset).unwrap_or(i64::MAX),
        // The name is no field of the document: an order by it proves no field present.
        order_by: explicit
            .filter(|order| !order.field.is_document_id())
            .map(|order| (order.field.segments().to_vec(), !order.descending))
            .collect(),
        alternatives: query
            .disjuncts
            .iter()
            .map(|disjunct| disjunct.iter().map(constraint).collect())
            .collect(),
        scope: match query.scope {
            Scope::Collection(_) => policy::Scope::Collection,
            Scope::Group { .. } => policy::Scope::CollectionGroup,
            Scope::Children(_) => policy::Scope::Children,
            Scope::Descendants(_) => policy::Scope::Descendants,
        },
    }
}

/// The path that goes with [`proof`] in a [`policy::Request`].
pub fn path(query: &Query) -> Vec<String> {
    match &query.scope {
        Scope::Collection(path) | Scope::Children(path) | Scope::Descendants(path) => {
            path.segments().to_vec()
        }
        Scope::Group { parent, id } => {
            parent.segments().iter().cloned().chain(std::iter::once(id.clone())).collect()
        }
    }
}

fn constraint(condition: &Condition) -> Constraint {
    let list = |values: &[Value]| Value::Array(values.to_vec());
    let (op, value) = match &condition.test {
        Test::Equal(value) => (Operator::Eq, value.clone()),
        Test::NotEqual(value) => (Operator::Neq, value.clone()),
        Test::Less(value) => (Operator::Lt, value.clone()),
        Test::LessOrEqual(value) => (Operator::Lte, value.clone()),
        Test::Greater(value) => (Operator::Gt, value.clone()),
        Test::GreaterOrEqual(value) => (Operator::Gte, value.clone()),
        Test::In(values) => (Operator::In, list(values)),
        Test::NotIn(values) => (Operator::NotIn, list(values)),
        Test::ArrayContains(value) => (Operator::Contains, value.clone()),
        Test::ArrayContainsAny(values) => (Operator::ContainsAny, list(values)),
        Test::IsNull => (Operator::Eq, Value::Null),
        Test::IsNan => (Operator::Eq, Value::Double(f64::NAN)),
        Test::IsNotNull => (Operator::Neq, Value::Null),
        Test::IsNotNan => (Operator::Neq, Value::Double(f64::NAN)),
    };
    Constraint { field: condition.field.segments().to_vec(), op, value }
}
