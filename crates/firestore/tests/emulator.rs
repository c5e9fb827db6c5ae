//! The emulator's control routes, from the outside, and that production has none of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod house;

use access::{Caller, DevPermit};
use axum::body::Body;
use firestore::api;
use house::{House, admin, house, production, user};
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

const RULES: &str = "match /a/{x} { allow get: if request.auth.uid == 'alice';\n allow create: if request.resource.data.n > 1; }";

async fn ask(house: &House, method: Method, path: &str, body: &Json) -> (u16, Json) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(format!("/emulator/v1/projects/p{path}"));
    let request = request.extension(Caller::unauthenticated()).body(Body::from(body)).unwrap();
    let response = api::router(house.firestore.clone()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Json::Null))
}

#[tokio::test]
async fn exports_and_imports_by_their_routes() {
    let folder = tempfile::tempdir().unwrap();
    let house = house("").await;
    house.commit(&admin(), r#"[{"update": {"name": "$/a/1", "fields": {}}}]"#).await.unwrap();
    let to = folder.path().to_str().unwrap();
    let body = json!({ "database": house::DATABASE, "export_directory": to, "export_name": "one" });
    assert_eq!(ask(&house, Method::POST, ":export", &body).await, (200, json!({})));
    let export = folder.path().join("one/one.overall_export_metadata");
    for (path, database) in [(":import", "b"), ("/databases/c:import", "c")] {
        let mut body = json!({ "exportDirectory": export });
        if path == ":import" {
            body["database"] = json!("projects/p/databases/b");
        }
        assert_eq!(ask(&house, Method::POST, path, &body).await, (200, json!({})));
        let name = format!("projects/p/databases/{database}/documents/a/1");
        let request = wire::v1::GetDocumentRequest { name, ..Default::default() };
        assert!(house.firestore.get_document(&admin(), request).await.is_ok(), "{database}");
    }
    for (verb, body, says) in [
        (":export", json!({}), "export_directory"),
        (":export", json!({ "export_directory": to, "export_name": "x", "database": "x" }), "x"),
        (":export", json!({ "export_directory": "/none", "export_name": "x" }), "no directory"),
        (":import", json!({ "export_directory": to }), "overall_export_metadata"),
        (":import", json!([1]), "JSON"),
    ] {
        let (status, answer) = ask(&house, Method::POST, verb, &body).await;
        assert!((400..500).contains(&status), "{verb} {body}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(says), "{says}: {answer}");
    }
}

#[tokio::test]
async fn triggers_are_kept_and_listed() {
    let house = house("").await;
    let first = json!({ "eventTrigger": {
        "eventType": "providers/cloud.firestore/eventTypes/document.create",
        "resource": "projects/p/databases/(default)/documents/a/{b}",
        "service": "firestore.googleapis.com" } });
    let second = json!({ "eventType": "google.cloud.firestore.document.v1.created", "database": "(default)",
                         "document": { "value": "a/{b}", "matchType": "PATH_PATTERN" } });
    assert_eq!(ask(&house, Method::PUT, "/triggers/one", &first).await, (200, json!({})));
    let path = "/eventarcTrigger?eventarcTriggerId=two";
    assert_eq!(ask(&house, Method::POST, path, &second).await, (200, second.clone()));
    let listed =
        json!({ "triggers": [{ "key": "one", "trigger": first }, { "key": "two", "trigger": second }] });
    assert_eq!(ask(&house, Method::GET, "/triggers", &Json::Null).await, (200, listed));
    assert_eq!(ask(&house, Method::DELETE, "/triggers/one", &Json::Null).await.0, 200);
    let (_, listed) = ask(&house, Method::GET, "/triggers", &Json::Null).await;
    assert_eq!(listed["triggers"].as_array().unwrap().len(), 1);
    for (path, body) in
        [("/triggers/x", json!({})), ("/triggers/", first.clone()), ("/triggers/x", json!([1]))]
    {
        assert_eq!(ask(&house, Method::PUT, path, &body).await.0, 400, "{path} {body}");
    }
    for at in 0..1100 {
        ask(&house, Method::PUT, &format!("/triggers/{at}"), &first).await;
    }
    let (_, listed) = ask(&house, Method::GET, "/triggers", &Json::Null).await;
    assert_eq!(listed["triggers"].as_array().unwrap().len(), 1000, "whoever registers more is refused");
    assert_eq!(ask(&house, Method::PUT, "/triggers/more", &first).await.0, 429);
}

#[tokio::test]
async fn decisions_are_described_as_the_console_reads_them() {
    let house = house(RULES).await;
    let evaluations = house.firestore.evaluations(DevPermit::for_development_only()).unwrap();
    let get = async |caller: &Caller| {
        let name = format!("{}/a/1", house::ROOT);
        let request = wire::v1::GetDocumentRequest { name, ..Default::default() };
        house.firestore.get_document(caller, request).await
    };
    let _ = get(&user("alice")).await;
    let _ = get(&user("eve")).await;
    let _ = get(&Caller::unauthenticated()).await;
    let _ = get(&admin()).await;
    let (recent, mut feed) = evaluations.watch();
    let told: Vec<Json> = recent.iter().map(|evaluation| evaluation.json()).collect();
    let outcomes: Vec<_> =
        told.iter().map(|one| (one["outcome"].as_str().unwrap(), &one["granularAllowOutcomes"])).collect();
    assert_eq!(outcomes.len(), 3, "rules do not decide about administrators");
    assert_eq!((outcomes[0].0, outcomes[1].0, outcomes[2].0), ("allow", "deny", "error"));
    assert_eq!(outcomes[0].1, &json!([{ "line": 1, "outcome": true }]));
    assert_eq!(outcomes[1].1, &json!([{ "line": 1, "outcome": false }]));
    assert_eq!(told[0]["rulesContext"]["path"], "/databases/(default)/documents/a/1");
    assert!(told[0]["rules"].as_str().unwrap().contains("request.auth.uid == 'alice'"));
    assert!(told[0]["rulesReleaseName"].as_str().unwrap().starts_with("projects/p/"));
    // While somebody watches, documents are shown, too.
    let create = r#"[{"update": {"name": "$/a/2", "fields": {"n": {"integerValue": "2"}}}}]"#;
    house.commit(&user("alice"), create).await.unwrap();
    let told = feed.recv().await.unwrap().json();
    let request = &told["rulesContext"]["request"]["mapValue"]["fields"];
    assert_eq!(
        request["resource"]["mapValue"]["fields"]["data"]["mapValue"]["fields"]["n"],
        json!({ "intValue": "2" })
    );
    assert_eq!(request["auth"]["mapValue"]["fields"]["uid"], json!({ "stringValue": "alice" }));
    // What is kept is bounded, whoever asks how often; a watcher who does not read misses some.
    for _ in 0..1000 {
        let _ = get(&user("eve")).await;
    }
    assert_eq!(evaluations.watch().0.len(), 300);
    assert!(feed.recv().await.is_err(), "it was too slow");
}

#[tokio::test]
async fn production_has_no_control_routes() {
    let house = production("").await;
    for (method, path) in [
        (Method::POST, ":export"),
        (Method::POST, ":import"),
        (Method::PUT, ":securityRules"),
        (Method::GET, ":securityRules"),
        (Method::GET, ":ruleCoverage"),
        (Method::PUT, "/triggers/x"),
        (Method::GET, "/triggers"),
        (Method::DELETE, "/databases/(default)/documents"),
    ] {
        assert_eq!(ask(&house, method.clone(), path, &json!({})).await.0, 404, "{method} {path}");
    }
    let request = Request::builder().uri("/requests").body(Body::empty()).unwrap();
    let response = api::router(house.firestore.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(house.gate.evaluations().is_none());
}
