//! What a query means, said as plainly as possible, and the engine held against it: with indexes, without, with some
//! of them, after changes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::{DatabaseName, DocumentPath, Fields, GeoPoint, ResourcePath, Timestamp, Value, order};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use wire::v1::structured_query::{
    self as wq, CollectionSelector, CompositeFilter, FieldFilter, FieldReference, UnaryFilter, composite_filter,
    field_filter, filter::FilterType, unary_filter,
};
use wire::v1::{self, StructuredQuery};

use super::index::{build, check};
use super::testing::{Database, path};
use super::{Cursor, Query, plan, run};
use crate::model::value::to_wire;

/// The names of a query's result among these documents.
pub fn evaluate(
    database: &DatabaseName,
    documents: &BTreeMap<DocumentPath, Fields>,
    query: &Query,
) -> Vec<DocumentPath> {
    let name = |path: &DocumentPath| Value::Reference(path.name_in(database));
    let value = |path: &DocumentPath, fields: &Fields, at: &super::Order| {
        if at.field.is_document_id() { Some(name(path)) } else { at.field.get(fields).cloned() }
    };
    let directed = |order: Ordering, at: &super::Order| if at.descending { order.reverse() } else { order };
    let mut found: Vec<(&DocumentPath, Vec<Value>)> = documents
        .iter()
        .filter(|(path, _)| query.scope.contains(path))
        .filter(|(path, fields)| query.filter.matches(&name(path), fields))
        .filter_map(|(path, fields)| {
            Some((path, query.orders.iter().map(|at| value(path, fields, at)).collect::<Option<_>>()?))
        })
        .collect();
    let compare = |a: &[Value], b: &[Value]| {
        (a.iter().zip(b).zip(&query.orders))
            .map(|((a, b), at)| directed(order::compare(a, b), at))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    found.sort_by(|(_, a), (_, b)| compare(a, b));
    // A position with fewer values stands for all documents that agree on them.
    let behind = |values: &[Value], cursor: &Cursor| match compare(values, &cursor.values) {
        Ordering::Less => false,
        Ordering::Equal => cursor.before,
        Ordering::Greater => true,
    };
    found
        .into_iter()
        .filter(|(_, values)| query.start.as_ref().is_none_or(|cursor| behind(values, cursor)))
        .filter(|(_, values)| query.end.as_ref().is_none_or(|cursor| !behind(values, cursor)))
        .skip(query.offset)
        .take(query.limit.unwrap_or(usize::MAX))
        .map(|(path, _)| path.clone())
        .collect()
}

const NAMES: [&str; 11] = [
    "c/a",
    "c/b",
    "c/__id7__",
    "c/__id10__",
    "c/a/c/a",
    "c/a/c/x",
    "c/a/d/y",
    "d/a",
    "d/a/c/b",
    "d/a/c/b/c/z",
    "c/missing/c/deep",
];

fn document() -> impl Strategy<Value = DocumentPath> {
    prop::sample::select(NAMES.to_vec()).prop_map(path)
}

fn reference(name: &str) -> Value {
    Value::Reference(format!("projects/p/databases/(default)/documents/{name}"))
}

fn value() -> impl Strategy<Value = Value> {
    let small = prop_oneof![
        4 => (0i64..3).prop_map(Value::Integer),
        1 => prop_oneof![Just(1.0), Just(1.5), Just(-0.0), Just(f64::NAN), Just(f64::INFINITY)]
            .prop_map(Value::Double),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => prop_oneof![Just(""), Just("a"), Just("a\0"), Just("b")].prop_map(|text| Value::String(text.into())),
    ];
    let other = prop_oneof![
        // Beyond what indexes hold: equal prefixes that differ behind it.
        prop_oneof![Just("1"), Just("2")].prop_map(|end| Value::String("x".repeat(1500) + end)),
        Just(Value::Timestamp(Timestamp { seconds: 1, nanos: 0 })),
        Just(Value::Bytes(vec![0, 255])),
        Just(Value::GeoPoint(GeoPoint { latitude: 1.0, longitude: 2.0 })),
        document().prop_map(|path| reference(&path.to_string())),
    ];
    let leaf = prop_oneof![8 => small, 1 => other];
    prop_oneof![
        8 => leaf.clone(),
        2 => prop::collection::vec(leaf.clone(), 0..3).prop_map(Value::Array),
        1 => leaf.prop_map(|value| Value::Map([("m".to_owned(), value)].into())),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "m"]).prop_map(str::to_owned), value(), 0..4)
}

fn field() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "a", "b", "m.m", "__name__"]).prop_map(str::to_owned)
}

fn field_reference(field: &str) -> Option<FieldReference> {
    Some(FieldReference { field_path: field.to_owned() })
}

fn condition() -> impl Strategy<Value = wq::Filter> {
    use field_filter::Operator;
    let operators = vec![
        Operator::Equal,
        Operator::Equal,
        Operator::Equal,
        Operator::NotEqual,
        Operator::LessThan,
        Operator::LessThanOrEqual,
        Operator::GreaterThan,
        Operator::GreaterThanOrEqual,
        Operator::In,
        Operator::NotIn,
        Operator::ArrayContains,
        Operator::ArrayContainsAny,
    ];
    let binary = (field(), prop::sample::select(operators), prop::collection::vec(value(), 1..4), document())
        .prop_map(|(field, operator, mut values, path)| {
            if field == "__name__" {
                values = vec![reference(&path.to_string())];
            }
            let list = matches!(operator, Operator::In | Operator::NotIn | Operator::ArrayContainsAny);
            let value = if list { Value::Array(values) } else { values.swap_remove(0) };
            FilterType::FieldFilter(FieldFilter {
                field: field_reference(&field),
                op: operator.into(),
                value: Some(to_wire(value)),
            })
        });
    let unary = (field(), 2i32..6).prop_map(|(field, op)| {
        let operand_type = field_reference(&field).map(unary_filter::OperandType::Field);
        FilterType::UnaryFilter(UnaryFilter { op, operand_type })
    });
    prop_oneof![6 => binary, 1 => unary].prop_map(|filter| wq::Filter { filter_type: Some(filter) })
}

