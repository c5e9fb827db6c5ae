//! The protocols from the outside: what each URL and body does, and that whatever is malformed is answered with the
//! documented code, changes nothing and breaks nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod house;

use axum::body::Body;
use firestore::api;
use house::{House, ROOT, admin, house, message, production, user};
use http::{Method, Request};
use http_body_util::BodyExt;
use prost::Message;
use tower::ServiceExt;
use wire::v1;

const OPEN: &str = "match /{path=**} { allow read, write; }";
const BASE: &str = "/v1/projects/p/databases/(default)/documents";

async fn send(
    house: &House,
    method: Method,
    path: &str,
    body: impl Into<Body>,
    admins: bool,
) -> (u16, String) {
    let caller = if admins { admin() } else { user("alice") };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "text/plain")
        .extension(caller)
        .body(body.into())
        .unwrap();
    let response = api::router(house.firestore.clone()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The answer without what differs from run to run.
fn stable(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"));
    fn blank(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(object) => {
                for (name, value) in object {
                    match name.as_str() {
                        "createTime" | "updateTime" | "readTime" | "commitTime" => *value = "T".into(),
                        "transaction" | "nextPageToken" => *value = "ID".into(),
                        _ => blank(value),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(blank),
            _ => {}
        }
    }
    let mut value = value;
    blank(&mut value);
    value.to_string().replace(ROOT, "$")
}

#[tokio::test]
async fn every_route_does_its_rpc() {
    let house = house(OPEN).await;
    let with = |path: &str| format!("{BASE}{path}");
    let d = r#"{"name":"$/c/d","fields":{"n":{"integerValue":"1"}},"createTime":"T","updateTime":"T"}"#;
    let query = r#"{"structuredQuery":{"from":[{"collectionId":"c"}]}}"#;
    let steps: &[(Method, &str, &str, &str)] = &[
        (Method::POST, "/c?documentId=d", r#"{"fields":{"n":{"integerValue":1}}}"#, d),
        (Method::GET, "/c/d", "", d),
        (
            Method::GET,
            "/c/d?mask.fieldPaths=_none_",
            "",
            r#"{"name":"$/c/d","createTime":"T","updateTime":"T"}"#,
        ),
        (Method::GET, "/c", "", &format!(r#"{{"documents":[{d}]}}"#)),
        (
            Method::PATCH,
            "/c/d?updateMask.fieldPaths=m&mask.fieldPaths=m&currentDocument.exists=true",
            r#"{"fields":{"m":{"nullValue":null}}}"#,
            r#"{"name":"$/c/d","fields":{"m":{"nullValue":null}},"createTime":"T","updateTime":"T"}"#,
        ),
        (Method::PATCH, "/c/d?updateMask.fieldPaths=m", "", d),
        (
            Method::POST,
            ":batchGet",
            r#"{"documents":["$/c/d"]}"#,
            &format!(r#"[{{"found":{d},"readTime":"T"}}]"#),
        ),
        (Method::POST, ":runQuery", query, &format!(r#"[{{"document":{d},"readTime":"T"}}]"#)),
        (
            Method::POST,
            ":runAggregationQuery",
            r#"{"structuredAggregationQuery":{"structuredQuery":{"from":[{"collectionId":"c"}]},"aggregations":[{"alias":"n","count":{}}]}}"#,
            r#"[{"result":{"aggregateFields":{"n":{"integerValue":"1"}}},"readTime":"T"}]"#,
        ),
        (Method::POST, "/c/d:runQuery", query, r#"[{"readTime":"T"}]"#),
        (Method::POST, ":beginTransaction", "", r#"{"transaction":"ID"}"#),
        (Method::POST, ":listCollectionIds", "", r#"{"collectionIds":["c"]}"#),
        (Method::POST, "/c/d:listCollectionIds", "", "{}"),
        (
            Method::POST,
            ":commit",
            r#"{"writes":[{"update":{"name":"$/a b/é:x"}}]}"#,
            r#"{"writeResults":[{"updateTime":"T"}],"commitTime":"T"}"#,
        ),
        (Method::GET, "/a%20b/%C3%A9:x", "", r#"{"name":"$/a b/é:x","createTime":"T","updateTime":"T"}"#),
        (
            Method::POST,
            ":batchWrite",
            r#"{"writes":[{"delete":"$/a b/é:x"}]}"#,
            r#"{"writeResults":[{}],"status":[{}]}"#,
        ),
        (Method::DELETE, "/c/d?currentDocument.exists=true", "", "{}"),
        (
            Method::GET,
            "/c/d",
            "",
            r#"{"error":{"code":404,"message":"Document \"$/c/d\" not found.","status":"NOT_FOUND"}}"#,
        ),
        (Method::POST, ":batchGet", r#"{"documents":["$/c/d"]}"#, r#"[{"missing":"$/c/d","readTime":"T"}]"#),
        (
            Method::POST,
            ":batchGet",
            r#"{"documents":["c/d"]}"#,
            r#"[{"error":{"code":400,"message":"Invalid resource name \"c/d\": expected projects/{project}/databases/{database}/documents/…","status":"INVALID_ARGUMENT"}}]"#,
        ),
    ];
    for (method, path, body, expected) in steps {
        let (_, answer) = send(&house, method.clone(), &with(path), body.replace('$', ROOT), true).await;
        assert_eq!(stable(&answer), *expected, "{method} {path}");
    }
}

/// Puts rules through the emulator's route.
async fn put_rules(house: &House, text: &str) -> (u16, String) {
    let body = serde_json::json!({ "rules": { "files": [{ "name": "firestore.rules", "content": text }] } });
    send(house, Method::PUT, "/emulator/v1/projects/p:securityRules", body.to_string(), false).await
}

#[tokio::test]
async fn coverage_counts_what_rules_decided_until_they_are_replaced() {
    const RULES: &str = "rules_version = '2';
        service cloud.firestore { match /databases/{d}/documents {
            match /notes/{id} {
                allow get: if request.auth.uid == id;
                allow get: if id == 'other';
            }
        } }";
    let house = house("").await;
    let report = async || {
        let path = "/emulator/v1/projects/p:ruleCoverage";
        let (code, text) = send(&house, Method::GET, path, "", false).await;
        assert_eq!(code, 200);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    assert_eq!(report().await, serde_json::json!({ "rules": { "files": [] } }), "no rules, nothing to cover");
    assert_eq!(put_rules(&house, RULES).await, (200, "{}".into()));
    let get = async |path: &str, admins: bool| {
        send(&house, Method::GET, &format!("{BASE}/{path}"), "", admins).await.0
    };
    assert_eq!(get("notes/alice", false).await, 404);
    assert_eq!(get("notes/bob", false).await, 403);
    assert_eq!(get("notes/bob", true).await, 404, "administrators pass the rules by");
    let before = report().await;
    assert_eq!(before["rules"]["files"][0]["content"], RULES);
    let counts = |value: &serde_json::Value, n: usize| {
        let values = value["report"][n]["values"].as_array().cloned().unwrap_or_default();
        values
            .iter()
            .map(|v| (v["value"]["boolValue"].as_bool(), v["count"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(&before, 0), [(Some(true), 1), (Some(false), 1)]);
    assert_eq!(counts(&before, 1), [(Some(false), 1)], "after a grant nothing more is evaluated");
    let (code, page) =
        send(&house, Method::GET, "/emulator/v1/projects/p:ruleCoverage.html", "", false).await;
    assert!(code == 200 && page.starts_with("<!DOCTYPE html>") && page.contains("request.auth"), "{page}");
    assert_eq!(put_rules(&house, "service cloud.firestore {").await.0, 400);
    assert_eq!(report().await, before, "what was refused changes nothing");
    assert_eq!(put_rules(&house, RULES).await.0, 200);
    assert_eq!(counts(&report().await, 0), [], "new rules begin anew");
    assert_eq!(send(&house, Method::GET, "/emulator/v1/projects/p:nothing", "", false).await.0, 404);
}

#[tokio::test]
async fn coverage_does_not_exist_in_production() {
    let house = production(OPEN).await;
    for verb in ["ruleCoverage", "ruleCoverage.html"] {
        let path = format!("/emulator/v1/projects/p:{verb}");
        assert_eq!(send(&house, Method::GET, &path, "", true).await.0, 404);
    }
}

#[tokio::test]
async fn the_emulators_control_route_exists_in_dev_only() {
    let path = format!("/emulator{BASE}");
    let dev = house(OPEN).await;
    dev.commit(&admin(), r#"[{"update": {"name": "$/c/d"}}]"#).await.unwrap();
    assert_eq!(send(&dev, Method::DELETE, &path, "", false).await, (200, "{}".to_owned()));
    assert!(dev.look("c/d").await.is_none());
    let production = production(OPEN).await;
    production.commit(&admin(), r#"[{"update": {"name": "$/c/d"}}]"#).await.unwrap();
    assert_eq!(send(&production, Method::DELETE, &path, "", true).await.0, 404);
    assert!(production.look("c/d").await.is_some());
}

#[tokio::test]
async fn without_a_caller_nothing_is_served() {
    let house = house(OPEN).await;
    let request = Request::builder().uri(format!("{BASE}/c/d")).body(Body::empty()).unwrap();
    let response = api::router(house.firestore.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 500);
    let get = v1::GetDocumentRequest { name: format!("{ROOT}/c/d"), ..Default::default() };
    assert_eq!(call(&house, "GetDocument", frame(&get.encode_to_vec()), false).await.0, 13);
}

/// Paths below the documents, bodies, and the HTTP status and gRPC code that each is answered with.
fn malformed_requests() -> Vec<(&'static str, String, u16, &'static str)> {
    let write = |write: &str| format!(r#"{{"writes": [{{"update": {{"name": "$/c/new"}}}}, {write}]}}"#);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep_value =
        format!("{}{{\"nullValue\":null}}{}", r#"{"mapValue":{"fields":{"a":"#.repeat(21), "}}}".repeat(21));
    let deeper_value = format!("{}1{}", r#"{"mapValue":{"fields":{"a":"#.repeat(400), "}}}".repeat(400));
    let large = format!(
        r#"{{"update":{{"name":"$/c/e","fields":{{"a":{{"stringValue":"{}"}}}}}}}}"#,
        "x".repeat(1_100_000)
    );
    let many = vec![large.clone(); 11]
        .join(",")
        .replace("$/c/e", "$/c/many")
        .replace(&"x".repeat(1_100_000), &"x".repeat(1_000_000));
    let transforms = vec![r#"{"fieldPath":"n","increment":{"integerValue":"1"}}"#; 501].join(",");
    let long_id = "x".repeat(1_501);
    let deep_path = vec!["a"; 202].join("/");
    vec![
        (":commit", "{".into(), 400, "INVALID_ARGUMENT"),
        (":commit", "[]".into(), 400, "INVALID_ARGUMENT"),
        (":commit", "\u{FEFF}{}".into(), 400, "INVALID_ARGUMENT"),
        (":commit", r#"{"writes": 3}"#.into(), 400, "INVALID_ARGUMENT"),
        (":commit", r#"{"nonsense": 1}"#.into(), 400, "INVALID_ARGUMENT"),
        (":commit", r#"{"transaction": "%%"}"#.into(), 400, "INVALID_ARGUMENT"),
        (":commit", r#"{"transaction": "AAAA"}"#.into(), 400, "INVALID_ARGUMENT"),
        (":commit", deep.clone(), 400, "INVALID_ARGUMENT"),
        (":commit", write("{}"), 400, "INVALID_ARGUMENT"),
        (
            ":commit",
            write(&format!(r#"{{"update":{{"name":"$/c/e","fields":{{"a":{deep_value}}}}}}}"#)),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            ":commit",
            write(&format!(r#"{{"update":{{"name":"$/c/e","fields":{{"a":{deeper_value}}}}}}}"#)),
            400,
            "INVALID_ARGUMENT",
        ),
        (":commit", write(&large), 400, "INVALID_ARGUMENT"),
        (":commit", write(&many), 400, "INVALID_ARGUMENT"),
        (
            ":commit",
            write(&format!(r#"{{"update":{{"name":"$/c/e"}},"updateTransforms":[{transforms}]}}"#)),
            400,
            "INVALID_ARGUMENT",
        ),
        (":commit", write(r#"{"delete":"$/c"}"#), 400, "INVALID_ARGUMENT"),
        (":commit", write(r#"{"delete":"$/c/__e__"}"#), 400, "INVALID_ARGUMENT"),
        (":commit", write(r#"{"delete":"$/c/.."}"#), 400, "INVALID_ARGUMENT"),
        (":commit", write(&format!(r#"{{"delete":"$/c/{long_id}"}}"#)), 400, "INVALID_ARGUMENT"),
        (":commit", write(&format!(r#"{{"delete":"$/{deep_path}"}}"#)), 400, "INVALID_ARGUMENT"),
        (
            ":commit",
            write(r#"{"delete":"projects/p/databases/other/documents/c/d"}"#),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            ":commit",
            write(r#"{"update":{"name":"$/c/e","fields":{"t":{"timestampValue":"0000-01-01T00:00:00Z"}}}}"#),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            ":commit",
            write(r#"{"update":{"name":"$/c/e","fields":{"n":{"integerValue":"9223372036854775808"}}}}"#),
            400,
            "INVALID_ARGUMENT",
        ),
        (":rollback", r#"{"transaction": "AAAA"}"#.into(), 400, "INVALID_ARGUMENT"),
        (":runQuery", "{}".into(), 400, "INVALID_ARGUMENT"),
        (
            ":runQuery",
            r#"{"structuredQuery": {"from": [{"collectionId": "c"}], "limit": -1}}"#.into(),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            ":runAggregationQuery",
            r#"{"structuredAggregationQuery": {"structuredQuery": {"from": [{"collectionId": "c"}]}}}"#
                .into(),
            400,
            "INVALID_ARGUMENT",
        ),
        (":listen", "{}".into(), 501, "UNIMPLEMENTED"),
        (":partitionQuery", "{}".into(), 400, "INVALID_ARGUMENT"),
        ("/c:commit", "{}".into(), 400, "INVALID_ARGUMENT"),
        ("/c/d:commit", "{}".into(), 404, "NOT_FOUND"),
        ("/c:runQuery", "{}".into(), 400, "INVALID_ARGUMENT"),
        (
            ":runQuery",
            r#"{"structuredQuery": {"from": [{"collectionId": "c"}]}, "explainOptions": {"analyze": "perhaps"}}"#
                .into(),
            400,
            "INVALID_ARGUMENT",
        ),
        ("/c?documentId=__e__", "{}".into(), 400, "INVALID_ARGUMENT"),
        ("/c?documentId=d", "{}".into(), 409, "ALREADY_EXISTS"),
        ("/c?documentId=e&nonsense=1", "{}".into(), 400, "INVALID_ARGUMENT"),
        ("/c/d", "{}".into(), 400, "INVALID_ARGUMENT"),
        ("/c/%FF", "{}".into(), 400, "INVALID_ARGUMENT"),
        ("/c/a%2Fb/c", "{}".into(), 400, "INVALID_ARGUMENT"),
    ]
}

/// As the official emulator answers.
#[tokio::test]
async fn shapes_of_paths_are_told_apart() {
    let house = house(OPEN).await;
    assert_eq!(send(&house, Method::GET, "/", "", false).await, (200, "Ok\n".to_owned()));
    house.commit(&admin(), r#"[{"update": {"name": "$/c/d"}}]"#).await.unwrap();
    for prefix in ["/v1", "/v1beta1"] {
        let path = format!("{prefix}/{ROOT}/c/d");
        assert_eq!(send(&house, Method::GET, &path, "", true).await.0, 200, "{path}");
    }
    for (method, path, what, name) in [
        (Method::PATCH, "/c", "Document name", "/c"),
        (Method::DELETE, "/c/d/e", "Document name", "/c/d/e"),
        (Method::POST, "/c/d", "Document parent name", "/c"),
        (Method::POST, "/c:runQuery", "Document parent name", "/c"),
        (Method::POST, "/c:listCollectionIds", "Document parent name", "/c"),
    ] {
        let (code, answer) = send(&house, method, &format!("{BASE}{path}"), "{}", true).await;
        let name = format!("{ROOT}{name}");
        let expected = format!(r#"{what} \"{name}\" lacks \"/\" at index {}."#, name.len());
        assert_eq!(code, 400, "{path}");
        assert!(answer.contains(&expected), "{path}: {answer}");
    }
}

#[tokio::test]
async fn malformed_requests_are_refused_and_change_nothing() {
    let house = house(OPEN).await;
    house
        .commit(&admin(), r#"[{"update": {"name": "$/c/d", "fields": {"n": {"integerValue": "1"}}}}]"#)
        .await
        .unwrap();
    let before = house.look("c/d").await;
    for (path, body, code, status) in malformed_requests() {
        let shown: String = body.chars().take(120).collect();
        let answer =
            send(&house, Method::POST, &format!("{BASE}{path}"), body.replace('$', ROOT), true).await;
        assert_eq!(answer.0, code, "{path} {shown}: {}", answer.1);
        let value: serde_json::Value = serde_json::from_str(&answer.1).unwrap();
        let error = value.get(0).unwrap_or(&value)["error"].clone();
        assert_eq!(
            (error["code"].as_u64(), error["status"].as_str()),
            (Some(code.into()), Some(status)),
            "{path} {shown}"
        );
        assert!(
            error["message"].as_str().is_some_and(|text| !text.is_empty() && text.len() < 20_000),
            "{path} {shown}"
        );
    }
    let too_large = vec![b' '; 18 << 20];
    assert_eq!(send(&house, Method::POST, &format!("{BASE}:commit"), too_large, true).await.0, 400);
    assert_eq!(house.look("c/d").await, before);
    for path in ["c/new", "c/e", "c/many"] {
        assert!(house.look(path).await.is_none(), "{path}");
    }
}

/// A gRPC message in its frame.
fn frame(message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

/// Calls a gRPC method: the status code, its message, and the bytes of the answer.
async fn call(house: &House, method: &str, body: Vec<u8>, with_caller: bool) -> (i32, String, Vec<u8>) {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("/google.firestore.v1.Firestore/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::from(body))
        .unwrap();
    if with_caller {
        request.extensions_mut().insert(user("alice"));
    }
    let response = api::router(house.firestore.clone()).oneshot(request).await.unwrap();
    let headers = response.headers().clone();
    let collected = response.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let text = |name: &str| {
        trailers
            .get(name)
            .or(headers.get(name))
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    let code = text("grpc-status").parse().unwrap();
    (code, text("grpc-message"), collected.to_bytes().to_vec())
}

#[tokio::test]
async fn grpc_carries_the_same_verbs() {
    let house = house(OPEN).await;
    let commit: v1::CommitRequest = message(
        r#"{"database": "projects/p/databases/(default)", "writes": [{"update": {"name": "$/c/d"}}]}"#,
    );
    let (code, _, body) = call(&house, "Commit", frame(&commit.encode_to_vec()), true).await;
    assert_eq!(code, 0);
    let committed = v1::CommitResponse::decode(&body[5..]).unwrap();
    assert_eq!(committed.write_results[0].update_time, committed.commit_time);
    let query: v1::RunQueryRequest = message(&format!(
        r#"{{"parent": "{ROOT}", "structuredQuery": {{"from": [{{"collectionId": "c"}}]}}}}"#
    ));
    let (code, _, body) = call(&house, "RunQuery", frame(&query.encode_to_vec()), true).await;
    let length = usize::try_from(u32::from_be_bytes(body[1..5].try_into().unwrap())).unwrap();
    let found = v1::RunQueryResponse::decode(&body[5..5 + length]).unwrap();
    assert_eq!((code, found.document.unwrap().name), (0, format!("{ROOT}/c/d")));
    let missing = v1::GetDocumentRequest { name: format!("{ROOT}/c/e"), ..Default::default() };
    let (code, text, _) = call(&house, "GetDocument", frame(&missing.encode_to_vec()), true).await;
    assert_eq!((code, text.contains("not%20found") || text.contains("not found")), (5, true), "{text}");
    for (method, code) in [("Write", 3), ("Listen", 3), ("PartitionQuery", 3)] {
        assert_eq!(call(&house, method, frame(&[]), true).await.0, code, "{method}");
    }
}

#[tokio::test]
async fn broken_protocol_bytes_are_refused() {
    let house = house(OPEN).await;
    // A field cut short, an unknown wire type, text that is not UTF-8, a value nested beyond any document.
    let nested = (0..2_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let value = wrap(6, &wrap(1, &wrap(2, &inner)));
        if value.len() > 200_000 { inner } else { value }
    });
    let document =
        [wrap(1, format!("{ROOT}/c/d").as_bytes()), wrap(2, &[wrap(1, b"a"), wrap(2, &nested)].concat())]
            .concat();
    let commit = [wrap(1, b"projects/p/databases/(default)"), wrap(2, &wrap(1, &document))].concat();
    for (name, bytes) in [
        ("cut short", vec![0x0A, 0xFF]),
        ("unknown wire type", vec![0x0F]),
        ("not UTF-8", wrap(1, b"\xFF\xFE")),
        ("nested", commit),
    ] {
        let (code, text, _) = call(&house, "Commit", frame(&bytes), true).await;
        assert!([3, 13].contains(&code), "{name}: {code} {text}");
    }
    let mut lying = frame(&[]);
    lying[1] = 0xFF;
    assert_ne!(call(&house, "Commit", lying, true).await.0, 0);
    let (code, text, _) = call(&house, "Commit", frame(&vec![0; 18 << 20]), true).await;
    assert_eq!(code, 8, "{text}");
    assert!(house.look("c/d").await.is_none());
}

/// A length-delimited protocol field.
fn wrap(field: u8, content: &[u8]) -> Vec<u8> {
    let mut wrapped = vec![field << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        wrapped.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    wrapped.push(length as u8);
    wrapped.extend_from_slice(content);
    wrapped
}
