//! Cloud Storage's JSON API and objects by path.

use access::{Caller, DevPermit, Mode};
use serde_json::{Value as Json, json};

use crate::firebase::OPEN;
use crate::house::{Answer, BUCKET, House, admin, user};

async fn put(house: &House, name: &str, bytes: &str) -> Json {
    let uri = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}");
    let headers = [("content-type", "text/plain")];
    house.ask(&Caller::unauthenticated(), "POST", &uri, &headers, bytes.to_owned()).await.json()
}

async fn ask(house: &House, method: &str, path: &str, body: &str) -> Answer {
    house
        .ask(&Caller::unauthenticated(), method, &format!("/storage/v1/b/{path}"), &[], body.to_owned())
        .await
}

#[tokio::test]
async fn in_dev_it_is_open_to_this_machine_and_in_production_to_administrators() {
    let dev = House::new(OPEN).await;
    assert_eq!(put(&dev, "a", "x").await["kind"], "storage#object");
    let files = std::sync::Arc::new(storage::files::Memory::default());
    let serve = House::with(OPEN, files, Mode::Serve).await;
    let _ = DevPermit::for_development_only();
    let uri = format!("/storage/v1/b/{BUCKET}/o");
    for (caller, status) in [(Caller::unauthenticated(), 401), (user("alice", &[]), 403), (admin(), 200)] {
        assert_eq!(serve.ask(&caller, "GET", &uri, &[], "").await.status, status, "{}", caller.kind());
    }
    assert_eq!(serve.ask(&admin(), "GET", "/storage/v1/b/other/o", &[], "").await.status, 404);
    assert_eq!(serve.ask(&admin(), "POST", "/internal/reset", &[], "").await.status, 404);
}

#[tokio::test]
async fn objects_have_the_shape_of_the_json_api() {
    let house = House::new(OPEN).await;
    let made = put(&house, "a%2Fb", "hello world").await;
    for (name, value) in [
        ("name", "a/b"),
        ("contentType", "text/plain"),
        ("size", "11"),
        ("crc32c", "yZRlqg=="),
        ("selfLink", "http://127.0.0.1:9199/storage/v1/b/demo.appspot.com/o/a%2Fb"),
    ] {
        assert_eq!(made[name], value);
    }
    assert!(made["mediaLink"].as_str().unwrap().ends_with("&alt=media"));
    for path in ["o/a%2Fb?alt=media", "o/a/b?alt=media"] {
        assert_eq!(ask(&house, "GET", &format!("{BUCKET}/{path}"), "").await.body, b"hello world");
    }
    let by_path = house.ask(&Caller::unauthenticated(), "GET", &format!("/{BUCKET}/a/b"), &[], "").await;
    assert_eq!((by_path.status, by_path.body.as_slice()), (200, b"hello world".as_slice()));
    let missing = ask(&house, "GET", &format!("{BUCKET}/o/none"), "").await;
    let error = &missing.json()["error"];
    assert_eq!((missing.status, &error["message"]), (404, &json!(format!("No such object: {BUCKET}/none"))));
    assert_eq!(error["errors"][0]["reason"], "notFound");
}

