//! What one address can cost with channels, and what ends it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use firestore::api::webchannel::session::Patience;
use firestore::api::webchannel::{LIMITS, Limits};

use crate::client::{form, from, names, server};

const OPEN: &str = "VER=8&RID=1&X-HTTP-Session-Id=gsessionid";

/// Production's limits with less patience.
const SHORT: Limits = Limits {
    patience: Patience { unused_ms: 3_000, abandoned_ms: 500, linger_ms: 500, evictable_ms: 1_500 },
    ..LIMITS
};

#[tokio::test]
async fn sessions_that_are_opened_and_left_are_few_and_end() {
    let limits = Limits { sessions: 300, sessions_of_network: 200, ..SHORT };
    let server = server(limits);
    let mut answers = std::collections::BTreeMap::new();
    let mut first = None;
    for attempt in 0..2_000_u32 {
        let answer = server.post(OPEN, form(0, &["{}"])).await;
        *answers.entry(answer.status).or_insert(0) += 1;
        if attempt == 0 {
            first = Some(names(answer).await);
        }
        assert!(server.channels.in_use().0 <= 201);
    }
    // Nobody who came before is thrown out by somebody who only opens more.
    assert_eq!(answers, [(200, 200), (503, 1_800)].into());
    let poll = server.get(&format!("{}&RID=rpc&AID=0&CI=1&TO=1", first.unwrap())).await;
    assert_eq!(poll.status, 200);
    drop(poll);
    // Others have theirs.
    let others = from("POST", OPEN, [10, 0, 0, 2]).body(Body::from(form(0, &[]))).unwrap();
    assert_eq!(server.ask(others).await.status, 200);
    // After a while one that was left makes room for a new one.
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!(server.post(OPEN, form(0, &["{}"])).await.status, 200);
    // And all that were never used end, with their streams.
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_eq!((server.channels.in_use(), server.serving.load(Ordering::SeqCst)), ((0, 0), 0));
}

#[tokio::test]
async fn a_response_that_is_never_read_holds_a_bounded_piece_of_the_stream() {
    let server = server(SHORT);
    let names = server.open(&form(0, &[r#"{"flood":1000000}"#])).await;
    let unread = server.get(&format!("{names}&RID=rpc&AID=0&CI=0")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (_, bytes) = server.channels.in_use();
    assert!((3_900_000..5 << 20).contains(&bytes), "{bytes}");
    // It is ended with its connection; then nobody comes back for the rest.
    drop(unread);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!((server.channels.in_use(), server.serving.load(Ordering::SeqCst)), ((0, 0), 0));
}

#[tokio::test]
async fn one_that_reads_and_acknowledges_gets_everything() {
    let server = server(LIMITS);
    let names = server.open(&form(0, &[r#"{"flood":20000}"#])).await;
    let (mut last, mut responses) = (0, 0);
    while last < 20_001 {
        let mut back = server.get(&format!("{names}&RID=rpc&AID={last}&CI=0")).await;
        responses += 1;
        while last < 20_001
            && let Some(arrays) = back.arrays().await
        {
            for array in arrays {
                last += u64::from(array[1][0] != "noop");
                assert!(array[0].as_u64().unwrap() >= last);
            }
        }
    }
    assert!((20..40).contains(&responses), "{responses} responses of a mebibyte each");
}

#[tokio::test]
async fn messages_before_their_turn_are_bounded_and_one_that_breaks_the_rules_ends() {
    let server = server(LIMITS);
    let large = "x".repeat(1 << 20);
    let names = server.open(&form(0, &["{}"])).await;
    let send = async |offset: u64| {
        let query = format!("{names}&RID=2&AID=0");
        server.post(&query, form(offset, &[large.as_str(); 8])).await.status
    };
    for offset in [2, 10, 18, 26] {
        assert_eq!(send(offset).await, 200, "{offset}");
    }
    assert!(server.channels.in_use().1 <= (32 << 20) + 1000);
    assert_eq!(send(34).await, 400, "more than may wait");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.channels.in_use(), (0, 0));
    for body in [
        "count=1&ofs=99999999999999999999&req0___data__=1",
        "count=1&ofs=9007199254740992&req1___data__=1",
        "count=1&ofs=9007199254740992&req0___data__=1",
        "count=1&ofs=10001&req0___data__=1",
        "count=18446744073709551615&ofs=0&req0___data__=1",
        "count=1000000000&ofs=0",
    ] {
        let names = server.open(&form(0, &["{}"])).await;
        assert_eq!(server.post(&format!("{names}&RID=2&AID=0"), body).await.status, 400, "{body}");
    }
    let many: String = (0..1001).map(|n| format!("&req{n}___data__=1")).collect();
    assert_eq!(server.post(OPEN, format!("count=1001&ofs=0{many}")).await.status, 400);
    assert_eq!(server.post(OPEN, vec![b'x'; (34 << 20) + 1]).await.status, 413);
}

#[tokio::test]
async fn what_all_sessions_hold_is_bounded_and_the_one_that_holds_most_gives_way() {
    let limits = Limits { bytes: 6 << 20, bytes_of_network: 4 << 20, ..LIMITS };
    let server = server(limits);
    let kept = server.open(&form(0, &["{}"])).await;
    for _ in 0..20 {
        server.open(&form(0, &[r#"{"wide":700000}"#])).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(server.channels.in_use().1 <= 4 << 20);
    }
    // Another address is not the one that gives way.
    let body = Body::from(form(0, &[r#"{"wide":500000}"#]));
    let other = names(server.ask(from("POST", OPEN, [10, 0, 0, 2]).body(body).unwrap()).await).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    for (names, address) in [(kept, [10, 0, 0, 1]), (other, [10, 0, 0, 2])] {
        let request =
            from("GET", &format!("{names}&RID=rpc&AID=0&CI=1"), address).body(Body::empty()).unwrap();
        assert!(server.ask(request).await.arrays().await.is_some());
    }
}

#[tokio::test]
async fn a_stream_that_takes_nothing_stops_its_client() {
    let server = server(LIMITS);
    // The echo waits for its client, who reads nothing; then requests wait for the echo.
    let names = server.open(&form(0, &[r#"{"flood":1000000}"#])).await;
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    assert_eq!(server.post(&format!("{names}&RID=2&AID=0"), form(1, &[&large])).await.status, 200);
    let query = format!("{names}&RID=3&AID=0");
    let waiting = server.post(&query, form(2, &[&large]));
    let waited = tokio::time::timeout(Duration::from_millis(200), waiting).await;
    assert!(waited.is_err(), "one more is not taken in");
    assert!(server.channels.in_use().1 < 6 << 20);
}
