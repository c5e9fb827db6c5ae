//! The routes: who may do what with a session, and what each request is answered with.

use std::sync::atomic::Ordering;
use std::time::Duration;

use access::{Caller, ForeignOrigin};
use axum::body::Body;
use firestore::api::webchannel::LIMITS;
use http::Version;
use serde_json::json;

use crate::client::{form, from, names, server};

const OPEN: &str = "VER=8&RID=1&CVER=22&X-HTTP-Session-Id=gsessionid";

#[tokio::test]
async fn a_session_carries_messages_both_ways() {
    let server = server(LIMITS);
    let answer = server.post(OPEN, form(0, &[r#"{"n":0,"text":"é😀 &="}"#])).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["cache-control"], "no-cache, no-store, no-transform");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(!answer.headers.contains_key("x-client-wire-protocol"), "only over HTTP/2");
    let names = names(answer).await;
    let mut back = server.get(&format!("{names}&RID=rpc&AID=0&CI=0&TYPE=xmlhttp&t=1")).await;
    assert_eq!(back.headers["x-accel-buffering"], "no");
    // Perhaps the echo is slower than the first noop.
    let mut arrays = Vec::new();
    while !arrays.iter().any(|array: &serde_json::Value| array[1][0]["echo"]["n"] == 0) {
        arrays.extend(back.arrays().await.unwrap());
    }
    assert_eq!(arrays.last().unwrap()[1], json!([{"caller": "nobody", "echo": {"n": 0, "text": "é😀 &="}}]));
    let receipt = server.post(&format!("{names}&RID=2&AID={}", arrays.len()), form(1, &[r#"{"n":1}"#])).await;
    assert!(receipt.text().await.starts_with(&format!("7\n[1,{},0]", arrays.len())));
    let next = back.arrays().await.unwrap();
    assert_eq!(next[0], json!([arrays.len() + 1, [{"caller": "nobody", "echo": {"n": 1}}]]));
    // Its client ends it: the response ends, the stream is dropped, the names mean nothing.
    assert_eq!(server.post(&format!("{names}&RID=3&TYPE=terminate"), "").await.status, 200);
    assert!(back.arrays().await.is_none());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((server.serving.load(Ordering::SeqCst), server.channels.in_use()), (0, (0, 0)));
    let gone = server.get(&format!("{names}&RID=rpc&AID=0&CI=0")).await;
    assert_eq!((gone.status, gone.text().await.find("Unknown SID")), (400, Some(7)));
}

#[tokio::test]
async fn a_token_in_the_body_is_the_sessions() {
    let server = server(LIMITS);
    for (headers, expected) in [
        ("headers=Authorization%3ABearer%20alice%0D%0AX-Goog-Api-Key%3Ak%0D%0A&", json!({"caller": "alice"})),
        ("%24httpHeaders=x&headers=authorization%3A%20Bearer%20bob%0A&", json!({"caller": "bob"})),
        ("headers=Authorization%3ABasic%20xyz&", json!({"caller": "nobody"})),
        (
            "headers=Authorization%3ABearer%20bad%0D%0A&",
            json!([{"error": {"code": 401, "message": "The token is expired.", "status": "UNAUTHENTICATED"}}]),
        ),
    ] {
        let names = server.open(&format!("{headers}{}", form(0, &["{}"]))).await;
        let mut poll = server.get(&format!("{names}&RID=rpc&AID=0&CI=1&TO=2000")).await;
        let mut found = poll.arrays().await.unwrap()[0][1][0].clone();
        if let Some(object) = found.as_object_mut() {
            object.remove("echo");
        }
        assert_eq!(found, expected);
        assert!(poll.arrays().await.is_none());
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_is_no_administrator() {
    let server = server(LIMITS);
    for (is_foreign, expected) in [(true, json!(403)), (false, json!(null))] {
        let mut request = from("POST", OPEN, [10, 0, 0, 1]);
        if is_foreign {
            request = request.extension(ForeignOrigin("https://evil.test".to_owned()));
        }
        let body = format!("headers=Authorization%3ABearer%20owner%0D%0A&{}", form(0, &["{}"]));
        let names = names(server.ask(request.body(Body::from(body)).unwrap()).await).await;
        let mut poll = server.get(&format!("{names}&RID=rpc&AID=0&CI=1")).await;
        assert_eq!(poll.arrays().await.unwrap()[0][1][0][0]["error"]["code"], expected);
    }
}

#[tokio::test]
async fn a_stolen_session_needs_both_secrets_the_origin_and_no_other_caller() {
    let server = server(LIMITS);
    let request = from("POST", OPEN, [10, 0, 0, 1]).header("origin", "https://app.test");
    let body = format!("headers=Authorization%3ABearer%20alice%0D%0A&{}", form(0, &[]));
    let names = names(server.ask(request.body(Body::from(body)).unwrap()).await).await;
    let (session, http_session) = names.split_once("&gsessionid=").unwrap();
    assert!(session.len() >= 22 && http_session.len() >= 22);
    let ask = async |names: &str, origin: Option<&str>, caller: Caller| {
        let mut request = from("POST", &format!("{names}&RID=2&AID=0"), [10, 9, 9, 9]).extension(caller);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        server.ask(request.body(Body::from(form(0, &[]))).unwrap()).await.status
    };
    let (app, nobody) = (Some("https://app.test"), Caller::unauthenticated);
    assert_eq!(ask(session, app, nobody()).await, 400, "one secret");
    assert_eq!(ask(&format!("{session}&gsessionid={}", "A".repeat(22)), app, nobody()).await, 400);
    assert_eq!(ask(&names, None, nobody()).await, 400, "no origin");
    assert_eq!(ask(&names, Some("https://evil.test"), nobody()).await, 400, "another page");
    assert_eq!(ask(&names, app, Caller::admin("owner")).await, 403, "somebody else");
    // A client may change its network: its names are what it has.
    assert_eq!(ask(&names, app, nobody()).await, 200);
}

#[tokio::test]
async fn the_stream_ends_the_session_with_its_status() {
    let server = server(LIMITS);
    for (message, last) in [
        (
            r#"{"fail":true}"#,
            json!([[{"error": {"code": 403, "message": "näh", "status": "PERMISSION_DENIED"}}]]),
        ),
        (r#"{"end":true}"#, json!(["close"])),
    ] {
        let names = server.open(&form(0, &[message])).await;
        let mut poll = server.get(&format!("{names}&RID=rpc&AID=0&CI=1")).await;
        assert_eq!(poll.arrays().await.unwrap()[0][1], last);
        // Once its client has it, the session is gone.
        assert_eq!(server.post(&format!("{names}&RID=2&AID=1"), form(1, &[])).await.status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(server.post(&format!("{names}&RID=3&AID=1"), form(1, &[])).await.status, 400);
    }
}

#[tokio::test]
async fn http_2_is_announced() {
    let server = server(LIMITS);
    let mut request = from("POST", OPEN, [10, 0, 0, 1]).body(Body::from(form(0, &[]))).unwrap();
    *request.version_mut() = Version::HTTP_2;
    assert_eq!(server.ask(request).await.headers["x-client-wire-protocol"], "h2");
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_breaks_nothing() {
    let server = server(LIMITS);
    let names = server.open(&form(0, &[])).await;
    for query in
        ["VER=7&RID=1", "VER=8&RID=1&SID=%FF", "VER=8&RID=2&AID=x", &format!("VER=8&SID={}", "x".repeat(300))]
    {
        assert_eq!(server.post(query, form(0, &[])).await.status, 400, "{query}");
    }
    assert_eq!(server.get("VER=8&RID=rpc").await.status, 400, "no session");
    assert_eq!(server.get(&format!("{names}&RID=rpc&AID=7&CI=0")).await.status, 400, "never sent");
    for body in [
        "count=1&ofs=0",
        "count=0&req0___data__=x",
        "count=x",
        "count=1&ofs=-3&req0___data__=x",
        "count=1&req0___data__=%FF",
    ] {
        assert_eq!(server.post(&format!("{names}&RID=2&AID=0"), body).await.status, 400, "{body}");
    }
    assert_eq!(server.ask(from("PUT", &names, [10, 0, 0, 1]).body(Body::empty()).unwrap()).await.status, 405);
    assert_eq!(
        server.ask(from("HEAD", &names, [10, 0, 0, 1]).body(Body::empty()).unwrap()).await.status,
        405
    );
    let mut poll = server.get(&format!("{names}&RID=rpc&AID=0&CI=1&TO=10")).await;
    assert_eq!(poll.arrays().await.unwrap()[0][1], json!(["noop"]));
}

#[tokio::test]
async fn over_http_1_idle_responses_give_way_where_a_browser_may_have_no_connection_left() {
    let server = server(LIMITS);
    let mut open = Vec::new();
    for _ in 0..5 {
        let names = server.open(&form(0, &[])).await;
        let mut back = server.get(&format!("{names}&RID=rpc&AID=0&CI=0")).await;
        assert_eq!(back.arrays().await.unwrap()[0][1], json!(["noop"]));
        open.push(back);
    }
    // A sixth session has no response open: it may be waiting for a connection.
    server.open(&form(0, &[])).await;
    let ended = tokio::time::timeout(Duration::from_secs(2), open[0].arrays()).await;
    assert!(matches!(ended, Ok(None)), "it ends, and has said something before");
    // Over HTTP/2 nobody waits.
    let names = server.open(&form(0, &[])).await;
    let mut request =
        from("GET", &format!("{names}&RID=rpc&AID=0&CI=0"), [10, 0, 0, 1]).body(Body::empty()).unwrap();
    *request.version_mut() = Version::HTTP_2;
    let mut back = server.ask(request).await;
    assert!(back.arrays().await.is_some());
    assert!(tokio::time::timeout(Duration::from_secs(1), back.arrays()).await.is_err());
}
