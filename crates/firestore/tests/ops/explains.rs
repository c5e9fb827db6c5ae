//! Query explain: the plan that the query really has, and figures that add up.

use access::Caller;
use base::{Code, Status};
use futures_util::StreamExt;
use serde_json::Value as Json;
use wire::json::{self, JsonOptions};
use wire::v1;

use super::house::{House, admin, house, message, production, user};
use super::{OPEN, code, set};

async fn responses(
    house: &House,
    caller: &Caller,
    query: &str,
    explain: &str,
) -> Result<Vec<v1::RunQueryResponse>, Status> {
    let text = format!(r#"{{"parent": "$", "structuredQuery": {query}, "explainOptions": {explain}}}"#);
    let mut stream = house.firestore.run_query(caller, message(&text)).await?;
    let mut responses = Vec::new();
    while let Some(response) = stream.next().await {
        responses.push(response?);
    }
    Ok(responses)
}

fn report(metrics: &v1::ExplainMetrics) -> Json {
    serde_json::from_str(&json::to_string(metrics, JsonOptions::default())).unwrap()
}

/// The indexes of a plan: `Collection (a ASC, __name__ ASC)`.
fn indexes(report: &Json) -> Vec<String> {
    let used = report["planSummary"]["indexesUsed"].as_array().cloned().unwrap_or_default();
    let shown = |index: &Json| {
        format!("{} {}", index["query_scope"].as_str().unwrap(), index["properties"].as_str().unwrap())
    };
    used.iter().map(shown).collect()
}

/// Results, reads, entries, documents and the least price.
fn figures(report: &Json) -> [i64; 5] {
    let stats = &report["executionStats"];
    let number = |value: &Json| value.as_str().map_or(0, |text| text.parse().unwrap());
    let debug = &stats["debugStats"];
    [
        number(&stats["resultsReturned"]),
        number(&stats["readOperations"]),
        number(&debug["index_entries_scanned"]),
        number(&debug["documents_scanned"]),
        number(&debug["billing_details"]["min_query_cost"]),
    ]
}

async fn fill(house: &House) {
    let writes: Vec<_> = (0..10).map(|n| set(&format!("c/d{n}"), n)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
}

const C: &str = r#""from": [{"collectionId": "c"}]"#;

fn filter(op: &str, n: &str) -> String {
    format!(
        r#"{{{C}, "where": {{"fieldFilter": {{"field": {{"fieldPath": "n"}}, "op": "{op}", "value": {n}}}}}}}"#
    )
}

#[tokio::test]
async fn the_report_says_what_was_used_and_what_it_took() {
    let house = house(OPEN).await;
    fill(&house).await;
    let three = r#"{"integerValue": "3"}"#;
    let list = r#"{"arrayValue": {"values": [{"integerValue": "1"}, {"integerValue": "4"}, {"integerValue": "99"}]}}"#;
    let by_n = |rest: &str| {
        format!(r#"{{{C}, "orderBy": [{{"field": {{"fieldPath": "n"}}, "direction": "DESCENDING"}}]{rest}}}"#)
    };
    let n = "Collection (n ASC, __name__ ASC)";
    let down = "Collection (n DESC, __name__ DESC)";
    let names = "Collection (__name__ ASC)";
    for (query, used, expected) in [
        (format!("{{{C}}}"), vec![names], [10, 10, 10, 10, 0]),
        (format!(r#"{{{C}, "limit": 3}}"#), vec![names], [3, 3, 3, 3, 0]),
        (format!(r#"{{{C}, "limit": 0}}"#), vec![], [0, 1, 0, 0, 1]),
        (filter("EQUAL", three), vec![n], [1, 1, 1, 1, 0]),
        (filter("EQUAL", r#"{"integerValue": "99"}"#), vec![n], [0, 1, 0, 0, 1]),
        (filter("IN", list), vec![n; 3], [2, 2, 2, 2, 0]),
        (filter("NOT_EQUAL", three), vec![n; 2], [9, 9, 9, 9, 0]),
        (filter("GREATER_THAN", three), vec![n], [6, 6, 6, 6, 0]),
        (by_n(""), vec![down], [10, 10, 10, 10, 0]),
        (by_n(r#", "limit": 2, "offset": 4"#), vec![down], [2, 6, 6, 2, 0]),
        (
            r#"{"from": [{"collectionId": "c", "allDescendants": true}]}"#.to_owned(),
            vec!["Collection group (__name__ ASC)"],
            [10, 10, 10, 10, 0],
        ),
    ] {
        let plan = responses(&house, &admin(), &query, "{}").await.unwrap();
        let [only] = plan.as_slice() else { panic!("{plan:?}") };
        assert!(only.document.is_none() && only.read_time.is_none(), "{query}");
        let planned = report(only.explain_metrics.as_ref().unwrap());
        assert_eq!(indexes(&planned), used, "{query}");
        assert!(planned.get("executionStats").is_none(), "{query}");
        let analyzed = responses(&house, &admin(), &query, r#"{"analyze": true}"#).await.unwrap();
        let (last, before) = analyzed.split_last().unwrap();
        assert!(before.iter().all(|response| response.explain_metrics.is_none()), "{query}");
        let analyzed_report = report(last.explain_metrics.as_ref().unwrap());
        assert_eq!(indexes(&analyzed_report), used, "{query}");
        assert_eq!(figures(&analyzed_report), expected, "{query}: {analyzed_report}");
        let documents = analyzed.iter().filter(|response| response.document.is_some()).count();
        assert_eq!(i64::try_from(documents).unwrap(), expected[0], "{query}");
        assert!(last.read_time.is_some());
        let took = last.explain_metrics.as_ref().unwrap().execution_stats.as_ref().unwrap();
        let took = took.execution_duration.unwrap();
        assert!(took.seconds > 0 || took.nanos > 0);
    }
}

#[tokio::test]
async fn aggregations_are_explained() {
    let house = house(OPEN).await;
    fill(&house).await;
    let ask = async |aggregation: &str, rest: &str, explain: &str| {
        let text = format!(
            r#"{{"parent": "$", "explainOptions": {explain}, "structuredAggregationQuery": {{"structuredQuery": {{{C}{rest}}}, "aggregations": [{aggregation}]}}}}"#
        );
        house.firestore.run_aggregation_query(&admin(), message(&text)).await.unwrap()
    };
    let more = r#", "where": {"fieldFilter": {"field": {"fieldPath": "n"}, "op": "LESS_THAN", "value": {"integerValue": "3"}}}"#;
    for (aggregation, rest, used, expected) in [
        (r#"{"count": {}}"#, "", "Collection (__name__ ASC)", [1, 1, 10, 10, 0]),
        (
            r#"{"sum": {"field": {"fieldPath": "n"}}}"#,
            "",
            "Collection (n ASC, __name__ ASC)",
            [1, 1, 10, 10, 0],
        ),
        (r#"{"count": {}}"#, more, "Collection (n ASC, __name__ ASC)", [1, 1, 3, 0, 0]),
        (
            r#"{"sum": {"field": {"fieldPath": "n"}}}"#,
            more,
            "Collection (n ASC, __name__ ASC)",
            [1, 1, 3, 3, 0],
        ),
    ] {
        let planned = ask(aggregation, rest, "{}").await;
        assert!(planned.result.is_none() && planned.read_time.is_none());
        assert_eq!(indexes(&report(&planned.explain_metrics.unwrap())), [used]);
        let analyzed = ask(aggregation, rest, r#"{"analyze": true}"#).await;
        assert!(analyzed.result.is_some());
        let report = report(&analyzed.explain_metrics.unwrap());
        assert_eq!(indexes(&report), [used], "{aggregation} {rest}");
        assert_eq!(figures(&report), expected, "{aggregation} {rest}: {report}");
    }
}

#[tokio::test]
async fn only_administrators_have_queries_explained() {
    for house in [house(OPEN).await, production(OPEN).await] {
        fill(&house).await;
        let query = format!("{{{C}}}");
        for explain in ["{}", r#"{"analyze": true}"#] {
            let answer = responses(&house, &user("u"), &query, explain).await;
            assert_eq!(code(answer), Code::PermissionDenied);
            let text = format!(
                r#"{{"parent": "$", "explainOptions": {explain}, "structuredAggregationQuery": {{"structuredQuery": {query}, "aggregations": [{{"count": {{}}}}]}}}}"#
            );
            let answer = house.firestore.run_aggregation_query(&user("u"), message(&text)).await;
            assert_eq!(code(answer), Code::PermissionDenied);
        }
        assert_eq!(
            house.firestore.list_indexes(&admin()).await.unwrap().len(),
            0,
            "nothing was made for them"
        );
    }
}

#[tokio::test]
async fn a_query_that_lacks_its_index_is_not_explained() {
    let house = production(OPEN).await;
    fill(&house).await;
    let query = format!(
        r#"{{{C}, "where": {{"fieldFilter": {{"field": {{"fieldPath": "n"}}, "op": "EQUAL", "value": {{"integerValue": "1"}}}}}}, "orderBy": [{{"field": {{"fieldPath": "m"}}}}]}}"#
    );
    let answer = responses(&house, &admin(), &query, "{}").await;
    assert_eq!(code(answer), Code::FailedPrecondition);
}
