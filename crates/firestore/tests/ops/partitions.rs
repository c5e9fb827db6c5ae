//! `PartitionQuery`: the parts are even, they hold every document once, and nobody but an administrator gets any.

use base::Code;
use wire::v1;

use super::house::{House, ROOT, admin, house, message, production, user};
use super::{OPEN, code, set};

fn request(query: &str, rest: &str) -> v1::PartitionQueryRequest {
    message(&format!(r#"{{"parent": "$", "structuredQuery": {query}{rest}}}"#))
}

const BY_NAME: &str = r#"{"from": [{"collectionId": "c", "allDescendants": true}], "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}]}"#;

async fn fill(house: &House, documents: usize) {
    let parents = ["", "a/1/", "b/2/"];
    let paths: Vec<String> = (0..documents).map(|n| format!("{}c/d{n:04}", parents[n % 3])).collect();
    for part in paths.chunks(400) {
        let writes: Vec<_> = part.iter().map(|path| set(path, 1)).collect();
        house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
    }
}

fn names(cursors: &[v1::Cursor]) -> Vec<String> {
    let name = |cursor: &v1::Cursor| {
        assert!(!cursor.before);
        match cursor.values.as_slice() {
            [v1::Value { value_type: Some(v1::value::ValueType::ReferenceValue(name)) }] => name.clone(),
            other => panic!("{other:?}"),
        }
    };
    cursors.iter().map(name).collect()
}

/// How many documents of the group lie between two names.
async fn between(house: &House, start: Option<&String>, end: Option<&String>) -> usize {
    let bound = |side: &str, name: Option<&String>| {
        name.map_or(String::new(), |name| {
            format!(r#", "{side}": {{"values": [{{"referenceValue": "{name}"}}], "before": true}}"#)
        })
    };
    let query = BY_NAME.strip_suffix('}').unwrap();
    let text = format!(
        r#"{{"parent": "$", "structuredAggregationQuery": {{"aggregations": [{{"count": {{}}}}], "structuredQuery": {query}{}{}}}}}}}"#,
        bound("startAt", start),
        bound("endAt", end)
    );
    let answer = house.firestore.run_aggregation_query(&admin(), message(&text)).await.unwrap();
    match answer.result.unwrap().aggregate_fields["field_1"].value_type {
        Some(v1::value::ValueType::IntegerValue(count)) => usize::try_from(count).unwrap(),
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_parts_are_even_and_hold_every_document_once() {
    let house = house(OPEN).await;
    fill(&house, 1_000).await;
    for indexed in [false, true] {
        if indexed {
            // The first split asked for the index.
            let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
            while house
                .firestore
                .list_indexes(&admin())
                .await
                .unwrap()
                .iter()
                .all(|index| index.state != "ready")
            {
                assert!(std::time::Instant::now() < until, "the index was not built");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        for count in [1, 3, 64] {
            let asked = request(BY_NAME, &format!(r#", "partitionCount": "{count}""#));
            let answer = house.firestore.partition_query(&admin(), asked).await.unwrap();
            let cuts = names(&answer.partitions);
            // No part is smaller than 128.
            assert_eq!(cuts.len(), count.min(6), "{indexed} {count}");
            assert!(answer.next_page_token.is_empty());
            let ends: Vec<_> = [None].into_iter().chain(cuts.iter().map(Some)).chain([None]).collect();
            let mut all = 0;
            for part in ends.windows(2) {
                let size = between(&house, part[0], part[1]).await;
                assert!(size.abs_diff(1_000 / (cuts.len() + 1)) <= 40, "{size} of {}", cuts.len());
                all += size;
            }
            assert_eq!(all, 1_000);
        }
    }
}

#[tokio::test]
async fn pages_come_in_order_and_tokens_are_bound_to_their_request() {
    let house = house(OPEN).await;
    fill(&house, 1_000).await;
    let whole = request(BY_NAME, r#", "partitionCount": "5""#);
    let whole = names(&house.firestore.partition_query(&admin(), whole).await.unwrap().partitions);
    for size in 1..=6 {
        let mut paged = Vec::new();
        let mut token = String::new();
        loop {
            let rest = format!(r#", "partitionCount": "5", "pageSize": {size}, "pageToken": "{token}""#);
            let page = house.firestore.partition_query(&admin(), request(BY_NAME, &rest)).await.unwrap();
            assert!(page.partitions.len() <= size);
            paged.extend(names(&page.partitions));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
            let other = format!(r#", "partitionCount": "6", "pageToken": "{token}""#);
            let foreign = house.firestore.partition_query(&admin(), request(BY_NAME, &other)).await;
            assert_eq!(code(foreign), Code::InvalidArgument);
        }
        assert_eq!(paged, whole, "{size}");
    }
}

#[tokio::test]
async fn what_is_no_whole_group_by_name_is_refused_or_one_part() {
    let house = house(OPEN).await;
    fill(&house, 600).await;
    let group = r#""from": [{"collectionId": "c", "allDescendants": true}]"#;
    let by_name = r#""orderBy": [{"field": {"fieldPath": "__name__"}}]"#;
    let two = r#", "partitionCount": "2""#;
    let cursor = r#"{"values": [{"referenceValue": "$/c/d0000"}]}"#;
    for (query, rest, expected) in [
        (BY_NAME.to_owned(), "", Err("Partition count must be greater than zero.")),
        (
            BY_NAME.to_owned(),
            r#", "partitionCount": "-1""#,
            Err("Partition count must be greater than zero."),
        ),
        (
            BY_NAME.to_owned(),
            r#", "partitionCount": "2", "pageSize": -1"#,
            Err("Page size must be nonnegative."),
        ),
        (BY_NAME.to_owned(), r#", "partitionCount": "2", "pageToken": "junk""#, Err("invalid page token")),
        (
            format!(r#"{{"from": [{{"collectionId": "c"}}], {by_name}}}"#),
            two,
            Err("Query must select all descendant collections."),
        ),
        (format!(r#"{{{group}, {by_name}, "limit": 10}}"#), two, Err("Query limit is not supported.")),
        (format!(r#"{{{group}, {by_name}, "offset": 1}}"#), two, Err("Query offset is not supported.")),
        (
            format!(r#"{{{group}, {by_name}, "select": {{"fields": [{{"fieldPath": "n"}}]}}}}"#),
            two,
            Err("Property masks are not supported."),
        ),
        (
            format!(r#"{{{group}, {by_name}, "startAt": {cursor}}}"#),
            two,
            Err("Query start cursors are not supported."),
        ),
        (
            format!(r#"{{{group}, {by_name}, "endAt": {cursor}}}"#),
            two,
            Err("Query end cursors are not supported."),
        ),
        (BY_NAME.to_owned(), two, Ok(2)),
        (format!("{{{group}}}"), two, Ok(0)),
        (format!(r#"{{{group}, "orderBy": [{{"field": {{"fieldPath": "n"}}}}]}}"#), two, Ok(0)),
        (format!(r#"{{"from": [{{"allDescendants": true}}], {by_name}}}"#), two, Ok(0)),
    ] {
        let answer = house.firestore.partition_query(&admin(), request(&query, rest)).await;
        let found = match &answer {
            Ok(answer) => Ok(answer.partitions.len()),
            Err(status) => Err(status.message.as_str()),
        };
        assert_eq!(found, expected, "{query}{rest}");
    }
    let below = v1::PartitionQueryRequest { parent: format!("{ROOT}/a/1"), ..request(BY_NAME, two) };
    let below = house.firestore.partition_query(&admin(), below).await.unwrap_err();
    assert_eq!(below.message, "Ancestor queries are not supported.");
    let none: v1::PartitionQueryRequest = message(r#"{"parent": "$", "partitionCount": "2"}"#);
    assert_eq!(
        house.firestore.partition_query(&admin(), none).await.unwrap_err().message,
        "Query is required."
    );
}

#[tokio::test]
async fn only_administrators_get_parts() {
    for house in [house(OPEN).await, production(OPEN).await] {
        let two = request(BY_NAME, r#", "partitionCount": "2""#);
        let answer = house.firestore.partition_query(&user("u"), two.clone()).await;
        assert_eq!(code(answer), Code::PermissionDenied);
        assert!(house.firestore.partition_query(&admin(), two).await.is_ok());
    }
}