fn filter() -> impl Strategy<Value = wq::Filter> {
    condition().prop_recursive(2, 6, 3, |inner| {
        (prop_oneof![3 => Just(composite_filter::Operator::And), 1 => Just(composite_filter::Operator::Or)],
            prop::collection::vec(inner, 1..4))
            .prop_map(|(op, filters)| wq::Filter {
                filter_type: Some(FilterType::CompositeFilter(CompositeFilter { op: op.into(), filters })),
            })
    })
}

fn cursor() -> impl Strategy<Value = (Vec<Value>, DocumentPath, bool)> {
    (prop::collection::vec(value(), 1..3), document(), any::<bool>())
}

fn structured_query() -> impl Strategy<Value = StructuredQuery> {
    let selector = prop_oneof![
        6 => Just(("c", false)),
        3 => Just(("c", true)),
        1 => Just(("", false)),
        1 => Just(("", true)),
    ];
    (
        selector,
        prop::option::weighted(0.8, filter()),
        prop::collection::vec((field(), any::<bool>()), 0..3),
        (prop::option::weighted(0.3, cursor()), prop::option::weighted(0.3, cursor())),
        prop::option::weighted(0.4, 0i32..4),
        prop_oneof![3 => Just(0i32), 1 => 1i32..3],
    )
        .prop_map(|((id, all_descendants), filter, orders, (start, end), limit, offset)| {
            let read = |cursor: (Vec<Value>, DocumentPath, bool)| {
                let (values, path, before) = cursor;
                let values = orders
                    .iter()
                    .zip(values)
                    .map(|((field, _), value)| {
                        to_wire(if field == "__name__" { reference(&path.to_string()) } else { value })
                    })
                    .collect();
                v1::Cursor { values, before }
            };
            StructuredQuery {
                from: vec![CollectionSelector { collection_id: id.to_owned(), all_descendants }],
                r#where: filter,
                order_by: orders
                    .iter()
                    .map(|(field, descending)| wq::Order {
                        field: field_reference(field),
                        direction: if *descending { 2 } else { 1 },
                    })
                    .collect(),
                start_at: start.map(read),
                end_at: end.map(read),
                limit,
                offset,
                ..StructuredQuery::default()
            }
        })
}

/// Runs a query and holds it against its meaning.
async fn agree(
    database: &Database,
    documents: &BTreeMap<DocumentPath, Fields>,
    query: &Query,
) -> Result<(), TestCaseError> {
    let expected = evaluate(&database.name, documents, query);
    let mut session = database.session().await;
    let (found, skipped) = run(&mut session, &database.name, query).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|found| found.path).collect();
    prop_assert_eq!(&found, &expected, "{:#?}", query);
    let unskipped = Query { offset: 0, limit: None, ..query.clone() };
    if query.limit != Some(0) {
        let all = evaluate(&database.name, documents, &unskipped).len();
        prop_assert_eq!(skipped, all.min(query.offset), "skipped by {:#?}", query);
    }
    let mut results = super::Results::open(&mut session, &database.name, query).await.unwrap();
    prop_assert_eq!(results.count(&mut session, usize::MAX).await.unwrap(), expected.len(), "{:#?}", query);
    let definitions = super::index::definitions(&mut session, &database.name, "c").await.unwrap();
    prop_assert!(definitions.len() <= super::index::INDEXES_PER_GROUP_MAX);
    session.finish();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn the_engine_means_what_the_reference_says(
        seed in prop::collection::btree_map(document(), fields(), 0..11),
        queries in prop::collection::vec(structured_query(), 3),
        changes in prop::collection::vec((document(), prop::option::weighted(0.8, fields())), 0..6),
        partly in any::<bool>(),
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let database = Database::new().await;
            let mut documents = seed.clone();
            let seed: Vec<_> = seed.into_iter().map(|(path, fields)| (path, Some(fields))).collect();
            database.write(&seed).await;
            let queries: Vec<Query> = queries
                .into_iter()
                .filter_map(|query| super::parse(&database.name, &ResourcePath::ROOT, query).ok())
                .collect();
            for query in &queries {
                agree(&database, &documents, query).await?;
            }
            for query in &queries {
                for shape in plan::wanted(query).iter().skip(usize::from(partly)) {
                    build::build(&database.gate, &database.name, shape).await.unwrap();
                }
                agree(&database, &documents, query).await?;
            }
            for (path, fields) in changes {
                match &fields {
                    Some(fields) => documents.insert(path.clone(), fields.clone()),
                    None => documents.remove(&path),
                };
                database.write(&[(path, fields)]).await;
            }
            for query in &queries {
                agree(&database, &documents, query).await?;
            }
            let mut session = database.session().await;
            let differences = check::check(&mut session, &database.name, "c").await.unwrap();
            prop_assert!(differences.is_empty(), "{:?}", differences);
            session.finish();
            Ok(())
        })?;
    }
}
