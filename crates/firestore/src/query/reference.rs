//! What a query means, said as plainly as possible, and the engine held against it: with indexes, without, with some
//! of them, after changes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::{DatabaseName, DocumentPath, FieldPath, Fields, GeoPoint, ResourcePath, Timestamp, Value, order};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use wire::v1::structured_query::{
    self as wq, CollectionSelector, CompositeFilter, FieldFilter, FieldReference, UnaryFilter,
    composite_filter, field_filter, filter::FilterType, unary_filter,
};
use wire::v1::{self, StructuredQuery};

use super::index::{Breadth, Component, Kind, Origin, Shape, build, check};
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

/// Names at every depth; most in one collection, so that results are not empty.
const NAMES: [&str; 20] = [
    "c/a",
    "c/b",
    "c/e",
    "c/f",
    "c/g",
    "c/h",
    "c/i",
    "c/j",
    "c/k",
    "c/l",
    "c/__id7__",
    "c/__id10__",
    "c/a/c/a",
    "c/a/c/x",
    "c/a/d/y",
    "d/a",
    "d/a/c/b",
    "d/a/c/b/c/z",
    "c/missing/c/deep",
    "c/missing/c/deeper",
];

fn document() -> impl Strategy<Value = DocumentPath> {
    prop::sample::select(NAMES.to_vec()).prop_map(path)
}

fn reference(name: &str) -> Value {
    Value::Reference(format!("projects/p/databases/(default)/documents/{name}"))
}

/// Few values, so that they meet.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => (0i64..3).prop_map(Value::Integer),
        1 => prop_oneof![Just(1.0), Just(1.5), Just(-0.0), Just(f64::NAN)].prop_map(Value::Double),
        1 => Just(Value::Null),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![Just(""), Just("a"), Just("a\0"), Just("b")];
    // Beyond what indexes hold: equal prefixes that differ behind it.
    let long = prop_oneof![Just("1"), Just("2")].prop_map(|end| Value::String("x".repeat(1500) + end));
    let leaf = prop_oneof![
        14 => number(),
        2 => long,
        2 => text.prop_map(|text| Value::String(text.into())),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Timestamp(Timestamp { seconds: 1, nanos: 0 })),
        1 => Just(Value::Bytes(vec![0, 255])),
        1 => Just(Value::GeoPoint(GeoPoint { latitude: 1.0, longitude: 2.0 })),
        1 => document().prop_map(|path| reference(&path.to_string())),
    ];
    prop_oneof![
        12 => leaf.clone(),
        1 => prop::collection::vec(leaf.clone(), 0..3).prop_map(Value::Array),
        1 => leaf.prop_map(|value| Value::Map([("m".to_owned(), value)].into())),
    ]
}

fn tags() -> impl Strategy<Value = Value> {
    prop::collection::vec(number(), 0..4).prop_map(Value::Array)
}

fn fields() -> impl Strategy<Value = Fields> {
    let seldom_absent = |values: BoxedStrategy<Value>| prop::option::weighted(0.9, values);
    (
        seldom_absent(value().boxed()),
        seldom_absent(number().boxed()),
        seldom_absent(tags().boxed()),
        seldom_absent(number().boxed()),
    )
        .prop_map(|(a, b, tags, inner)| {
            let map = inner.map(|inner| Value::Map([("m".to_owned(), inner)].into()));
            [("a", a), ("b", b), ("t", tags), ("m", map)]
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        })
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("a"),
        6 => Just("b"),
        2 => Just("m.m"),
        1 => Just("t"),
        1 => Just("__name__"),
    ]
    .prop_map(str::to_owned)
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
    ];
    let make = |field: &str, operator: Operator, mut values: Vec<Value>| {
        let list = matches!(operator, Operator::In | Operator::NotIn | Operator::ArrayContainsAny);
        let value = if list { Value::Array(values) } else { values.swap_remove(0) };
        FilterType::FieldFilter(FieldFilter {
            field: field_reference(field),
            op: operator.into(),
            value: Some(to_wire(value)),
        })
    };
    let compared = (
        field(),
        prop::sample::select(operators),
        prop::collection::vec(prop_oneof![3 => number(), 2 => value()], 1..4),
        document(),
    )
        .prop_map(move |(field, operator, values, path)| match field.as_str() {
            "__name__" => make("__name__", operator, vec![reference(&path.to_string())]),
            field => make(field, operator, values),
        });
    let contains = (
        prop::sample::select(vec![Operator::ArrayContains, Operator::ArrayContainsAny]),
        prop::collection::vec(number(), 1..3),
    )
        .prop_map(move |(operator, values)| make("t", operator, values));
    let unary = (field(), 2i32..6).prop_map(|(field, op)| {
        let operand_type = field_reference(&field).map(unary_filter::OperandType::Field);
        FilterType::UnaryFilter(UnaryFilter { op, operand_type })
    });
    prop_oneof![8 => compared, 2 => contains, 1 => unary]
        .prop_map(|filter| wq::Filter { filter_type: Some(filter) })
}

