//! What one client can cost: targets, streams, and what waits for those who do not read.

use base::Code;
use firestore::ops::listen::TARGETS_MAX;
use firestore::ops::shares::OPEN_USER_MAX;
use futures_util::StreamExt;
use futures_util::stream;

use crate::client::Client;
use crate::house::{admin, house, user};
use crate::{OPEN, set};

#[tokio::test]
async fn targets_beyond_the_bound_are_refused_alone() {
    let house = house(OPEN).await;
    let mut client = Client::open(&house, &user("mallory"));
    let excess = 50;
    for id in 1..=i32::try_from(TARGETS_MAX + excess).unwrap() {
        client.add_query(id, &format!("c{id}"), "");
    }
    client.snapshot().await;
    let lost = client.targets.values().filter(|target| target.lost.is_some()).count();
    assert_eq!(lost, excess);
    drop(client);
    assert_eq!(house.gate.open_grants().len(), 0, "nothing is left of a stream that is gone");
}

#[tokio::test]
async fn a_caller_has_a_share_of_streams() {
    let house = house(OPEN).await;
    let open = |uid: &str| house.firestore.listen(&user(uid), None, stream::pending().boxed());
    let mut streams: Vec<_> = (0..OPEN_USER_MAX).map(|_| open("mallory").unwrap()).collect();
    assert_eq!(open("mallory").map(drop).unwrap_err().code, Code::ResourceExhausted);
    assert!(open("ann").is_ok());
    streams.pop();
    assert!(open("mallory").is_ok());
}

#[tokio::test]
async fn who_does_not_read_holds_little_and_catches_up() {
    let house = house(OPEN).await;
    let mut client = Client::open(&house, &user("mallory"));
    client.add_query(1, "c", "");
    client.add_query(2, "c", r#", "orderBy": [{"field": {"fieldPath": "n"}}], "limit": 2"#);
    client.snapshot().await;
    let large = "x".repeat(100_000);
    let write = |id: usize| {
        format!(
            r#"{{"update": {{"name": "$/c/d{id:02}", "fields": {{"n": {{"integerValue": "{id}"}}, "t": {{"stringValue": "{large}"}}}}}}}}"#
        )
    };
    for round in 0..3 {
        for id in 0..40 {
            house.commit(&admin(), &format!("[{}]", write(id + round))).await.unwrap();
        }
    }
    house.commit(&admin(), &format!("[{}]", set("c/last", 1000))).await.unwrap();
    client.until("what was missed", |client| client.ids(1).len() == 43).await;
    client.snapshot().await;
    assert_eq!(client.ids(2), ["d00", "d01"]);
    assert!(client.targets[&1].resets == 0, "it resumes");
}