#[tokio::test]
async fn chunks_with_content_range_are_answered_with_308_until_the_last() {
    let house = House::new(OPEN).await;
    let start = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=r");
    let headers = [("x-upload-content-type", "a/b")];
    let nobody = Caller::unauthenticated();
    let started = house.ask(&nobody, "POST", &start, &headers, r#"{"metadata":{"k":"v"}}"#).await;
    let url = started.header("location").strip_prefix("http://127.0.0.1:9199").unwrap().to_owned();
    let send = async |range: &str, bytes: &str| {
        let answer = house.ask(&nobody, "PUT", &url, &[("content-range", range)], bytes.to_owned()).await;
        (answer.status, answer.header("range").to_owned(), answer.json())
    };
    assert_eq!(send("bytes */*", "").await.0, 308);
    assert_eq!(send("bytes 0-4/*", "hello").await.1, "bytes=0-4");
    assert_eq!(send("bytes */*", "").await.1, "bytes=0-4");
    assert_eq!(send("bytes 9-13/*", "wrong").await.0, 400);
    assert_eq!(send("bytes 5-5/11", " ").await.1, "bytes=0-5");
    let (status, _, made) = send("bytes 6-10/11", "world").await;
    assert_eq!((status, &made["size"], &made["contentType"]), (200, &json!("11"), &json!("a/b")));
    assert_eq!((&made["md5Hash"], &made["metadata"]["k"]), (&json!("XrY7u+Ae7tCTyyK7j1rNww=="), &json!("v")));
    assert_eq!(send("bytes */11", "").await.0, 200, "an answer that was missed comes again");
}

#[tokio::test]
async fn preconditions_hold_or_nothing_happens() {
    let house = House::new(OPEN).await;
    let first = put(&house, "p", "one").await;
    let generation = first["generation"].as_str().unwrap().to_owned();
    let upload = async |condition: &str| {
        let uri = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=p&{condition}");
        house.ask(&admin(), "POST", &uri, &[], "two").await.status
    };
    for condition in ["ifGenerationMatch=0", "ifGenerationMatch=7", "ifMetagenerationMatch=2"] {
        assert_eq!(upload(condition).await, 412, "{condition}");
    }
    assert_eq!(upload(&format!("ifGenerationNotMatch={generation}")).await, 412);
    assert_eq!(upload("ifGenerationMatch=x").await, 400);
    assert_eq!(upload(&format!("ifGenerationMatch={generation}")).await, 200);
    let get = async |query: &str| ask(&house, "GET", &format!("{BUCKET}/o/p?{query}"), "").await.status;
    assert_eq!(get(&format!("ifGenerationMatch={generation}")).await, 412);
    assert_eq!(get(&format!("generation={generation}")).await, 404);
    let delete = ask(&house, "DELETE", &format!("{BUCKET}/o/p?ifGenerationMatch={generation}"), "").await;
    assert_eq!(delete.status, 412);
    let wrong = house
        .ask(
            &admin(),
            "POST",
            &format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=h"),
            &[("x-goog-hash", "md5=AAAA")],
            "x",
        )
        .await;
    assert_eq!(wrong.status, 400);
    assert_eq!(ask(&house, "GET", &format!("{BUCKET}/o/h"), "").await.status, 404);
}

#[tokio::test]
async fn copies_moves_and_compositions() {
    let house = House::new(OPEN).await;
    put(&house, "a", "hello ").await;
    put(&house, "b", "world").await;
    let post = async |path: &str, body: &str| ask(&house, "POST", &format!("{BUCKET}/o/{path}"), body).await;
    let copied = post(&format!("a/copyTo/b/{BUCKET}/o/x%2Fcopy"), "").await.json();
    assert_eq!((&copied["name"], &copied["contentType"]), (&json!("x/copy"), &json!("text/plain")));
    let rewritten = post(&format!("a/rewriteTo/b/{BUCKET}/o/r"), r#"{"contentType":"c/d"}"#).await.json();
    assert_eq!((&rewritten["done"], &rewritten["resource"]["contentType"]), (&json!(true), &json!("c/d")));
    assert_eq!(house.blobs().await, 2, "copies share their file");
    let compose = r#"{"sourceObjects":[{"name":"a"},{"name":"b"}],"destination":{"contentType":"e/f"}}"#;
    let composed = post("c/compose", compose).await.json();
    assert_eq!((&composed["size"], &composed["md5Hash"]), (&json!("11"), &json!("XrY7u+Ae7tCTyyK7j1rNww==")));
    assert_eq!(post("c/compose", r#"{"sourceObjects":[]}"#).await.status, 400);
    assert_eq!(post("b/moveTo/o/moved", "").await.status, 200);
    assert_eq!(ask(&house, "GET", &format!("{BUCKET}/o/b"), "").await.status, 404);
    assert_eq!(ask(&house, "GET", &format!("{BUCKET}/o/moved?alt=media"), "").await.body, b"world");
    assert_eq!(post("moved/moveTo/o/moved", "").await.status, 200);
    assert_eq!(ask(&house, "DELETE", &format!("{BUCKET}/o/moved"), "").await.status, 204);
    house.clock.advance(60_000_000);
    house.storage.collect().await.unwrap();
    assert_eq!(house.blobs().await, 2);
    let acl = post("a/acl", r#"{"entity":"allUsers","role":"READER"}"#).await.json();
    assert_eq!((&acl["kind"], &acl["role"]), (&json!("storage#objectAccessControl"), &json!("READER")));
    let rewrite = house
        .ask(
            &admin(),
            "POST",
            &format!("/storage/v1/b/{BUCKET}/o/a/rewriteTo/b/{BUCKET}/o/z?rewriteToken=x"),
            &[],
            "",
        )
        .await;
    assert_eq!(rewrite.status, 501);
}

#[tokio::test]
async fn access_control_lists_and_policies_are_kept_and_returned() {
    let house = House::new(OPEN).await;
    put(&house, "a", "x").await;
    ask(&house, "POST", "", r#"{"name":"mine"}"#).await;
    for list in [format!("{BUCKET}/o/a/acl"), "mine/acl".to_owned(), "mine/defaultObjectAcl".to_owned()] {
        let entry = r#"{"entity":"user-a@b","role":"OWNER"}"#;
        assert_eq!(ask(&house, "POST", &list, entry).await.json()["role"], "OWNER", "{list}");
        let one = format!("{list}/user-a@b");
        assert_eq!(ask(&house, "PUT", &one, r#"{"role":"READER"}"#).await.json()["role"], "READER", "{list}");
        assert_eq!(ask(&house, "GET", &list, "").await.json()["items"][0]["entity"], "user-a@b", "{list}");
        assert_eq!(ask(&house, "DELETE", &one, "").await.status, 204, "{list}");
        let gone = (ask(&house, "GET", &one, "").await.status, ask(&house, "DELETE", &one, "").await.status);
        assert_eq!(gone, (404, 404), "{list}");
        for number in 0..110 {
            let entry = json!({"entity": format!("user-{number}"), "role": "READER"}).to_string();
            let expected = if number < 100 { 200 } else { 400 };
            assert_eq!(ask(&house, "POST", &list, &entry).await.status, expected, "{list}");
        }
    }
    let policy = ask(&house, "GET", "mine/iam", "").await.json();
    let set =
        json!({"bindings": [{"role": "r", "members": ["allUsers"]}], "etag": policy["etag"]}).to_string();
    ask(&house, "PUT", "mine/iam", &set).await;
    assert_eq!(ask(&house, "GET", "mine/iam", "").await.json()["bindings"][0]["role"], "r");
    // Nobody is anybody by them.
    assert_eq!(
        House::with(OPEN, house.files.clone(), Mode::Serve)
            .await
            .ask(&Caller::unauthenticated(), "GET", "/storage/v1/b/mine/o", &[], "")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn lists_have_patterns_parts_and_pages_of_buckets() {
    let house = House::new(OPEN).await;
    for name in ["a/1.txt", "a/b/2.txt", "3.txt", "4.png"] {
        put(&house, &name.replace('/', "%2F"), "x").await;
    }
    let names = async |query: &str| {
        let answer = ask(&house, "GET", &format!("{BUCKET}/o?{query}"), "").await.json();
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("matchGlob=*.txt").await, ["3.txt"]);
    assert_eq!(names("matchGlob=**.%7Btxt,png%7D").await, ["3.txt", "4.png", "a/1.txt", "a/b/2.txt"]);
    assert_eq!(ask(&house, "GET", &format!("{BUCKET}/o?matchGlob=%5Ba"), "").await.status, 400);
    let part = ask(&house, "GET", &format!("{BUCKET}/o/3.txt?fields=name,size"), "").await.json();
    assert_eq!(part, json!({"name": "3.txt", "size": "1"}));
    assert_eq!(ask(&house, "GET", &format!("{BUCKET}/o?fields=items("), "").await.status, 400);
    for bucket in ["b-1", "b-2", "b-3"] {
        ask(&house, "POST", "", &json!({"name": bucket}).to_string()).await;
    }
    let page = async |query: &str| {
        let uri = format!("/storage/v1/b?prefix=b-&{query}");
        house.ask(&admin(), "GET", &uri, &[], "").await.json()
    };
    let first = page("maxResults=2").await;
    assert_eq!((first["items"].as_array().unwrap().len(), &first["nextPageToken"]), (2, &json!("b-3")));
    let second = page("maxResults=2&pageToken=b-3").await;
    assert_eq!((second["items"].as_array().unwrap().len(), &second["nextPageToken"]), (1, &Json::Null));
    assert_eq!(ask(&house, "PATCH", "b-1?ifMetagenerationMatch=7", "{}").await.status, 412);
}

#[tokio::test]
async fn exports_of_windows_and_buckets_without_objects_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = |part: &str| folder.path().join(part);
    for part in ["blobs", "metadata"] {
        std::fs::create_dir(name(part)).unwrap();
    }
    std::fs::write(name("buckets.json"), r#"{"buckets":[{"id":"empty"}]}"#).unwrap();
    for (file, object) in [("w", r"dir\\x.txt"), ("u", r"dir/a\\b")] {
        let text = format!(r#"{{"name":"{object}","bucket":"{BUCKET}","size":1}}"#);
        std::fs::write(name(&format!("metadata/{file}.json")), text).unwrap();
        std::fs::write(name(&format!("blobs/{file}")), "x").unwrap();
    }
    let house = House::new(OPEN).await;
    let body = json!({"path": folder.path()}).to_string();
    assert_eq!(house.ask(&admin(), "POST", "/internal/import", &[], body).await.status, 200);
    for object in ["dir%2Fx.txt", "dir%2Fa%5Cb"] {
        assert_eq!(ask(&house, "GET", &format!("{BUCKET}/o/{object}"), "").await.status, 200, "{object}");
    }
    assert_eq!(ask(&house, "GET", "empty", "").await.status, 200);
}

#[tokio::test]
async fn buckets_are_made_listed_and_deleted_when_empty() {
    let house = House::new(OPEN).await;
    let b = async |method: &str, path: &str, body: &str| {
        house.ask(&admin(), method, &format!("/storage/v1/b{path}"), &[], body.to_owned()).await
    };
    assert_eq!(b("GET", "/mine", "").await.status, 404);
    let made = b("POST", "?project=demo", r#"{"name":"mine","location":"EU"}"#).await.json();
    assert_eq!((&made["kind"], &made["location"]), (&json!("storage#bucket"), &json!("EU")));
    assert_eq!(b("POST", "?project=demo", r#"{"name":"mine"}"#).await.status, 409);
    assert_eq!(b("PATCH", "/mine", r#"{"labels":{"a":"b"}}"#).await.json()["labels"]["a"], "b");
    assert_eq!(b("GET", "", "").await.json()["items"][0]["name"], "mine");
    house.ask(&admin(), "POST", "/upload/storage/v1/b/mine/o?uploadType=media&name=x", &[], "x").await;
    assert_eq!(b("DELETE", "/mine", "").await.status, 409);
    assert_eq!(b("DELETE", "/mine/o/x", "").await.status, 204);
    assert_eq!(b("DELETE", "/mine", "").await.status, 204);
    assert_eq!(b("POST", "", r#"{"name":"../evil"}"#).await.status, 400);
}

#[tokio::test]
async fn rules_are_put_in_force_and_everything_is_cleared() {
    let house = House::new(OPEN).await;
    let nobody = Caller::unauthenticated();
    house.upload(&nobody, "x", "x").await;
    let rules =
        |text: &str| json!({"rules": {"files": [{"name": "storage.rules", "content": text}]}}).to_string();
    let set = async |body: String| house.ask(&nobody, "PUT", "/internal/setRules", &[], body).await;
    let closed = "rules_version = '2'; service firebase.storage { match /b/{b}/o { match /{f=**} { allow read: if false; } } }";
    let done = set(rules(closed)).await;
    assert_eq!((done.status, &done.json()["message"]), (200, &json!("Rules updated successfully")));
    assert_eq!(house.download(&nobody, "x").await.status, 403);
    let refused = set(rules("service firebase.storage { match")).await;
    assert!(
        refused.status == 400 && refused.json()["message"].as_str().unwrap().contains("error updating rules")
    );
    assert_eq!(set("{}".to_owned()).await.status, 400);
    let files = json!([
        {"name": "a", "content": OPEN, "resource": BUCKET}, {"name": "b", "content": closed, "resource": "other"},
    ]);
    assert_eq!(set(json!({"rules": {"files": files}}).to_string()).await.status, 200);
    assert_eq!(house.download(&nobody, "x").await.status, 200);
    assert_eq!(house.ask(&nobody, "GET", "/v0/b/other/o/x", &[], "").await.status, 403);
    house.start(&nobody, "u", None).await.ok().unwrap();
    assert_eq!(house.ask(&nobody, "POST", "/internal/reset", &[], "").await.status, 200);
    assert_eq!(house.download(&nobody, "x").await.status, 404);
    house.clock.advance(60_000_000);
    house.storage.collect().await.unwrap();
    assert_eq!(house.blobs().await, 0);
}

#[tokio::test]
async fn an_export_is_read_back_with_tokens_and_times() {
    let house = House::new(OPEN).await;
    let made = house.upload(&admin(), "a%2Fb", "hello world").await.json();
    let folder = tempfile::tempdir().unwrap();
    let body = json!({"path": folder.path(), "initiatedBy": "test"}).to_string();
    assert_eq!(house.ask(&admin(), "POST", "/internal/export", &[], body.clone()).await.status, 200);
    let buckets = std::fs::read_to_string(folder.path().join("buckets.json")).unwrap();
    assert_eq!(serde_json::from_str::<Json>(&buckets).unwrap(), json!({"buckets": [{"id": BUCKET}]}));
    let other = House::new(OPEN).await;
    assert_eq!(other.ask(&admin(), "POST", "/internal/import", &[], body).await.status, 200);
    let read = other.ask(&admin(), "GET", &format!("/v0/b/{BUCKET}/o/a%2Fb"), &[], "").await.json();
    assert_eq!(read, made);
    assert_eq!(other.download(&admin(), "a/b").await.body, b"hello world");
}
