//! What a hostile client finds: bounded, and a clear error.

use std::io::Write;

use access::Caller;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::firebase::OPEN;
use crate::house::{BUCKET, House, admin, user};

#[tokio::test]
async fn names_are_names_and_no_paths() {
    let house = House::new(OPEN).await;
    for (name, is_good) in [
        ("..%2F..%2Fetc%2Fpasswd", true),
        ("%2Fetc%2Fpasswd", true),
        ("a%2F.%2Fb", true),
        ("%E4%BD%A0%20%3F%23%26", true),
        ("..", false),
        ("%00", false),
        ("a%0Db", false),
        ("%FF", false),
    ] {
        let made = house.upload(&admin(), name, "x").await;
        assert_eq!(made.status, if is_good { 200 } else { 400 }, "{name}");
        if is_good {
            assert_eq!(house.download(&admin(), name).await.status, 200, "{name}");
        }
    }
    for bucket in ["..", "%2E%2E", "a%2Fb", "a%00"] {
        let uri = format!("/v0/b/{bucket}/o?name=x");
        assert_eq!(house.ask(&admin(), "POST", &uri, &[], "x").await.status, 400, "{bucket}");
    }
}

#[tokio::test]
async fn what_browsers_would_run_comes_as_an_attachment_that_nobody_sniffs() {
    let house = House::new(OPEN).await;
    for (content_type, disposition) in [
        ("text/html", "attachment"),
        ("TEXT/HTML; charset=utf-8", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xhtml+xml", "attachment"),
        ("text/javascript", "attachment"),
        ("image/png", "inline"),
        ("text/plain", "inline"),
    ] {
        let uri = format!("/v0/b/{BUCKET}/o?name=x");
        house.ask(&admin(), "POST", &uri, &[("content-type", content_type)], "<script>").await;
        let got = house.download(&admin(), "x").await;
        assert!(got.header("content-disposition").starts_with(disposition), "{content_type}");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert!(got.header("content-security-policy").starts_with("sandbox"));
    }
}

#[tokio::test]
async fn metadata_smuggles_no_headers_and_has_a_bound() {
    let house = House::new(OPEN).await;
    house.upload(&admin(), "x", "x").await;
    let uri = format!("/v0/b/{BUCKET}/o/x");
    let large = format!(r#"{{"metadata": {{"k": "{}"}}}}"#, "v".repeat(9000));
    let larger = format!(r#"{{"metadata": {{"k": "{}"}}}}"#, "v".repeat(300_000));
    let tokens = format!(
        r#"{{"metadata": {{"firebaseStorageDownloadTokens": "{}"}}}}"#,
        "a,".repeat(2) + &"b".repeat(300)
    );
    for text in [
        r#"{"contentType": "text/plain\r\nSet-Cookie: a=b"}"#,
        r#"{"cacheControl": "a\nb"}"#,
        r#"{"contentDisposition": "\u0000"}"#,
        r#"{"contentType": 3}"#,
        r#"{"metadata": []}"#,
        r"[]",
        "{",
        large.as_str(),
        larger.as_str(),
        tokens.as_str(),
    ] {
        let refused = house.ask(&admin(), "PATCH", &uri, &[], text.to_owned()).await;
        assert_eq!(refused.status, 400, "{}", text.chars().take(60).collect::<String>());
    }
    let named = house.upload(&admin(), "a%22%3Bfilename%3Devil.exe", "x").await;
    assert_eq!(named.status, 200);
    let got = house.download(&admin(), "a%22%3Bfilename%3Devil.exe").await;
    assert_eq!(got.header("content-disposition"), "inline; filename*=utf-8''a%22%3Bfilename%3Devil.exe");
}

#[tokio::test]
async fn ranges_give_no_more_than_there_is() {
    let (house, nobody) = (House::new(OPEN).await, Caller::unauthenticated());
    house.upload(&nobody, "r", "0123456789").await;
    let bomb = format!("bytes={}", (0..5000).map(|_| "0-9").collect::<Vec<_>>().join(","));
    for (range, status, body) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=0-1000000", 206, "0123456789"),
        ("bytes=-3", 206, "789"),
        ("bytes=10-", 416, ""),
        (bomb.as_str(), 200, "0123456789"),
        ("bytes=4-2", 200, "0123456789"),
    ] {
        let uri = format!("/v0/b/{BUCKET}/o/r?alt=media");
        let got = house.ask(&nobody, "GET", &uri, &[("range", range)], "").await;
        assert_eq!(got.status, status, "{range:.30}");
        if status != 416 {
            assert_eq!(got.body, body.as_bytes(), "{range:.30}");
        }
    }
    let uri = format!("/v0/b/{BUCKET}/o/r?alt=media");
    let etag = house.ask(&nobody, "HEAD", &uri, &[], "").await;
    assert_eq!((etag.header("content-length"), etag.body.len()), ("10", 0));
    let known = house.ask(&nobody, "GET", &uri, &[("if-none-match", etag.header("etag"))], "").await;
    assert_eq!(known.status, 304);
}

#[tokio::test]
async fn gzip_is_unpacked_for_who_does_not_take_it_and_a_bomb_comes_in_pieces() {
    let (house, nobody) = (House::new(OPEN).await, Caller::unauthenticated());
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..50 {
        packer.write_all(&zeros).unwrap();
    }
    let packed = packer.finish().unwrap();
    let uri = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=z&contentEncoding=gzip");
    let made = house.ask(&admin(), "POST", &uri, &[("content-type", "text/plain")], packed.clone()).await;
    assert_eq!((made.status, &made.json()["contentEncoding"]), (200, &"gzip".into()));
    let uri = format!("/v0/b/{BUCKET}/o/z?alt=media");
    let got = house.ask(&nobody, "GET", &uri, &[("accept-encoding", "br, gzip;q=0.5")], "").await;
    assert_eq!((got.header("content-encoding"), got.body == packed), ("gzip", true));
    for accepted in ["identity", "gzip;q=0"] {
        let got = house.ask(&nobody, "GET", &uri, &[("accept-encoding", accepted)], "").await;
        assert_eq!((got.header("content-encoding"), got.body.len()), ("", 50 << 20));
    }
}

#[tokio::test]
async fn open_uploads_have_a_bound_for_each_address() {
    let house = House::new(OPEN).await;
    let (mut open, mut refused) = (Vec::new(), 0);
    for _ in 0..510 {
        match house.start(&user("mallory", &[]), "x", Some(5)).await {
            Ok(url) => open.push(url),
            Err(answer) => {
                assert_eq!(answer.status, 429);
                assert!(String::from_utf8_lossy(&answer.body).contains("from one address"));
                refused += 1;
            }
        }
    }
    assert_eq!((open.len(), refused), (500, 10));
    assert_eq!(house.files.drafts().await.unwrap().len(), 0, "they cost no files");
    let cancelled = house.ask(&admin(), "POST", &open[0], &[("x-goog-upload-command", "cancel")], "").await;
    assert_eq!(cancelled.status, 200);
    assert!(house.start(&user("mallory", &[]), "x", Some(5)).await.is_ok());
    // A restart does not set them free.
    assert!(house.restarted().start(&user("mallory", &[]), "x", Some(5)).await.is_err());
}
