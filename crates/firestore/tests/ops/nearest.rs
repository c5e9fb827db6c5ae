//! The search for the nearest vectors: what comes back, what the rules have to say, what it requires, what it may cost.

use access::Caller;
use base::{Code, Status};
use futures_util::StreamExt;
use wire::v1;

use super::house::{House, admin, house, message, production, user};
use super::{OPEN, code};

fn vector(numbers: &[i32]) -> String {
    let numbers: Vec<_> = numbers.iter().map(|number| format!(r#"{{"doubleValue": {number}}}"#)).collect();
    format!(
        r#"{{"mapValue": {{"fields": {{"__type__": {{"stringValue": "__vector__"}}, "value": {{"arrayValue": {{"values": [{}]}}}}}}}}}}"#,
        numbers.join(", ")
    )
}

fn put(path: &str, owner: &str, numbers: &[i32]) -> String {
    format!(
        r#"{{"update": {{"name": "$/{path}", "fields": {{"owner": {{"stringValue": "{owner}"}}, "v": {}}}}}}}"#,
        vector(numbers)
    )
}

fn request(rest: &str, nearest: &str) -> v1::RunQueryRequest {
    message(&format!(
        r#"{{"parent": "$", "structuredQuery": {{"from": [{{"collectionId": "c"}}]{rest}, "findNearest": {{"vectorField": {{"fieldPath": "v"}}, "queryVector": {}, "distanceMeasure": "EUCLIDEAN", "limit": 2{nearest}}}}}}}"#,
        vector(&[1, 1])
    ))
}

async fn find(
    house: &House,
    caller: &Caller,
    request: v1::RunQueryRequest,
) -> Result<Vec<v1::Document>, Status> {
    let mut responses = house.firestore.run_query(caller, request).await?;
    let mut documents = Vec::new();
    while let Some(response) = responses.next().await {
        documents.extend(response?.document);
    }
    Ok(documents)
}

async fn fill(house: &House) {
    let writes =
        [put("c/a", "alice", &[5, 1]), put("c/b", "alice", &[1, 1]), put("c/c", "bob", &[2, 1])].join(",");
    house.commit(&admin(), &format!("[{writes}]")).await.unwrap();
}

fn ids(documents: &[v1::Document]) -> Vec<&str> {
    documents.iter().map(|document| document.name.rsplit('/').next().unwrap()).collect()
}

const OF_ALICE: &str = r#", "where": {"fieldFilter": {"field": {"fieldPath": "owner"}, "op": "EQUAL", "value": {"stringValue": "alice"}}}"#;

#[tokio::test]
async fn the_distance_comes_as_a_field_that_a_projection_may_name() {
    let house = house(OPEN).await;
    fill(&house).await;
    let distances = |documents: &[v1::Document], field: &str| -> Vec<Option<f64>> {
        let distance = |document: &v1::Document| match document.fields.get(field)?.value_type {
            Some(v1::value::ValueType::DoubleValue(distance)) => Some(distance),
            ref other => panic!("{other:?}"),
        };
        documents.iter().map(distance).collect()
    };
    let distance = r#", "distanceResultField": "far""#;
    let found = find(&house, &admin(), request("", distance)).await.unwrap();
    assert_eq!(ids(&found), ["b", "c"]);
    assert_eq!(distances(&found, "far"), [Some(0.0), Some(1.0)]);
    assert!(found.iter().all(|document| document.fields.len() == 3));
    let select = |field: &str| format!(r#", "select": {{"fields": [{{"fieldPath": "{field}"}}]}}"#);
    let found = find(&house, &admin(), request(&select("far"), distance)).await.unwrap();
    assert_eq!(distances(&found, "far"), [Some(0.0), Some(1.0)]);
    assert!(found.iter().all(|document| document.fields.len() == 1));
    let found = find(&house, &admin(), request(&select("owner"), distance)).await.unwrap();
    assert_eq!(distances(&found, "far"), [None, None]);
    // One name, not a path; and what is there already is replaced.
    let found = find(&house, &admin(), request("", r#", "distanceResultField": "x.y""#)).await.unwrap();
    assert_eq!(distances(&found, "x.y"), [Some(0.0), Some(1.0)]);
    let found = find(&house, &admin(), request("", r#", "distanceResultField": "owner""#)).await.unwrap();
    assert_eq!(distances(&found, "owner"), [Some(0.0), Some(1.0)]);
}

#[tokio::test]
async fn rules_decide_about_the_query_not_about_what_is_nearest() {
    let rules = "match /c/{id} { allow list: if resource.data.owner == request.auth.uid; }";
    let house = house(rules).await;
    fill(&house).await;
    let alice = user("alice");
    assert_eq!(code(find(&house, &alice, request("", "")).await), Code::PermissionDenied);
    assert_eq!(ids(&find(&house, &alice, request(OF_ALICE, "")).await.unwrap()), ["b", "a"]);
    assert_eq!(code(find(&house, &user("bob"), request(OF_ALICE, "")).await), Code::PermissionDenied);
    // A rule that bounds the limit of a query is about the query's own, which a search has not.
    let bounded = super::house::house("match /c/{id} { allow list: if request.query.limit <= 10; }").await;
    assert_eq!(code(find(&bounded, &alice, request("", "")).await), Code::PermissionDenied);
}

#[tokio::test]
async fn a_count_counts_the_nearest() {
    let house = house(OPEN).await;
    fill(&house).await;
    let text = format!(
        r#"{{"parent": "$", "structuredAggregationQuery": {{"aggregations": [{{"count": {{}}}}], "structuredQuery": {{"from": [{{"collectionId": "c"}}], "findNearest": {{"vectorField": {{"fieldPath": "v"}}, "queryVector": {}, "distanceMeasure": "EUCLIDEAN", "limit": 2}}}}}}}}"#,
        vector(&[1, 1])
    );
    let answer = house.firestore.run_aggregation_query(&user("u"), message(&text)).await.unwrap();
    let count = answer.result.unwrap().aggregate_fields["field_1"].value_type.clone();
    assert_eq!(count, Some(v1::value::ValueType::IntegerValue(2)));
}

#[tokio::test]
async fn production_requires_an_index_on_the_vectors() {
    let house = production(OPEN).await;
    fill(&house).await;
    let refused = find(&house, &user("u"), request(OF_ALICE, "")).await.unwrap_err();
    assert_eq!(refused.code, Code::FailedPrecondition);
    assert_eq!(
        refused.message,
        "Missing vector index configuration. Please create the required index with the following gcloud command: gcloud \
         firestore indexes composite create --project=p --collection-group=c --query-scope=COLLECTION \
         --field-config=order=ASCENDING,field-path=owner \
         --field-config=vector-config='{\"dimension\":\"2\",\"flat\": \"{}\"}',field-path=v \
         (with Hearth: hearth indexes add c owner v:vector=2)"
    );
    let fields = ["owner", "v:vector=2"].map(|field| firestore::query::index::Spec::field(field).unwrap());
    let breadth = firestore::query::index::Breadth::Collection;
    let spec = firestore::query::index::Spec::written("c", breadth, fields.to_vec()).unwrap();
    let database = base::DatabaseName::default_of("p");
    let origin = firestore::query::index::Origin::Administrator;
    house.firestore.build_indexes(&admin(), &database, vec![spec], origin).await.unwrap();
    assert_eq!(ids(&find(&house, &user("u"), request(OF_ALICE, "")).await.unwrap()), ["b", "a"]);
    // It is kept up to date: vectors come, change their dimension, go.
    let writes = [put("c/d", "alice", &[1, 2]), put("c/b", "alice", &[1, 1, 1])].join(",");
    house.commit(&admin(), &format!("[{writes}]")).await.unwrap();
    assert_eq!(ids(&find(&house, &user("u"), request(OF_ALICE, "")).await.unwrap()), ["d", "a"]);
}

#[tokio::test]
async fn an_angle_to_nothing_is_refused() {
    let house = house(OPEN).await;
    fill(&house).await;
    let cosine = |request: v1::RunQueryRequest| {
        let mut request = request;
        if let Some(v1::run_query_request::QueryType::StructuredQuery(query)) = &mut request.query_type {
            query.find_nearest.as_mut().unwrap().distance_measure = 2;
        }
        request
    };
    assert!(find(&house, &admin(), cosine(request("", ""))).await.is_ok());
    house.commit(&admin(), &format!("[{}]", put("c/z", "z", &[0, 0]))).await.unwrap();
    let refused = find(&house, &admin(), cosine(request("", ""))).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            Code::FailedPrecondition,
            "Cannot compute cosine distance against a vector with a magnitude of zero."
        )
    );
}
