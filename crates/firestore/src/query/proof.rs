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
        order_by: explicit.map(|order| (order.field.segments().to_vec(), !order.descending)).collect(),
        alternatives: query
            .disjuncts
            .iter()
            .map(|disjunct| disjunct.iter().filter_map(constraint).collect())
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

/// `None` for what the rules are not told: that an aggregation passes over documents without the field.
fn constraint(condition: &Condition) -> Option<Constraint> {
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
        Test::Present => return None,
    };
    Some(Constraint { field: condition.field.segments().to_vec(), op, value })
}

#[cfg(test)]
mod tests {
    use base::{FieldPath, ResourcePath};

    use super::*;
    use crate::query::filter::Filter;
    use crate::query::shape::Order;

    #[test]
    fn a_query_proves_its_filter_and_its_explicit_orders() {
        let field = |name: &str| FieldPath::parse(name).unwrap();
        let condition = |name: &str, test| Condition { field: field(name), test };
        let scope = Scope::Group { parent: ResourcePath::ROOT, id: "c".into() };
        let filter = Filter::All(vec![
            Filter::One(condition("a.b", Test::In(vec![Value::Integer(1), Value::Null, Value::Integer(2)]))),
            Filter::One(condition("n", Test::IsNotNull)),
        ]);
        let mut query = Query {
            disjuncts: filter.disjuncts().unwrap(),
            filter,
            limit: Some(10),
            orders: vec![
                Order { field: field("n"), descending: true },
                Order { field: field("__name__"), descending: true },
            ],
            orders_explicit: 2,
            ..Query::all(scope)
        };
        query.require(field("summed"));
        let constraint = |path: &[&str], op, value| Constraint {
            field: path.iter().map(|&segment| segment.to_owned()).collect(),
            op,
            value,
        };
        let alternative = |value| {
            vec![
                constraint(&["a", "b"], Operator::Eq, Value::Integer(value)),
                constraint(&["n"], Operator::Neq, Value::Null),
            ]
        };
        assert_eq!(
            proof(&query),
            policy::Query {
                limit: Some(10),
                offset: 0,
                order_by: vec![(vec!["n".to_owned()], false), (vec!["__name__".to_owned()], false)],
                alternatives: vec![alternative(1), alternative(2)],
                scope: policy::Scope::CollectionGroup,
            }
        );
        assert_eq!(path(&query), ["c"]);
    }
}
