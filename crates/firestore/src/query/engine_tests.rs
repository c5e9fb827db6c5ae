//! The engine's promises that a reference cannot state: what is read, and what happens beside writers.

use std::collections::BTreeMap;

use base::{Code, Fields, ResourcePath, Value};

use super::index::{self, Built, Origin, Shape, State, build, check};
use super::testing::{Database, path};
use super::{Query, Results, parse, plan, run};

/// Reads a query written in the protocol's JSON.
fn query(database: &Database, text: &str) -> Query {
    let text = format!("{{\"structuredQuery\":{text}}}");
    let request: wire::v1::RunQueryRequest = wire::json::read(text.as_bytes()).unwrap();
    let Some(wire::v1::run_query_request::QueryType::StructuredQuery(query)) = request.query_type else {
        panic!("{text}")
    };
    parse(&database.name, &ResourcePath::ROOT, query).unwrap()
}

fn fields(pairs: &[(&str, Value)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// A collection in which `n` is the document's number, `few` one of a hundred values and `tags` holds it.
async fn filled(documents: i64) -> Database {
    let database = Database::new().await;
    let all: Vec<_> = (0..documents).collect();
    for part in all.chunks(500) {
        let writes: Vec<_> = part
            .iter()
            .map(|n| {
                let few = Value::Integer(n % 100);
                let fields = fields(&[
                    ("n", Value::Integer(*n)),
                    ("few", few.clone()),
                    ("other", Value::Integer(n % 7)),
                    ("tags", Value::Array(vec![few])),
                ]);
                (path(&format!("c/d{n:06}")), Some(fields))
            })
            .collect();
        database.write(&writes).await;
    }
    database
}

/// Runs to the end: the ids, what it read, and what it wanted.
async fn cost(database: &Database, query: &Query) -> (Vec<String>, usize, Vec<Shape>) {
    let mut session = database.session().await;
    let mut results = Results::open(&mut session, &database.name, query).await.unwrap();
    let mut ids = Vec::new();
    while let Some(page) = results.page(&mut session).await.unwrap() {
        ids.extend(page.iter().map(|found| found.path.id().to_owned()));
    }
    session.finish();
    (ids, results.examined(), results.wanted().to_vec())
}

const FEW: &str =
    r#"{"fieldFilter":{"field":{"fieldPath":"few"},"op":"EQUAL","value":{"integerValue":"7"}}}"#;

#[tokio::test]
async fn cost_follows_the_result() {
    let database = filled(2_000).await;
    let from = r#""from":[{"collectionId":"c"}]"#;
    let both = format!(
        r#"{{"compositeFilter":{{"op":"AND","filters":[{FEW},{{"fieldFilter":{{"field":{{"fieldPath":"other"}},"op":"EQUAL","value":{{"integerValue":"0"}}}}}}]}}}}"#
    );
    let contains = FEW.replace("EQUAL", "ARRAY_CONTAINS").replace("few", "tags");
    let any = r#"{"fieldFilter":{"field":{"fieldPath":"few"},"op":"IN","value":{"arrayValue":{"values":[{"integerValue":"7"},{"integerValue":"8"}]}}}}"#;
    let by_n = r#""orderBy":[{"field":{"fieldPath":"n"},"direction":"DESCENDING"}]"#;
    // The query, how many it finds, and how many entries and documents it may read for that.
    let cases = [
        (format!("{{{from},\"where\":{FEW}}}"), 20, 40),
        (format!("{{{from},\"where\":{FEW},\"limit\":5}}"), 5, 10),
        (format!("{{{from},\"where\":{contains}}}"), 20, 40),
        (format!("{{{from},\"where\":{any},{by_n},\"limit\":10}}"), 10, 40),
        (format!("{{{from},\"where\":{FEW},{by_n},\"limit\":3}}"), 3, 6),
        (format!("{{{from},{by_n},\"limit\":20}}"), 20, 40),
        (format!("{{{from},{by_n},\"limit\":5,\"offset\":100}}"), 5, 130),
        // A jump for each of the twenty that the rarer field has.
        (format!("{{{from},\"where\":{both}}}"), 3, 120),
    ];
    for (index, (text, found, most)) in cases.iter().enumerate() {
        let query = query(&database, text);
        let (before, _, wanted) = cost(&database, &query).await;
        // Later ones find some of their indexes built.
        assert!(index > 0 || wanted == plan::wanted(&query), "{wanted:?}");
        for shape in &plan::wanted(&query) {
            assert_eq!(
                build::build(&database.gate, &database.name, shape, Origin::Query).await.unwrap(),
                Built::Readable
            );
        }
        let (after, read, wanted) = cost(&database, &query).await;
        assert_eq!(after, before, "{text}");
        assert_eq!(after.len(), *found, "{text}");
        assert!(read <= *most, "{text} reads {read}");
        assert!(wanted.is_empty(), "{text} still wants {wanted:?}");
    }
}

#[tokio::test]
async fn a_small_collection_wants_no_index_and_a_cheap_query_neither() {
    let database = filled(400).await;
    let small = query(&database, &format!(r#"{{"from":[{{"collectionId":"c"}}],"where":{FEW}}}"#));
    assert!(cost(&database, &small).await.2.is_empty());
    let cheap = query(&database, r#"{"from":[{"collectionId":"c"}],"limit":5}"#);
    let (ids, read, wanted) = cost(&database, &cheap).await;
    assert_eq!((ids.len(), read, wanted), (5, 5, vec![]));
}

#[tokio::test]
async fn strings_equal_only_in_their_indexed_part_stay_apart() {
    let database = Database::new().await;
    let text = |end: &str| Value::String("x".repeat(1500) + end);
    let documents: BTreeMap<_, _> = [("c/a", "1"), ("c/b", "2"), ("c/c", "1"), ("c/d", "")]
        .map(|(name, end)| (path(name), fields(&[("a", text(end))])))
        .into();
    let writes: Vec<_> =
        documents.iter().map(|(path, fields)| (path.clone(), Some(fields.clone()))).collect();
    database.write(&writes).await;
    for operator in ["EQUAL", "NOT_EQUAL", "LESS_THAN", "GREATER_THAN", "LESS_THAN_OR_EQUAL"] {
        let text = format!(
            r#"{{"from":[{{"collectionId":"c"}}],"where":{{"fieldFilter":{{"field":{{"fieldPath":"a"}},"op":"{operator}","value":{{"stringValue":"{}1"}}}}}}}}"#,
            "x".repeat(1500)
        );
        let query = query(&database, &text);
        let expected = super::reference::evaluate(&database.name, &documents, &query);
        for shape in plan::wanted(&query) {
            build::build(&database.gate, &database.name, &shape, Origin::Query).await.unwrap();
        }
        let mut session = database.session().await;
        let found: Vec<_> = run(&mut session, &database.name, &query)
            .await
            .unwrap()
            .0
            .into_iter()
            .map(|found| found.path)
            .collect();
        assert_eq!(found, expected, "{operator}");
        let mut results = Results::open(&mut session, &database.name, &query).await.unwrap();
        assert_eq!(results.count(&mut session, 100).await.unwrap(), expected.len(), "{operator}");
        session.finish();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_built_beside_writers_misses_nothing() {
    let database = std::sync::Arc::new(filled(3_000).await);
    let query = query(&database, &format!(r#"{{"from":[{{"collectionId":"c"}}],"where":{FEW}}}"#));
    let shape = plan::wanted(&query).remove(0);
    let writer = {
        let database = database.clone();
        tokio::spawn(async move {
            for n in 0..300i64 {
                // Throughout the collection, so that batches meet them: changed, deleted, new.
                let victim = path(&format!("c/d{:06}", n * 10));
                let moved = fields(&[("few", Value::Integer(n % 9))]);
                database.try_write(&[(victim, (n % 3 != 0).then_some(moved.clone()))]).await;
                database.try_write(&[(path(&format!("c/new{n}")), Some(moved))]).await;
                tokio::task::yield_now().await;
            }
        })
    };
    assert_eq!(
        build::build(&database.gate, &database.name, &shape, Origin::Query).await.unwrap(),
        Built::Readable
    );
    writer.await.unwrap();
    let mut session = database.session().await;
    let definitions = index::definitions(&mut session, &database.name, "c").await.unwrap();
    assert!(matches!(definitions.as_slice(), [one] if one.state == State::Readable));
    assert_eq!(check::check(&mut session, &database.name, "c").await.unwrap(), []);
    session.finish();
}

#[tokio::test]
async fn the_check_sees_what_is_missing_and_what_is_stray() {
    let database = filled(20).await;
    let query = query(&database, &format!(r#"{{"from":[{{"collectionId":"c"}}],"where":{FEW}}}"#));
    build::build(&database.gate, &database.name, &plan::wanted(&query)[0], Origin::Query).await.unwrap();
    // A writer that forgets the index.
    let mut session = database.session().await;
    let permit = session.authorize_admin("/").unwrap();
    for (name, row) in [("c/d000000", None), ("c/forgotten", Some(fields(&[("few", Value::Integer(1))])))] {
        let row =
            row.map(|fields| crate::model::encode(None, &crate::model::document::encode_fields(&fields)));
        session.write(&permit, crate::model::key::document(&database.name, &path(name)), row);
    }
    session.commit().await.unwrap();
    let mut session = database.session().await;
    let differences = check::check(&mut session, &database.name, "c").await.unwrap();
    session.finish();
    assert!(
        matches!(
            differences.as_slice(),
            [check::Difference::Missing { document, .. }, check::Difference::Stray { .. }]
                if *document == path("c/forgotten")
        ),
        "{differences:?}"
    );
}

#[tokio::test]
async fn indexes_per_group_are_bounded() {
    let database = filled(5).await;
    for n in 0..=index::INDEXES_PER_GROUP_MAX {
        let order =
            format!(r#"{{"from":[{{"collectionId":"c"}}],"orderBy":[{{"field":{{"fieldPath":"f{n}"}}}}]}}"#);
        let shape = plan::wanted(&query(&database, &order)).remove(0);
        let built = build::build(&database.gate, &database.name, &shape, Origin::Query).await.unwrap();
        let expected = if n < index::INDEXES_PER_GROUP_MAX { Built::Readable } else { Built::TooMany };
        assert_eq!(built, expected, "{n}");
    }
}

#[tokio::test]
async fn a_document_with_too_many_entries_is_refused() {
    let database = filled(1).await;
    let contains = query(
        &database,
        r#"{"from":[{"collectionId":"c"}],"where":{"fieldFilter":{"field":{"fieldPath":"tags"},"op":"ARRAY_CONTAINS","value":{"integerValue":"1"}}}}"#,
    );
    build::build(&database.gate, &database.name, &plan::wanted(&contains)[0], Origin::Query).await.unwrap();
    let mut session = database.session().await;
    let definitions = index::definitions(&mut session, &database.name, "c").await.unwrap();
    let tags = |count: usize| {
        fields(&[("tags", Value::Array((0..count).map(|n| Value::Integer(n.try_into().unwrap())).collect()))])
    };
    let entries =
        |count| index::changes(&database.name, &definitions, &path("c/x"), None, Some(&tags(count)));
    assert_eq!(entries(index::ENTRIES_PER_DOCUMENT_MAX).unwrap().len(), index::ENTRIES_PER_DOCUMENT_MAX);
    assert_eq!(entries(index::ENTRIES_PER_DOCUMENT_MAX + 1).unwrap_err().code, Code::InvalidArgument);
    session.finish();
}
