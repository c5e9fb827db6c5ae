//! The Admin API as the Firebase CLI asks it, who may, and what comes of it: databases, indexes, fields, TTL policies.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod house;

use std::sync::Arc;
use std::time::Duration;

use access::{AccessLog, Caller, Gate, Mode};
use axum::body::Body;
use base::{Clock, ManualClock, SystemClock};
use firestore::{Firestore, api};
use house::{House, admin, message, production, user};
use http::{Method, Request};
use http_body_util::BodyExt;
use kv::{Options, Sqlite, Store};
use serde_json::{Value as Json, json};
use tower::ServiceExt;

const DATABASE: &str = "/v1/projects/p/databases/(default)";

async fn ask_as(house: &House, caller: Caller, method: Method, path: &str, body: &Json) -> (u16, Json) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(path.replace(' ', "%20")).extension(caller);
    let request = request.body(Body::from(body)).unwrap();
    let response = api::router(house.firestore.clone()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Json::Null))
}

async fn ask(house: &House, method: Method, path: &str, body: &Json) -> (u16, Json) {
    ask_as(house, admin(), method, path, body).await
}

async fn get(house: &House, path: &str) -> Json {
    let (status, answer) = ask(house, Method::GET, path, &Json::Null).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn composite() -> Json {
    json!({ "queryScope": "COLLECTION", "fields": [
        { "fieldPath": "a", "order": "ASCENDING" }, { "fieldPath": "b", "order": "DESCENDING" } ] })
}

/// A query that requires [`composite`] in a database.
async fn query(house: &House, database: &str) -> Result<usize, base::Status> {
    let parent = format!("projects/p/databases/{database}/documents");
    let text = format!(
        r#"{{"parent": "{parent}", "structuredQuery": {{"from": [{{"collectionId": "c"}}],
            "where": {{"fieldFilter": {{"field": {{"fieldPath": "a"}}, "op": "EQUAL", "value": {{"integerValue": "1"}}}}}},
            "orderBy": [{{"field": {{"fieldPath": "b"}}, "direction": "DESCENDING"}}]}}}}"#
    );
    let responses = house.firestore.run_query(&admin(), message(&text)).await?;
    let responses: Vec<_> = futures_util::StreamExt::collect(responses).await;
    let mut found = 0;
    for response in responses {
        found += usize::from(response?.document.is_some());
    }
    Ok(found)
}

async fn put(house: &House, database: &str, path: &str, fields: &Json) -> Result<(), base::Status> {
    let name = format!("projects/p/databases/{database}/documents/{path}");
    let writes = json!({ "database": format!("projects/p/databases/{database}"),
                         "writes": [{ "update": { "name": name, "fields": fields } }] });
    house.firestore.commit(&admin(), message(&writes.to_string())).await.map(drop)
}

