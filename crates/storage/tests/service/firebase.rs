//! The Firebase API: uploads in their three ways, downloads, lists, metadata, tokens.

use access::Caller;
use serde_json::json;

use crate::house::{BUCKET, House, admin, user};

pub const OPEN: &str = "rules_version = '2'; service firebase.storage { match /b/{b}/o { match /{all=**} { allow read, write; } } }";

#[tokio::test]
async fn an_object_is_what_was_uploaded() {
    let (house, nobody) = (House::new(OPEN).await, Caller::unauthenticated());
    let made = house.upload(&nobody, "a/b.txt", "hello world").await;
    let json = made.json();
    for (name, value) in [
        ("name", "a/b.txt"),
        ("bucket", BUCKET),
        ("contentType", "text/plain"),
        ("size", "11"),
        ("md5Hash", "XrY7u+Ae7tCTyyK7j1rNww=="),
        ("crc32c", "yZRlqg=="),
        ("contentEncoding", "identity"),
        ("contentDisposition", "inline"),
        ("metageneration", "1"),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
    let token = json["downloadTokens"].as_str().unwrap();
    assert_eq!(token.len(), 36);
    let got = house.download(&nobody, "a/b.txt").await;
    assert_eq!((got.status, got.body.as_slice()), (200, b"hello world".as_slice()));
    assert_eq!(got.header("content-length"), "11");
    assert_eq!(got.header("x-goog-hash"), "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww==");
    let uri = format!("/v0/b/{BUCKET}/o/a%2Fb.txt");
    let known = house.ask(&nobody, "GET", &uri, &[], "").await;
    assert_eq!(known.json()["generation"], json["generation"]);
}

#[tokio::test]
async fn two_parts_are_metadata_and_bytes() {
    let (house, nobody) = (House::new(OPEN).await, Caller::unauthenticated());
    let uri = format!("/v0/b/{BUCKET}/o?name=m");
    let send = async |content_type: &str, body: &str| {
        let headers = [("x-goog-upload-protocol", "multipart"), ("content-type", content_type)];
        house.ask(&nobody, "POST", &uri, &headers, body.to_owned()).await
    };
    let metadata = r#"{"contentType":"image/png","metadata":{"k":"v"}}"#;
    let body = format!(
        "--xyz\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{metadata}\r\n--xyz\r\nContent-Type: a/b\r\n\r\n\r\n--xy\r\n\0--\r\n--xyz--"
    );
    for content_type in ["multipart/related; boundary=xyz", "multipart/related; boundary=\"xyz\"; x=y"] {
        let made = send(content_type, &body).await;
        assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
        assert_eq!(
            (&made.json()["contentType"], &made.json()["metadata"]),
            (&json!("image/png"), &json!({"k": "v"}))
        );
        assert_eq!(house.download(&nobody, "m").await.body, b"\r\n--xy\r\n\0--");
    }
    for (content_type, body) in [
        ("multipart/related", body.as_str()),
        ("text/plain; boundary=xyz", body.as_str()),
        ("multipart/related; boundary=other", body.as_str()),
        ("multipart/related; boundary=xyz", "--xyz\r\nContent-Type: a/b\r\n\r\n{}\r\n--xyz--"),
        (
            "multipart/related; boundary=xyz",
            "--xyz\r\nContent-Type: a/b\r\n\r\n{}\r\n--xyz\r\nContent-Type: a/b\r\n\r\ncut",
        ),
        ("multipart/related; boundary=xyz", "--xyz\r\n\r\n{}\r\n--xyz\r\n\r\nx\r\n--xyz--"),
        (
            "multipart/related; boundary=xyz",
            "--xyz\r\nContent-Type: a/b\r\n\r\n{\r\n--xyz\r\nContent-Type: a/b\r\n\r\nx\r\n--xyz--",
        ),
    ] {
        let refused = send(content_type, body).await;
        assert_eq!(refused.status, 400, "{content_type} {body}");
    }
    assert_eq!(house.download(&nobody, "m").await.body, b"\r\n--xy\r\n\0--", "what was there is there");
}

#[tokio::test]
async fn a_resumable_upload_goes_by_its_commands() {
    let (house, nobody) = (House::new(OPEN).await, Caller::unauthenticated());
    let url = house.start(&nobody, "r", None).await.ok().unwrap();
    let query = async |url: &str| {
        let answer = house.ask(&nobody, "POST", url, &[("x-goog-upload-command", "query")], "").await;
        let text = |name: &str| answer.header(name).to_owned();
        (answer.status, text("x-goog-upload-status"), text("x-goog-upload-size-received"))
    };
    assert_eq!(query(&url).await, (200, "active".to_owned(), "0".to_owned()));
    assert_eq!(house.chunk(&nobody, &url, "upload", 0, "hello").await.status, 200);
    assert_eq!(query(&url).await, (200, "active".to_owned(), "5".to_owned()));
    for offset in [0, 4, 6, 5_000_000] {
        assert_eq!(house.chunk(&nobody, &url, "upload", offset, "xxxxx").await.status, 400, "{offset}");
    }
    assert_eq!(house.download(&nobody, "r").await.status, 404, "it is not there yet");
    assert_eq!(house.chunk(&nobody, &url, "upload", 5, " ").await.status, 200);
    let last = house.chunk(&nobody, &url, "upload, finalize", 6, "world").await;
    assert_eq!((last.status, last.header("x-goog-upload-status")), (200, "final"));
    assert_eq!(last.json()["md5Hash"], "XrY7u+Ae7tCTyyK7j1rNww==");
    assert_eq!(query(&url).await.1, "final");
    let again = house.chunk(&nobody, &url, "finalize", 0, "").await;
    assert_eq!(
        (again.status, &again.json()["size"]),
        (200, &json!("11")),
        "an answer that was missed comes again"
    );
    let command = async |url: &str, name: &'static str| {
        house.ask(&nobody, "POST", url, &[("x-goog-upload-command", name)], "").await.status
    };
    assert_eq!(command(&url, "cancel").await, 400);
    let given_up = house.start(&nobody, "g", None).await.ok().unwrap();
    house.chunk(&nobody, &given_up, "upload", 0, "x").await;
    assert_eq!(command(&given_up, "cancel").await, 200);
    assert_eq!(query(&given_up).await.1, "cancelled");
    assert_eq!(house.chunk(&nobody, &given_up, "upload, finalize", 1, "y").await.status, 400);
    assert_eq!(house.files.drafts().await.unwrap().len(), 0);
    assert_eq!(command(&format!("/v0/b/{BUCKET}/o?upload_id=none"), "query").await, 404);
    assert_eq!(command(&format!("/v0/b/{BUCKET}/o?name=x"), "query").await, 400);
    assert_eq!(command(&url, "dance").await, 400);
}

