//! What a transaction may rely on, whose it is, and when it ends.

use std::sync::Arc;

use access::Caller;
use base::{Code, ManualClock};
use bytes::Bytes;
use futures_util::TryStreamExt;
use wire::v1;

use super::house::{DATABASE, ROOT, admin, house, message, timed, user};
use super::{OPEN, begin, code, commit_in, get_in, set};

#[tokio::test]
async fn two_transactions_cannot_lose_an_update() {
    let house = house(OPEN).await;
    let alice = user("alice");
    house.commit(&admin(), &format!("[{}]", set("c/d", 10))).await.unwrap();
    let (one, two) = (begin(&house, &alice, "{}").await, begin(&house, &alice, "{}").await);
    get_in(&house, &alice, "c/d", &one).await.unwrap();
    get_in(&house, &alice, "c/d", &two).await.unwrap();
    commit_in(&house, &alice, &format!("[{}]", set("c/d", 11)), &one).await.unwrap();
    let aborted = commit_in(&house, &alice, &format!("[{}]", set("c/d", 11)), &two).await.unwrap_err();
    assert_eq!(aborted.code, Code::Aborted);
    assert!(aborted.message.starts_with("Aborted due to cross-transaction contention."));
    assert_eq!(house.number("c/d", "n").await, Some(11));
}

#[tokio::test]
async fn absence_and_query_results_are_relied_on_too() {
    let house = house(OPEN).await;
    let alice = user("alice");
    let one = begin(&house, &alice, "{}").await;
    assert_eq!(code(get_in(&house, &alice, "c/missing", &one).await), Code::NotFound);
    house.commit(&alice, &format!("[{}]", set("c/missing", 1))).await.unwrap();
    assert_eq!(code(commit_in(&house, &alice, &format!("[{}]", set("x/y", 1)), &one).await), Code::Aborted);

    let query = format!(
        r#"{{"parent": "{ROOT}", "structuredQuery": {{"from": [{{"collectionId": "q"}}]}}, "newTransaction": {{}}}}"#
    );
    let results = house.firestore.run_query(&alice, message(&query)).await.unwrap();
    let results: Vec<_> = results.try_collect().await.unwrap();
    assert_eq!(results.len(), 1);
    assert!(results[0].document.is_none() && results[0].read_time.is_some());
    let two = results[0].transaction.clone();
    assert!(!two.is_empty());
    house.commit(&alice, &format!("[{}]", set("q/new", 1))).await.unwrap();
    assert_eq!(code(commit_in(&house, &alice, &format!("[{}]", set("x/y", 1)), &two).await), Code::Aborted);
    assert!(house.look("x/y").await.is_none());
}

