//! Many who ask the same at once: what costs the store once, and what must be said to each.

use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use wire::v1;

use crate::client::{Client, query};
use crate::house::{House, admin, counted, house, message, user};
use crate::{OPEN, n_is, set};

const CLIENTS: usize = 200;

/// So many clients with a target each, until each has had a snapshot.
async fn all(house: &House, target: impl Fn(usize) -> v1::Target) -> Vec<Client> {
    let waits: FuturesUnordered<_> = (0..CLIENTS)
        .map(|n| {
            let mut client = Client::open(house, &admin());
            client.add_target(target(n));
            async move {
                client.snapshot().await;
                client
            }
        })
        .collect();
    waits.collect().await
}

#[tokio::test]
async fn those_who_resume_at_once_read_the_log_once() {
    let (house, asked) = counted(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/first", -1))).await.unwrap();
    let mut first = Client::open(&house, &admin());
    first.add_query(1, "c", "");
    first.snapshot().await;
    for n in 0..1_000 {
        house.commit(&admin(), &format!("[{}]", set(&format!("c/d{n}"), n % 100))).await.unwrap();
    }
    let token = first.token.clone();
    let scans = asked.scans.load(Ordering::SeqCst);
    let clients = all(&house, |n| v1::Target {
        resume_type: Some(v1::target::ResumeType::ResumeToken(token.clone())),
        ..message(&query(1, "c", &n_is(n as i64 % 100)))
    })
    .await;
    let scans = asked.scans.load(Ordering::SeqCst) - scans;
    // A log of a thousand commits is some pages long; who came late begins another reading.
    assert!(scans < 40, "{scans} scans for {CLIENTS} clients");
    for client in &clients {
        assert_eq!((client.targets[&1].documents.len(), client.targets[&1].resets), (10, 0));
    }
}

#[tokio::test]
async fn those_who_ask_the_same_at_once_load_it_once() {
    let (house, asked) = counted(OPEN).await;
    let writes: Vec<_> = (0..50).map(|n| set(&format!("c/d{n}"), n)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(", "))).await.unwrap();
    let scans = asked.scans.load(Ordering::SeqCst);
    let mut clients = all(&house, |_| message(&query(1, "c", ""))).await;
    let scans = asked.scans.load(Ordering::SeqCst) - scans;
    assert!(scans < 10, "{scans} scans for {CLIENTS} clients");
    assert!(clients.iter().all(|client| client.targets[&1].documents.len() == 50));
    // What was kept is not as it was any more.
    house.commit(&admin(), &format!("[{}, {}]", set("c/d7", 70), set("c/new", 1))).await.unwrap();
    let mut late = Client::open(&house, &admin());
    late.add_query(1, "c", "");
    late.snapshot().await;
    clients[0].until("the same", |client| client.targets[&1].documents == late.targets[&1].documents).await;
    assert_eq!(late.targets[&1].documents.len(), 51);
}

/// One who may not see a result does not see the one that was loaded for another.
#[tokio::test]
async fn what_was_loaded_for_one_is_decided_for_the_other() {
    let house = house("match /c/{d} { allow read: if request.auth.uid == 'ann'; }").await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut ann = Client::open(&house, &user("ann"));
    ann.add_query(1, "c", "");
    ann.snapshot().await;
    assert_eq!(ann.ids(1), ["a"]);
    let mut bob = Client::open(&house, &user("bob"));
    bob.add_query(1, "c", "");
    bob.until("his denial", |client| client.targets[&1].lost.is_some()).await;
    assert!(bob.sent.is_empty());
}

/// Rules are released while many listen: each is decided by the new ones, and those who may listen on hear everything.
#[tokio::test]
async fn a_release_decides_every_grant_again() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let mut client = Client::open(&house, &user(&format!("u{n}")));
        for target in 1..=5 {
            client.add_query(target, "c", &n_is(i64::from(target)));
        }
        client.add_query(6, "public", "");
        client.snapshot().await;
        clients.push(client);
    }
    let rules = "rules_version = '2'; service cloud.firestore { match /databases/{d}/documents {
        match /public/{d} { allow read; } match /c/{d} { allow read: if request.auth.uid in ['u0', 'u7']; } } }";
    house.gate.rules().firestore.load(policy::Source::new("firestore.rules", rules)).unwrap();
    house.commit(&admin(), &format!("[{}, {}]", set("c/b", 3), set("public/x", 1))).await.unwrap();
    for (n, client) in clients.iter_mut().enumerate() {
        client.until("the public document", |client| client.targets[&6].documents.len() == 1).await;
        let may = [0, 7].contains(&n);
        assert!((1..=5).all(|target| client.targets[&target].lost.is_none() == may), "client {n}");
        assert_eq!(client.sent.contains_key(&format!("{}/c/b", crate::house::ROOT)), may, "client {n}");
    }
}