#[tokio::test]
async fn lists_have_folders_and_pages() {
    let (house, nobody) = (House::new(OPEN).await, Caller::unauthenticated());
    for name in ["a/1", "a/2", "a/b/1", "a/b/2", "a/c/1", "a0", "b", "b/x", "z/"] {
        assert_eq!(house.upload(&admin(), name, "x").await.status, 200);
    }
    let list = async |query: &str| {
        house.ask(&nobody, "GET", &format!("/v0/b/{BUCKET}/o?{query}"), &[], "").await.json()
    };
    let names = |json: &serde_json::Value| -> Vec<String> {
        let items = json["items"].as_array().unwrap().iter();
        items.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = list("").await;
    assert_eq!(names(&all), ["a/1", "a/2", "a/b/1", "a/b/2", "a/c/1", "a0", "b", "b/x"]);
    let root = list("delimiter=/").await;
    assert_eq!(
        (names(&root), &root["prefixes"]),
        (vec!["a0".into(), "b".into()], &json!(["a/", "b/", "z/"]))
    );
    let inside = list("delimiter=/&prefix=a/").await;
    assert_eq!(
        (names(&inside), &inside["prefixes"]),
        (vec!["a/1".into(), "a/2".into()], &json!(["a/b/", "a/c/"]))
    );
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("delimiter=/&prefix=a/&maxResults=1&pageToken={token}")).await;
        seen.extend(names(&page));
        seen.extend(
            page["prefixes"].as_array().unwrap().iter().map(|prefix| prefix.as_str().unwrap().to_owned()),
        );
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["a/1", "a/2", "a/b/", "a/c/"]);
    assert_eq!(list("prefix=none/").await, json!({"items": [], "prefixes": []}));
}

#[tokio::test]
async fn metadata_is_merged_and_null_clears() {
    let (house, nobody) = (House::new(OPEN).await, Caller::unauthenticated());
    house.upload(&nobody, "m", "x").await;
    let uri = format!("/v0/b/{BUCKET}/o/m");
    let patch = async |text: &'static str| house.ask(&nobody, "PATCH", &uri, &[], text).await.json();
    let first =
        patch(r#"{"metadata": {"a": "1", "b": 2}, "contentLanguage": "de", "cacheControl": "x"}"#).await;
    assert_eq!((&first["metadata"], &first["contentLanguage"]), (&json!({"a": "1", "b": "2"}), &json!("de")));
    let second = patch(r#"{"metadata": {"a": null, "c": "3"}, "contentLanguage": null}"#).await;
    assert_eq!((&second["metadata"], second.get("contentLanguage")), (&json!({"b": "2", "c": "3"}), None));
    assert_eq!((&second["cacheControl"], &second["metageneration"]), (&json!("x"), &json!("3")));
    let third = patch(r#"{"metadata": null}"#).await;
    assert_eq!(third.get("metadata"), None);
    let headers = [("x-http-method-override", "patch")];
    let put = house.ask(&nobody, "PUT", &uri, &headers, r#"{"contentType":"a/b"}"#).await;
    assert_eq!(put.json()["contentType"], "a/b");
}

#[tokio::test]
async fn a_token_opens_an_object_until_it_is_revoked() {
    let closed = "rules_version = '2'; service firebase.storage { match /b/{b}/o { match /{f=**} { allow read: if false; } } }";
    let (house, nobody) = (House::new(closed).await, Caller::unauthenticated());
    let made = house.upload(&admin(), "t", "secret").await.json();
    let first = made["downloadTokens"].as_str().unwrap().to_owned();
    let read = async |token: &str| {
        let uri = format!("/v0/b/{BUCKET}/o/t?alt=media&token={token}");
        house.ask(&nobody, "GET", &uri, &[], "").await.status
    };
    assert_eq!((read(&first).await, read("guess").await, read("").await), (200, 403, 403));
    let change = async |caller: &Caller, query: &str| {
        let uri = format!("/v0/b/{BUCKET}/o/t?{query}");
        let answer = house.ask(caller, "POST", &uri, &[], "").await;
        (answer.status, answer.json()["downloadTokens"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(change(&user("alice", &[]), "create_token=true").await.0, 403);
    let (status, both) = change(&admin(), "create_token=true").await;
    assert_eq!((status, both.split(',').count()), (200, 2));
    let (_, left) = change(&admin(), &format!("delete_token={first}")).await;
    assert_eq!((read(&first).await, read(&left).await), (403, 200));
    let (_, new) = change(&admin(), &format!("delete_token={left}")).await;
    assert_eq!((read(&left).await, read(&new).await), (403, 200), "the last is replaced");
}
