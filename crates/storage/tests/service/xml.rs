//! Cloud Storage's XML API.

use access::{Caller, Mode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::firebase::OPEN;
use crate::house::{Answer, BUCKET, House, admin};

async fn ask(house: &House, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    house.ask(&admin(), method, &format!("/{BUCKET}{path}"), headers, body.to_owned()).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[tokio::test]
async fn objects_are_written_read_copied_listed_and_deleted_by_their_paths() {
    let house = House::new(OPEN).await;
    let headers = [("content-type", "a/b"), ("x-goog-meta-k", "v"), ("x-goog-if-generation-match", "0")];
    let put = ask(&house, "PUT", "/a/%3Cb%3E", &headers, "hello").await;
    assert_eq!((put.status, put.header("x-goog-hash")), (200, "crc32c=mnG7TA=="));
    assert_eq!(ask(&house, "PUT", "/a/%3Cb%3E", &headers, "again").await.status, 412);
    let got = ask(&house, "GET", "/a/%3Cb%3E", &[], "").await;
    assert_eq!((got.body.as_slice(), got.header("content-type")), (b"hello".as_slice(), "a/b"));
    let source = format!("/{BUCKET}/a/%3Cb%3E");
    let copied = ask(&house, "PUT", "/c", &[("x-goog-copy-source", &source)], "").await;
    assert!(copied.status == 200 && text(&copied).contains("<CopyObjectResult>"), "{}", text(&copied));
    let listed = text(&ask(&house, "GET", "?delimiter=/", &[], "").await);
    assert!(
        listed.contains("<Key>c</Key>") && listed.contains("<CommonPrefixes><Prefix>a/</Prefix>"),
        "{listed}"
    );
    let listed = text(&ask(&house, "GET", "?prefix=a/&max-keys=1", &[], "").await);
    assert!(listed.contains("<Key>a/&lt;b&gt;</Key>") && listed.contains("<IsTruncated>false"), "{listed}");
    assert_eq!(ask(&house, "DELETE", "/c", &[], "").await.status, 204);
    let missing = ask(&house, "GET", "/c", &[], "").await;
    assert_eq!((missing.status, missing.header("content-type")), (404, "application/xml; charset=UTF-8"));
    assert!(text(&missing).contains("<Code>NoSuchKey</Code>"));
    let refused = house.ask(&Caller::unauthenticated(), "GET", "/../x", &[], "").await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_resumable_upload_goes_on_at_its_address() {
    let house = House::new(OPEN).await;
    let start = [("x-goog-resumable", "start"), ("content-type", "text/plain")];
    let begun = ask(&house, "POST", "/r%20r", &start, "").await;
    assert_eq!(begun.status, 201);
    let at = begun.header("location").strip_prefix("http://127.0.0.1:9199").unwrap().to_owned();
    // Who has the address needs nothing else.
    let nobody = Caller::unauthenticated();
    let first = house.ask(&nobody, "PUT", &at, &[("content-range", "bytes 0-4/11")], "hello").await;
    assert_eq!((first.status, first.header("range")), (308, "bytes=0-4"));
    let last = house.ask(&nobody, "PUT", &at, &[("content-range", "bytes 5-10/11")], " world").await;
    assert_eq!(last.status, 200);
    assert_eq!(ask(&house, "GET", "/r%20r", &[], "").await.body, b"hello world");
}

#[tokio::test]
async fn a_key_of_the_clients_own_is_refused_as_nothing_would_be_encrypted() {
    let house = House::new(OPEN).await;
    let key = [("x-goog-encryption-algorithm", "AES256"), ("x-goog-encryption-key", "AAAA")];
    let by_path = ask(&house, "PUT", "/x", &key, "hello").await;
    let uri = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=x");
    let json = house.ask(&admin(), "POST", &uri, &key, "hello").await;
    assert_eq!((by_path.status, json.status, house.blobs().await), (400, 400, 0));
}

#[tokio::test]
async fn what_an_url_says_of_an_answer_does_not_let_browsers_run_it() {
    let house = House::new(OPEN).await;
    ask(&house, "PUT", "/page", &[("content-type", "text/plain")], "<script>alert(1)</script>").await;
    for (query, disposition) in [
        ("response-content-disposition=attachment%3B%20filename%3Da.txt", "attachment; filename=a.txt"),
        ("response-content-disposition=inline", "inline; filename*=utf-8''page"),
        (
            "response-content-disposition=inline&response-content-type=text/html",
            "attachment; filename*=utf-8''page",
        ),
        ("response-content-type=text/html%0d%0aset-cookie:a", "attachment; filename*=utf-8''page"),
    ] {
        let got = ask(&house, "GET", &format!("/page?{query}"), &[], "").await;
        assert_eq!(got.header("content-disposition"), disposition, "{query}");
        assert_eq!(
            (got.header("x-content-type-options"), got.header("set-cookie")),
            ("nosniff", ""),
            "{query}"
        );
    }
}

fn form(fields: &[(&str, &str)], file: &str) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body + &format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{file}\r\n--b--\r\n"
    )
}

#[tokio::test]
async fn a_form_is_bound_to_its_policy_and_in_production_to_a_signature() {
    let house = House::new(OPEN).await;
    let kind = [("content-type", "multipart/form-data; boundary=b")];
    let policy = |expiration: &str| {
        let range = json!(["content-length-range", 2, 8]);
        let conditions = json!([{"bucket": BUCKET}, {"key": "posted"}, {"x-goog-meta-a": "b"}, range]);
        STANDARD.encode(json!({"expiration": expiration, "conditions": conditions}).to_string())
    };
    let good = policy("2099-01-01T00:00:00Z");
    let signed = [
        ("x-goog-algorithm", "GOOG4-RSA-SHA256"),
        ("x-goog-credential", "a@b/20251124/auto/storage/goog4_request"),
        ("x-goog-date", "20251124T000000Z"),
        ("x-goog-signature", "00"),
    ];
    let over = policy("2020-01-01T00:00:00Z");
    for (policy, key, extra, file, status) in [
        (Some(&good), "posted", None, "hello", 403),
        (None, "posted", None, "hello", 204),
        (None, "posted", Some(("success_action_status", "201")), "hello", 201),
        (Some(&over), "posted", None, "hello", 403),
        (Some(&good), "other", None, "hello", 403),
        (Some(&good), "posted", Some(("content-type", "text/html")), "hello", 403),
    ] {
        let mut fields = vec![("key", key), ("x-goog-meta-a", "b")];
        fields.extend(extra);
        if let Some(policy) = policy {
            fields.push(("policy", policy));
            fields.extend(signed);
        }
        let answer = house.ask(&admin(), "POST", &format!("/{BUCKET}"), &kind, form(&fields, file)).await;
        // Of what signs, the policy's conditions name nothing: it is refused.
        assert_eq!(answer.status, status, "{key} {extra:?}: {}", text(&answer));
    }
    let serve = House::with(OPEN, std::sync::Arc::clone(&house.files), Mode::Serve).await;
    let uri = format!("/storage.googleapis.com/{BUCKET}/");
    let body = form(&[("key", "posted")], "hello");
    let unsigned = serve.ask(&Caller::unauthenticated(), "POST", &uri, &kind, body.clone()).await;
    assert_eq!((unsigned.status, serve.ask(&admin(), "POST", &uri, &kind, body).await.status), (401, 204));
}

#[tokio::test]
async fn a_url_ends_when_it_says_so_and_is_worth_nothing_where_nobody_can_check_it() {
    let house = House::new(OPEN).await;
    ask(&house, "PUT", "/x", &[], "hello").await;
    // The clock stands at 2025-11-24T16:00:00Z.
    let v4 = |date: &str, expires: &str| {
        format!(
            "/x?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=a%40b%2F{}%2Fauto%2Fstorage%2Fgoog4_request\
             &X-Goog-Date={date}&X-Goog-Expires={expires}&X-Goog-SignedHeaders=host&X-Goog-Signature=00",
            date.split('T').next().unwrap()
        )
    };
    let v2 = |expires: i64| format!("/x?GoogleAccessId=a%40b&Expires={expires}&Signature=AAAA");
    for (path, status) in [
        (v4("20251124T155900Z", "120"), 200),
        (v4("20251124T155700Z", "120"), 403),
        (v4("20251124T170000Z", "120"), 403),
        (v4("20251124T155900Z", "700000"), 403),
        (v2(1_764_000_001), 200),
        (v2(1_763_999_999), 403),
    ] {
        assert_eq!(ask(&house, "GET", &path, &[], "").await.status, status, "dev: {path}");
        let serve = House::with(OPEN, std::sync::Arc::clone(&house.files), Mode::Serve).await;
        let uri = format!("/storage.googleapis.com/{BUCKET}{path}");
        let answer = serve.ask(&Caller::unauthenticated(), "GET", &uri, &[], "").await;
        assert_eq!(answer.status, 403, "serve: {path}");
    }
}