#[tokio::test]
async fn a_transaction_reads_one_moment_and_a_read_only_one_writes_nothing() {
    let house = house(OPEN).await;
    let alice = user("alice");
    house.commit(&alice, &format!("[{}, {}]", set("c/a", 1), set("c/b", 1))).await.unwrap();
    let only = begin(&house, &alice, r#"{"readOnly": {}}"#).await;
    let both = begin(&house, &alice, "{}").await;
    get_in(&house, &alice, "c/a", &both).await.unwrap();
    house.commit(&alice, &format!("[{}, {}]", set("c/a", 2), set("c/b", 2))).await.unwrap();
    for id in [&only, &both] {
        let read = get_in(&house, &alice, "c/b", id).await.unwrap();
        assert_eq!(read.fields["n"], message(r#"{"integerValue": "1"}"#));
    }
    // A transaction without writes never aborts.
    commit_in(&house, &alice, "[]", &both).await.unwrap();
    let refused = commit_in(&house, &alice, &format!("[{}]", set("c/a", 3)), &only).await.unwrap_err();
    assert_eq!(refused.message, "Cannot modify entities in a read-only transaction.");
}

#[tokio::test]
async fn a_transaction_is_its_callers_and_ends_with_its_commit() {
    let house = house(OPEN).await;
    let (alice, bob) = (user("alice"), user("bob"));
    let id = begin(&house, &alice, "{}").await;
    assert_eq!(get_in(&house, &bob, "c/d", &id).await.unwrap_err().message, "Invalid transaction.");
    assert_eq!(code(get_in(&house, &alice, "c/d", &Bytes::from_static(b"abc")).await), Code::InvalidArgument);
    commit_in(&house, &alice, &format!("[{}]", set("c/d", 1)), &id).await.unwrap();
    let ended = commit_in(&house, &alice, &format!("[{}]", set("c/d", 2)), &id).await.unwrap_err();
    assert!(ended.message.contains("transaction has expired"), "{ended}");
    let id = begin(&house, &alice, "{}").await;
    let rollback = v1::RollbackRequest { database: DATABASE.into(), transaction: id, ..Default::default() };
    house.firestore.rollback(&alice, rollback.clone()).await.unwrap();
    assert_eq!(code(house.firestore.rollback(&alice, rollback).await), Code::InvalidArgument);
}

#[tokio::test]
async fn transactions_expire() {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let house = timed(OPEN, clock.clone()).await;
    let alice = user("alice");
    let (idle, busy) = (begin(&house, &alice, "{}").await, begin(&house, &alice, "{}").await);
    let mut last = Ok(());
    for second in (0..270).step_by(45) {
        last = match get_in(&house, &alice, "c/d", &busy).await {
            Err(status) if status.code == Code::NotFound => Ok(()),
            other => Err(format!("after {second} s: {other:?}")),
        };
        clock.advance(45_000_000);
    }
    assert_eq!(last, Ok(()));
    clock.advance(1_000_000);
    for id in [idle, busy] {
        let expired = get_in(&house, &alice, "c/d", &id).await.unwrap_err();
        assert_eq!(expired.code, Code::InvalidArgument);
        assert!(expired.message.contains("transaction has expired"));
    }
}

#[tokio::test]
async fn whoever_opens_transactions_and_leaves_them_takes_none_from_others() {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let house = timed(OPEN, clock.clone()).await;
    let alice = user("alice");
    house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap();
    let request = v1::BeginTransactionRequest { database: DATABASE.into(), ..Default::default() };
    let of_admin = begin(&house, &admin(), "{}").await;
    let left = begin(&house, &Caller::unauthenticated(), "{}").await;
    clock.advance(1);
    let of_alice = begin(&house, &alice, "{}").await;
    for _ in 0..20 {
        for _ in 0..200 {
            clock.advance(1);
            house.firestore.begin_transaction(&Caller::unauthenticated(), request.clone()).await.unwrap();
        }
        get_in(&house, &alice, "c/d", &of_alice).await.unwrap();
    }
    commit_in(&house, &alice, &format!("[{}]", set("c/d", 2)), &of_alice).await.unwrap();
    get_in(&house, &admin(), "c/d", &of_admin).await.unwrap();
    let ended = get_in(&house, &Caller::unauthenticated(), "c/d", &left).await.unwrap_err();
    assert!(ended.message.contains("transaction has expired"), "{ended}");
}

#[tokio::test]
async fn a_transaction_that_reads_too_much_ends() {
    let house = house(OPEN).await;
    let alice = user("alice");
    let id = begin(&house, &alice, "{}").await;
    let get = |round: usize| {
        let name = |at: usize| format!("{ROOT}/{}/{round}-{at}", "c".repeat(1_400));
        v1::BatchGetDocumentsRequest {
            database: DATABASE.into(),
            documents: (0..1_000).map(name).collect(),
            consistency_selector: Some(v1::batch_get_documents_request::ConsistencySelector::Transaction(
                id.clone(),
            )),
            ..Default::default()
        }
    };
    let mut rounds = 0;
    let ended = loop {
        let read = house.firestore.batch_get_documents(&alice, get(rounds)).await;
        match read {
            Ok(found) => assert_eq!(found.len(), 1_000),
            Err(status) => break status,
        }
        rounds += 1;
        assert!(rounds < 20, "kept without end");
    };
    assert_eq!(ended.message, "Transaction too big. Decrease transaction size.");
    assert!(rounds > 8, "{rounds}");
    // The same few documents over and over are no burden.
    let id = begin(&house, &alice, "{}").await;
    for _ in 0..50 {
        assert_eq!(code(get_in(&house, &alice, "c/d", &id).await), Code::NotFound);
    }
    commit_in(&house, &alice, &format!("[{}]", set("c/d", 1)), &id).await.unwrap();
}