fn filter() -> impl Strategy<Value = wq::Filter> {
    let composite = |inner: BoxedStrategy<wq::Filter>| {
        let operator = prop_oneof![2 => Just(composite_filter::Operator::And), 1 => Just(composite_filter::Operator::Or)];
        (operator, prop::collection::vec(inner, 1..3)).prop_map(|(op, filters)| wq::Filter {
            filter_type: Some(FilterType::CompositeFilter(CompositeFilter { op: op.into(), filters })),
        })
    };
    let one = condition().boxed();
    let two = composite(one.clone()).boxed();
    let nested = composite(prop_oneof![one.clone(), two.clone()].boxed());
    // What indexes intersect for.
    let fixed = (0i64..2, 0i64..2, prop::option::of(0i64..2)).prop_map(|(a, b, tag)| {
        let equal = |field: &str, operator: field_filter::Operator, value: i64| wq::Filter {
            filter_type: Some(FilterType::FieldFilter(FieldFilter {
                field: field_reference(field),
                op: operator.into(),
                value: Some(to_wire(Value::Integer(value))),
            })),
        };
        let mut filters =
            vec![equal("a", field_filter::Operator::Equal, a), equal("b", field_filter::Operator::Equal, b)];
        filters.extend(tag.map(|tag| equal("t", field_filter::Operator::ArrayContains, tag)));
        let op = composite_filter::Operator::And.into();
        wq::Filter { filter_type: Some(FilterType::CompositeFilter(CompositeFilter { op, filters })) }
    });
    prop_oneof![3 => one, 3 => two, 1 => nested, 2 => fixed]
}

fn cursor() -> impl Strategy<Value = (Vec<Value>, DocumentPath, bool)> {
    (prop::collection::vec(number(), 1..3), document(), any::<bool>())
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
        prop_oneof![
            3 => Just(vec![]),
            3 => prop::collection::vec((field(), any::<bool>()), 1),
            1 => prop::collection::vec((field(), any::<bool>()), 2),
        ],
        (prop::option::weighted(0.2, cursor()), prop::option::weighted(0.2, cursor())),
        prop::option::weighted(0.3, 0i32..4),
        prop_oneof![4 => Just(0i32), 1 => 1i32..3],
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
    #![proptest_config(ProptestConfig::with_cases(800))]
    #[test]
    fn the_engine_means_what_the_reference_says(
        seed in prop::collection::btree_map(document(), fields(), 6..20),
        queries in prop::collection::vec(structured_query(), 3),
        changes in prop::collection::vec((document(), prop::option::weighted(0.8, fields())), 0..6),
        singly in any::<bool>(),
        partly in prop::bool::weighted(0.25),
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
            if singly {
                for (field, kind) in [("a", Kind::Ascending), ("b", Kind::Ascending), ("t", Kind::Contains)] {
                    let components = vec![Component { field: FieldPath::single(field), kind }];
                    let shape = Shape { group: "c".into(), breadth: Breadth::Collection, components };
                    build::build(&database.gate, &database.name, &shape, Origin::Query).await.unwrap();
                }
                for query in &queries {
                    agree(&database, &documents, query).await?;
                }
            }
            for query in &queries {
                for shape in plan::wanted(query).iter().skip(usize::from(partly)) {
                    build::build(&database.gate, &database.name, shape, Origin::Query).await.unwrap();
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