#[tokio::test]
async fn indexes_are_made_listed_and_dropped() {
    let house = production("").await;
    put(&house, "(default)", "c/1", &json!({ "a": { "integerValue": "1" }, "b": { "integerValue": "2" } }))
        .await
        .unwrap();
    assert_eq!(query(&house, "(default)").await.unwrap_err().code, base::Code::FailedPrecondition);
    let all = format!("{DATABASE}/collectionGroups/-/indexes");
    assert_eq!(get(&house, &all).await, json!({ "indexes": [] }));
    let create = format!("{DATABASE}/collectionGroups/c/indexes");
    let (status, work) = ask(&house, Method::POST, &create, &composite()).await;
    assert_eq!(status, 200, "{work}");
    let name = format!("/v1/{}", work["name"].as_str().unwrap());
    let mut done = Json::Null;
    for _ in 0..500 {
        done = get(&house, &name).await;
        if done["done"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(done["response"]["state"], "READY", "{done}");
    assert_eq!(query(&house, "(default)").await.unwrap(), 1);
    assert_eq!(ask(&house, Method::POST, &create, &composite()).await.0, 409);
    let listed = get(&house, &all).await;
    let index = &listed["indexes"][0];
    assert_eq!(
        index["fields"],
        json!([
        { "fieldPath": "a", "order": "ASCENDING" }, { "fieldPath": "b", "order": "DESCENDING" },
        { "fieldPath": "__name__", "order": "DESCENDING" } ])
    );
    assert_eq!((&index["state"], &index["queryScope"]), (&json!("READY"), &json!("COLLECTION")));
    let path = format!("/v1/{}", index["name"].as_str().unwrap());
    assert_eq!(get(&house, &path).await, *index);
    assert_eq!(ask(&house, Method::DELETE, &path, &Json::Null).await, (200, json!({})));
    assert_eq!(ask(&house, Method::DELETE, &path, &Json::Null).await.0, 404);
    assert!(query(&house, "(default)").await.is_err());
    let of_vectors = json!([{ "fieldPath": "v", "vectorConfig": { "dimension": 3, "flat": {} } }]);
    let (status, made) = ask(&house, Method::POST, &create, &json!({ "fields": of_vectors })).await;
    assert_eq!(status, 200, "{made}");
    for (wrong, code) in [
        (json!({}), 400),
        (json!({ "fields": [{ "fieldPath": "a", "order": "ASCENDING" }] }), 400),
        (json!({ "fields": [{ "fieldPath": "a" }, { "fieldPath": "b", "order": "ASCENDING" }] }), 400),
        (
            json!({ "fields": [{ "fieldPath": "a", "order": "ASCENDING" }, { "fieldPath": "v", "vectorConfig": {} }] }),
            400,
        ),
        (json!({ "queryScope": "ALL", "fields": [] }), 400),
    ] {
        assert_eq!(ask(&house, Method::POST, &create, &wrong).await.0, code, "{wrong}");
    }
}

#[tokio::test]
async fn fields_are_exempted_and_come_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || {
        let store = Store::open(Sqlite::open(folder.path()).unwrap(), Options::default()).await.unwrap();
        let gate = Gate::new(store, AccessLog::in_memory(), Arc::new(SystemClock), Mode::Serve);
        let firestore = Arc::new(Firestore::new(gate.clone(), "p"));
        firestore.restore().await.unwrap();
        House { gate, firestore }
    };
    let house = open().await;
    let filter = "filter=indexConfig.usesAncestorConfig=false OR ttlConfig:*";
    let all = format!("{DATABASE}/collectionGroups/-/fields?{filter}");
    let field = format!("{DATABASE}/collectionGroups/c/fields/a");
    assert_eq!(get(&house, &all).await, json!({ "fields": [] }));
    let exempt = json!({ "indexConfig": { "indexes": [
        { "queryScope": "COLLECTION_GROUP", "fields": [{ "fieldPath": "a", "order": "ASCENDING" }] } ] } });
    let (status, work) =
        ask(&house, Method::PATCH, &format!("{field}?updateMask=indexConfig"), &exempt).await;
    assert_eq!((status, &work["done"]), (200, &json!(true)), "{work}");
    let (status, _) = ask(
        &house,
        Method::PATCH,
        &format!("{DATABASE}/collectionGroups/c/fields/t"),
        &json!({ "ttlConfig": {} }),
    )
    .await;
    assert_eq!(status, 200);
    let (status, _) = ask(
        &house,
        Method::POST,
        "/v1/projects/p/databases?databaseId=other",
        &json!({ "type": "FIRESTORE_NATIVE" }),
    )
    .await;
    assert_eq!(status, 200);
    let listed = get(&house, &all).await;
    assert_eq!(listed["fields"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["fields"][0]["indexConfig"]["indexes"][0]["queryScope"], "COLLECTION_GROUP");
    assert_eq!(listed["fields"][1]["ttlConfig"]["state"], "ACTIVE");
    assert_eq!(listed["fields"][1]["indexConfig"]["usesAncestorConfig"], true);
    let House { gate, firestore } = house;
    drop(firestore);
    gate.close().await.unwrap();
    let house = open().await;
    assert_eq!(get(&house, &all).await, listed);
    put(&house, "other", "c/1", &json!({})).await.unwrap();
    // As the CLI deletes an override.
    assert_eq!(ask(&house, Method::PATCH, &field, &json!({})).await.0, 200);
    assert_eq!(get(&house, &all).await["fields"].as_array().unwrap().len(), 1);
    let second = format!("{DATABASE}/collectionGroups/c/fields/u");
    let refused = ask(&house, Method::PATCH, &second, &json!({ "ttlConfig": {} })).await;
    assert_eq!((refused.0, &refused.1["error"]["status"]), (400, &json!("FAILED_PRECONDITION")));
    for (path, body) in [
        (format!("{DATABASE}/collectionGroups/c/fields/*"), json!({})),
        (format!("{DATABASE}/collectionGroups/c/fields/a..b"), json!({})),
        (field, json!({ "indexConfig": { "indexes": [{}] } })),
    ] {
        assert_eq!(ask(&house, Method::PATCH, &path, &body).await.0, 400, "{path} {body}");
    }
    assert_eq!(
        ask(&house, Method::GET, &format!("{DATABASE}/collectionGroups/-/fields"), &Json::Null).await.0,
        400
    );
}

#[tokio::test]
async fn databases_are_made_used_and_deleted() {
    let house = production("match /c/{x} { allow get, create; }").await;
    let all = "/v1/projects/p/databases";
    let named = "/v1/projects/p/databases/orders";
    assert_eq!(get(&house, all).await["databases"][0]["name"], "projects/p/databases/(default)");
    assert_eq!(ask(&house, Method::GET, named, &Json::Null).await.0, 404);
    let missing = put(&house, "orders", "c/1", &json!({})).await.unwrap_err();
    assert!(missing.message.contains("The database orders does not exist for project p"), "{missing}");
    let protected = json!({ "type": "FIRESTORE_NATIVE", "locationId": "eur3", "deleteProtectionState": "DELETE_PROTECTION_ENABLED" });
    let (status, work) = ask(&house, Method::POST, &format!("{all}?databaseId=orders"), &protected).await;
    assert_eq!(
        (status, &work["done"], &work["response"]["locationId"]),
        (200, &json!(true), &json!("eur3")),
        "{work}"
    );
    let polled = get(&house, &format!("/v1/{}", work["name"].as_str().unwrap())).await;
    assert_eq!(polled["response"]["name"], "projects/p/databases/orders");
    assert_eq!(ask(&house, Method::POST, &format!("{all}?databaseId=orders"), &protected).await.0, 409);
    for (id, body) in [
        ("x", json!({})),
        ("Orders", json!({})),
        ("(default)", json!({})),
        ("good-id", json!({ "databaseEdition": "ENTERPRISE" })),
    ] {
        let (status, answer) = ask(&house, Method::POST, &format!("{all}?databaseId={id}"), &body).await;
        assert!(matches!(status, 400 | 409), "{id}: {answer}");
    }
    // Its documents and indexes are its own.
    put(&house, "orders", "c/1", &json!({ "a": { "integerValue": "1" }, "b": { "integerValue": "1" } }))
        .await
        .unwrap();
    assert!(house.look("c/1").await.is_none());
    let create = format!("{named}/collectionGroups/c/indexes");
    assert_eq!(ask(&house, Method::POST, &create, &composite()).await.0, 200);
    for _ in 0..500 {
        if query(&house, "orders").await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(query(&house, "orders").await.unwrap(), 1);
    assert!(query(&house, "(default)").await.is_err());
    // A deletion takes all of it; one that is protected stays.
    assert_eq!(ask(&house, Method::DELETE, named, &Json::Null).await.0, 400);
    let free = json!({ "deleteProtectionState": "DELETE_PROTECTION_DISABLED" });
    assert_eq!(ask(&house, Method::PATCH, named, &free).await.0, 200);
    assert_eq!(ask(&house, Method::DELETE, named, &Json::Null).await.0, 200);
    assert_eq!(ask(&house, Method::DELETE, DATABASE, &Json::Null).await.0, 400);
    assert!(put(&house, "orders", "c/2", &json!({})).await.is_err());
    assert_eq!(ask(&house, Method::POST, &format!("{all}?databaseId=orders"), &json!({})).await.0, 200);
    assert_eq!(get(&house, &format!("{named}/collectionGroups/-/indexes")).await, json!({ "indexes": [] }));
    let name = "projects/p/databases/orders/documents/c/1".to_owned();
    let request = wire::v1::GetDocumentRequest { name, ..Default::default() };
    assert_eq!(house.firestore.get_document(&admin(), request).await.unwrap_err().code, base::Code::NotFound);
}

#[tokio::test]
async fn only_administrators_of_the_project_that_is_served() {
    let house = production("match /{x=**} { allow read, write; }").await;
    let create = format!("{DATABASE}/collectionGroups/c/indexes");
    let paths = [
        (Method::GET, "/v1/projects/p/databases".to_owned()),
        (Method::POST, "/v1/projects/p/databases?databaseId=mine".to_owned()),
        (Method::GET, "/v1/projects/p/locations".to_owned()),
        (Method::GET, DATABASE.to_owned()),
        (Method::PATCH, DATABASE.to_owned()),
        (Method::DELETE, DATABASE.to_owned()),
        (Method::POST, create.clone()),
        (Method::GET, create),
        (Method::DELETE, format!("{DATABASE}/collectionGroups/c/indexes/1")),
        (Method::GET, format!("{DATABASE}/collectionGroups/-/fields?filter=ttlConfig:*")),
        (Method::GET, format!("{DATABASE}/collectionGroups/c/fields/a")),
        (Method::PATCH, format!("{DATABASE}/collectionGroups/c/fields/a")),
        (Method::GET, format!("{DATABASE}/operations")),
        (Method::GET, format!("{DATABASE}/operations/x")),
    ];
    for (method, path) in &paths {
        let body = if *method == Method::POST { composite() } else { json!({}) };
        for caller in [user("alice"), Caller::unauthenticated()] {
            let (status, answer) = ask_as(&house, caller, method.clone(), path, &body).await;
            assert_eq!(
                (status, &answer["error"]["status"]),
                (403, &json!("PERMISSION_DENIED")),
                "{method} {path}"
            );
        }
        let elsewhere = path.replace("projects/p", "projects/q");
        let (status, answer) = ask(&house, method.clone(), &elsewhere, &body).await;
        assert_eq!(status, 403, "{method} {elsewhere}: {answer}");
    }
    let events = house.gate.log().events();
    let denied = events.iter().filter(|event| event.verdict == access::log::Verdict::Deny).count();
    assert_eq!(denied, 2 * paths.len(), "whoever may not is on record");
    assert!(events.iter().all(|event| event.version.is_none()), "nothing was changed");
}

fn at(clock: &ManualClock, seconds: i64) -> Json {
    let at = base::Timestamp::from_micros(clock.now_micros() + seconds * 1_000_000);
    json!({ "timestampValue": at.to_string() })
}

#[tokio::test]
async fn documents_whose_time_has_passed_are_deleted() {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let house = house::timed("match /{x=**} { allow read, write: if false; }", clock.clone()).await;
    for n in 0..120 {
        put(&house, "(default)", &format!("c/old{n}"), &json!({ "t": at(&clock, 10) })).await.unwrap();
    }
    put(&house, "(default)", "a/b/c/below", &json!({ "t": at(&clock, 10) })).await.unwrap();
    put(&house, "(default)", "c/later", &json!({ "t": at(&clock, 1000) })).await.unwrap();
    put(&house, "(default)", "c/none", &json!({})).await.unwrap();
    put(&house, "(default)", "c/text", &json!({ "t": { "stringValue": "2000-01-01T00:00:00Z" } }))
        .await
        .unwrap();
    put(&house, "(default)", "other/old", &json!({ "t": at(&clock, 10) })).await.unwrap();
    clock.advance(20 * 1_000_000);
    assert_eq!(house.firestore.expire().await.unwrap(), 0, "there is no policy");
    let field = format!("{DATABASE}/collectionGroups/c/fields/t");
    assert_eq!(ask(&house, Method::PATCH, &field, &json!({ "ttlConfig": {} })).await.0, 200);
    assert_eq!(house.firestore.expire().await.unwrap(), 121);
    for (path, is_there) in [
        ("c/old1", false),
        ("a/b/c/below", false),
        ("c/later", true),
        ("c/none", true),
        ("c/text", true),
        ("other/old", true),
    ] {
        assert_eq!(house.look(path).await.is_some(), is_there, "{path}");
    }
    let events = house.gate.log().events();
    let acts: Vec<_> = events.iter().filter(|event| event.verb == "ExpireDocuments").collect();
    assert_eq!(acts.len(), 2, "bounded batches");
    assert!(acts.iter().all(|event| event.who.as_deref() == Some("ttl") && event.version.is_some()));
    assert_eq!(acts[0].details["ttl"], "t");
    // Without a policy nothing goes any more.
    assert_eq!(ask(&house, Method::PATCH, &field, &json!({})).await.0, 200);
    clock.advance(2000 * 1_000_000);
    assert_eq!(house.firestore.expire().await.unwrap(), 0);
    assert!(house.look("c/later").await.is_some());
}
