//! The verbs over a store in memory: decisions, transactions, retries, listings.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod house;

use std::collections::BTreeSet;
use std::sync::Arc;

use access::Caller;
use base::{Code, ManualClock, Status};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use house::{DATABASE, House, ROOT, admin, house, message, production, timed, user};
use wire::v1;

const OPEN: &str = "match /{path=**} { allow read, write; }";

fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.unwrap_err().code
}

async fn get(house: &House, caller: &Caller, path: &str) -> Result<v1::Document, Status> {
    let request = v1::GetDocumentRequest { name: format!("{ROOT}/{path}"), ..Default::default() };
    house.firestore.get_document(caller, request).await
}

async fn begin(house: &House, caller: &Caller, options: &str) -> Bytes {
    let text = format!("{{\"database\": \"{DATABASE}\", \"options\": {options}}}");
    house.firestore.begin_transaction(caller, message(&text)).await.unwrap().transaction
}

async fn get_in(house: &House, caller: &Caller, path: &str, id: &Bytes) -> Result<v1::Document, Status> {
    use v1::get_document_request::ConsistencySelector::Transaction;
    let request = v1::GetDocumentRequest {
        name: format!("{ROOT}/{path}"),
        consistency_selector: Some(Transaction(id.clone())),
        ..Default::default()
    };
    house.firestore.get_document(caller, request).await
}

async fn commit_in(
    house: &House,
    caller: &Caller,
    writes: &str,
    id: &Bytes,
) -> Result<v1::CommitResponse, Status> {
    let text = format!("{{\"database\": \"{DATABASE}\", \"writes\": {writes}}}");
    let request = v1::CommitRequest { transaction: id.clone(), ..message(&text) };
    house.firestore.commit(caller, request).await
}

fn set(path: &str, n: i64) -> String {
    format!(r#"{{"update": {{"name": "$/{path}", "fields": {{"n": {{"integerValue": "{n}"}}}}}}}}"#)
}

#[tokio::test]
async fn a_document_is_created_read_changed_and_deleted() {
    let house = house(OPEN).await;
    let alice = user("alice");
    let created = house.commit(&alice, &format!("[{}]", set("c/d", 1))).await.unwrap();
    let read = get(&house, &alice, "c/d").await.unwrap();
    assert_eq!((read.create_time, read.update_time), (created.commit_time, created.commit_time));
    let changed = house.commit(&alice, &format!("[{}]", set("c/d", 2))).await.unwrap();
    let read = get(&house, &alice, "c/d").await.unwrap();
    assert_eq!((read.create_time, read.update_time), (created.commit_time, changed.commit_time));
    assert_eq!(house.number("c/d", "n").await, Some(2));
    let deleted = house.commit(&alice, r#"[{"delete": "$/c/d"}]"#).await.unwrap();
    assert_eq!(deleted.write_results[0].update_time, None);
    let missing = get(&house, &alice, "c/d").await.unwrap_err();
    assert_eq!(missing, Status::new(Code::NotFound, format!("Document \"{ROOT}/c/d\" not found.")));
}

#[tokio::test]
async fn a_write_of_the_same_keeps_the_update_time() {
    let house = house(OPEN).await;
    let first = house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap();
    let again = house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap();
    assert_eq!(again.write_results[0].update_time, first.commit_time);
    assert_eq!(house.look("c/d").await.unwrap().update_time, first.commit_time);
    // There and back again within one commit is no change either.
    let back = house.commit(&admin(), &format!("[{}, {}]", set("c/d", 2), set("c/d", 1))).await.unwrap();
    assert_eq!(back.write_results[1].update_time, first.commit_time);
}

#[tokio::test]
async fn writes_of_one_commit_see_each_other() {
    let house = house(OPEN).await;
    let increment = r#"{"update": {"name": "$/c/d"}, "updateMask": {}, "updateTransforms": [{"fieldPath": "n", "increment": {"integerValue": "1"}}]}"#;
    let writes = format!("[{increment}, {increment}]");
    let done = house.commit(&admin(), &writes).await.unwrap();
    assert_eq!(house.number("c/d", "n").await, Some(2));
    assert_eq!(done.write_results[0].update_time, done.commit_time);
    let conditional = r#"{"update": {"name": "$/c/d"}, "currentDocument": {"exists": true}}"#;
    let refused = house.commit(&admin(), &format!(r#"[{{"delete": "$/c/d"}}, {conditional}]"#)).await;
    assert_eq!(refused.unwrap_err().message, "Cannot delete then update an entity in the same request.");
    assert_eq!(house.number("c/d", "n").await, Some(2));
    let after =
        house.commit(&admin(), &format!(r#"[{{"delete": "$/c/d"}}, {}]"#, set("c/d", 7))).await.unwrap();
    assert_eq!(house.look("c/d").await.unwrap().update_time, after.commit_time);
}

#[tokio::test]
async fn a_commit_is_all_or_nothing() {
    let rules = "match /open/{d} { allow read, write; } match /shut/{d} { allow read: if false; }";
    let house = house(rules).await;
    let writes = format!("[{}, {}]", set("open/a", 1), set("shut/b", 1));
    assert_eq!(code(house.commit(&user("alice"), &writes).await), Code::PermissionDenied);
    let failing = r#"{"update": {"name": "$/open/b"}, "currentDocument": {"exists": true}}"#;
    let writes = format!("[{}, {failing}]", set("open/a", 1));
    assert_eq!(code(house.commit(&user("alice"), &writes).await), Code::NotFound);
    assert!(house.look("open/a").await.is_none());
}

#[tokio::test]
async fn who_is_denied_learns_nothing() {
    let house = production("match /shut/{d} { allow read, write: if false; }").await;
    let alice = user("alice");
    house.commit(&admin(), &format!("[{}]", set("shut/there", 1))).await.unwrap();
    let denied = Status::new(Code::PermissionDenied, "Missing or insufficient permissions.");
    for path in ["shut/there", "shut/missing"] {
        assert_eq!(get(&house, &alice, path).await.unwrap_err(), denied, "{path}");
        for condition in
            [r#"{"exists": true}"#, r#"{"exists": false}"#, r#"{"updateTime": "2020-01-01T00:00:00Z"}"#]
        {
            for operation in [
                format!(r#""update": {{"name": "$/{path}"}}"#),
                format!(r#""delete": "$/{path}""#),
                format!(r#""verify": "$/{path}""#),
            ] {
                let writes = format!(r#"[{{{operation}, "currentDocument": {condition}}}]"#);
                assert_eq!(house.commit(&alice, &writes).await.unwrap_err(), denied, "{writes}");
            }
        }
    }
}

#[tokio::test]
async fn each_write_is_asked_about_by_its_own_method() {
    let house = house(
        "match /made/{d} { allow create; } match /kept/{d} { allow update; }
         match /gone/{d} { allow delete; } match /seen/{d} { allow get; }",
    )
    .await;
    let alice = user("alice");
    for path in ["kept/a", "gone/a", "made/a", "seen/a"] {
        house.commit(&admin(), &format!("[{}]", set(path, 0))).await.unwrap();
    }
    let verify = |path: &str| format!(r#"{{"verify": "$/{path}", "currentDocument": {{"exists": true}}}}"#);
    for (write, allowed) in [
        (set("made/b", 1), true),
        (set("made/a", 1), false),
        (set("kept/a", 1), true),
        (set("kept/b", 1), false),
        (r#"{"delete": "$/gone/a"}"#.to_owned(), true),
        (r#"{"delete": "$/kept/a"}"#.to_owned(), false),
        (verify("seen/a"), true),
        (verify("kept/a"), false),
    ] {
        let result = house.commit(&alice, &format!("[{write}]")).await.map(|_| ());
        assert_eq!(result.is_ok(), allowed, "{write}: {result:?}");
    }
}

#[tokio::test]
async fn rules_see_the_document_after_transforms_and_the_time_of_the_request() {
    let rules = "match /c/{d} { allow write: if request.resource.data.at == request.time
        && request.resource.data.n == (resource == null ? 1 : resource.data.n + 1); }";
    let house = house(rules).await;
    let write = |n: i64| {
        format!(
            r#"[{{"update": {{"name": "$/c/d"}}, "updateMask": {{}}, "updateTransforms": [
            {{"fieldPath": "at", "setToServerValue": "REQUEST_TIME"}}, {{"fieldPath": "n", "increment": {{"integerValue": "{n}"}}}}]}}]"#
        )
    };
    house.commit(&user("alice"), &write(1)).await.unwrap();
    house.commit(&user("alice"), &write(1)).await.unwrap();
    assert_eq!(code(house.commit(&user("alice"), &write(2)).await), Code::PermissionDenied);
    assert_eq!(house.number("c/d", "n").await, Some(2));
}

#[tokio::test]
async fn get_after_sees_the_whole_commit() {
    let rules = "match /posts/{p} { allow create: if getAfter(/databases/$(database)/documents/counts/$(p)).data.n == 1; }
        match /counts/{c} { allow write; }
        match /alone/{a} { allow delete: if !existsAfter(/databases/$(database)/documents/counts/$(a)); }";
    let house = house(rules).await;
    let alice = user("alice");
    assert_eq!(code(house.commit(&alice, &format!("[{}]", set("posts/a", 5))).await), Code::PermissionDenied);
    let both = format!("[{}, {}]", set("posts/a", 5), set("counts/a", 1));
    house.commit(&alice, &both).await.unwrap();
    house.commit(&admin(), &format!("[{}]", set("alone/a", 1))).await.unwrap();
    assert_eq!(code(house.commit(&alice, r#"[{"delete": "$/alone/a"}]"#).await), Code::PermissionDenied);
    house.commit(&alice, r#"[{"delete": "$/alone/a"}, {"delete": "$/counts/a"}]"#).await.unwrap();
}

#[tokio::test]
async fn what_a_commit_writes_is_not_seen_in_another_database() {
    let rules = "match /c/{d} { allow create: if !existsAfter(/databases/other/documents/c/$(d)); }";
    let house = house(rules).await;
    house.commit(&user("a"), &format!("[{}]", set("c/d", 1))).await.unwrap();
    let rules = "match /c/{d} { allow create: if !existsAfter(/databases/$(database)/documents/c/$(d)); }";
    let refused = self::house(rules).await.commit(&user("a"), &format!("[{}]", set("c/d", 1))).await;
    assert_eq!(code(refused), Code::PermissionDenied);
}

#[tokio::test]
async fn a_second_write_is_judged_against_the_document_before_the_commit() {
    let rules = "match /c/{d} { allow write: if resource == null || request.resource.data.n == resource.data.n + 1; }";
    let house = house(rules).await;
    house.commit(&user("a"), &format!("[{}]", set("c/d", 1))).await.unwrap();
    let jump = format!("[{}, {}]", set("c/d", 2), set("c/d", 3));
    assert_eq!(code(house.commit(&user("a"), &jump).await), Code::PermissionDenied);
    assert_eq!(house.number("c/d", "n").await, Some(1));
}

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
    get_in(&house, &admin(), "c/d", &of_admin).await.unwrap();
    commit_in(&house, &alice, &format!("[{}]", set("c/d", 2)), &of_alice).await.unwrap();
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

#[tokio::test]
async fn a_query_for_an_integer_gives_no_double_that_the_rules_refuse() {
    let rules = "match /scores/{s} { allow list: if resource.data.n is int || resource.data.open == true; }";
    let house = house(rules).await;
    let (alice, of_seven) = (
        user("alice"),
        r#"{"fieldFilter": {"field": {"fieldPath": "n"}, "op": "EQUAL", "value": {"integerValue": "7"}}}"#,
    );
    let query = |parts: &str, filter: &str| {
        format!(
            r#"{{"parent": "{ROOT}", "structuredQuery": {{"from": [{{"collectionId": "scores"}}], "where": {filter}{parts}}}}}"#
        )
    };
    let run = async |text: String| -> Result<usize, base::Status> {
        let results = house.firestore.run_query(&alice, message(&text)).await?;
        let results: Vec<_> = results.try_collect().await?;
        Ok(results.iter().filter(|result| result.document.is_some()).count())
    };
    house.commit(&admin(), &format!("[{}, {}]", set("scores/a", 7), set("scores/b", 7))).await.unwrap();
    assert_eq!(run(query("", of_seven)).await.unwrap(), 2);
    let double = r#"[{"update": {"name": "$/scores/c", "fields": {"n": {"doubleValue": 7.0}}}}]"#;
    house.commit(&admin(), double).await.unwrap();
    let refused = run(query("", of_seven)).await.unwrap_err();
    assert_eq!(refused.code, Code::PermissionDenied);
    assert!(refused.message.contains("another type"), "{refused}");
    // What is not given is not looked at; what the other half of an `or` proves may be a double.
    assert_eq!(run(query(r#", "limit": 2"#, of_seven)).await.unwrap(), 2);
    let open = r#"{"fieldFilter": {"field": {"fieldPath": "open"}, "op": "EQUAL", "value": {"booleanValue": true}}}"#;
    let either = format!(r#"{{"compositeFilter": {{"op": "OR", "filters": [{of_seven}, {open}]}}}}"#);
    assert_eq!(code(run(query("", &either)).await), Code::PermissionDenied);
    let opened = double.replace(r#""n":"#, r#""open": {"booleanValue": true}, "n":"#);
    house.commit(&admin(), &opened).await.unwrap();
    assert_eq!(run(query("", &either)).await.unwrap(), 3);
    // A count shows no documents that could be looked at.
    let count = format!(
        r#"{{"parent": "{ROOT}", "structuredAggregationQuery": {{"structuredQuery": {{"from": [{{"collectionId": "scores"}}], "where": {of_seven}}}, "aggregations": [{{"alias": "n", "count": {{}}}}]}}}}"#
    );
    let refused = house.firestore.run_aggregation_query(&alice, message(&count)).await;
    assert_eq!(code(refused), Code::PermissionDenied);
}

#[tokio::test]
async fn a_revoked_grant_cannot_authorise_a_commit() {
    let rules = "match /roles/{u} { allow get: if request.auth.uid == u; }
        match /notes/{n} { allow write: if get(/databases/$(database)/documents/roles/$(request.auth.uid)).data.n == 1; }";
    let house = house(rules).await;
    let alice = user("alice");
    house.commit(&admin(), &format!("[{}]", set("roles/alice", 1))).await.unwrap();
    // The transaction's snapshot still has the grant; the commit must not act on it.
    let id = begin(&house, &alice, "{}").await;
    get_in(&house, &alice, "roles/alice", &id).await.unwrap();
    house.commit(&admin(), r#"[{"delete": "$/roles/alice"}]"#).await.unwrap();
    assert_eq!(
        code(commit_in(&house, &alice, &format!("[{}]", set("notes/a", 1)), &id).await),
        Code::Aborted
    );
    assert!(house.look("notes/a").await.is_none());
    assert_eq!(code(house.commit(&alice, &format!("[{}]", set("notes/a", 1))).await), Code::PermissionDenied);
}

/// Grants are taken away while many write: no write may carry a version after the revocation's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_write_slips_in_after_a_revocation() {
    let rules =
        "match /notes/{n} { allow write: if get(/databases/$(database)/documents/roles/w).data.n == 1; }";
    let house = Arc::new(house(rules).await);
    house.commit(&admin(), &format!("[{}]", set("roles/w", 1))).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let house = house.clone();
            tokio::spawn(async move {
                let mut last = None;
                for note in 0..10_000 {
                    let writes = format!("[{}]", set(&format!("notes/{writer}-{note}"), 1));
                    match house.commit(&user("w"), &writes).await {
                        Ok(done) => last = done.commit_time,
                        Err(status) => {
                            assert_eq!(status.code, Code::PermissionDenied);
                            return last;
                        }
                    }
                }
                panic!("the revocation was never noticed");
            })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let revoked =
        house.commit(&admin(), &format!("[{}]", set("roles/w", 0))).await.unwrap().commit_time.unwrap();
    for writer in writers {
        if let Some(last) = writer.await.unwrap() {
            assert!((last.seconds, last.nanos) < (revoked.seconds, revoked.nanos));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_increments_all_count() {
    let house = Arc::new(house(OPEN).await);
    let increment = r#"[{"update": {"name": "$/c/d"}, "updateMask": {}, "updateTransforms": [{"fieldPath": "n", "increment": {"integerValue": "1"}}]}]"#;
    let writers: Vec<_> = (0..32)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    house.commit(&user("alice"), increment).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(house.number("c/d", "n").await, Some(640));
}

#[tokio::test]
async fn batch_get_answers_every_name_once() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let request = format!(
        r#"{{"database": "{DATABASE}", "documents": ["$/c/a", "$/c/b", "$/c/a"], "newTransaction": {{}}}}"#
    );
    let responses = house.firestore.batch_get_documents(&user("u"), message(&request)).await.unwrap();
    use v1::batch_get_documents_response::Result as Found;
    assert!(matches!(&responses[0].result, Some(Found::Found(document)) if document.name.ends_with("/c/a")));
    assert_eq!(responses[1].result, Some(Found::Missing(format!("{ROOT}/c/b"))));
    assert_eq!(responses.len(), 2);
    assert!(!responses[0].transaction.is_empty() && responses[1].transaction.is_empty());
    assert!(responses.iter().all(|response| response.read_time.is_some()));
}

#[tokio::test]
async fn one_denied_document_denies_the_batch() {
    let house = house("match /open/{d} { allow get; }").await;
    let request = format!(r#"{{"database": "{DATABASE}", "documents": ["$/open/a", "$/shut/b"]}}"#);
    let denied = house.firestore.batch_get_documents(&user("u"), message(&request)).await;
    assert_eq!(code(denied), Code::PermissionDenied);
}

#[tokio::test]
async fn batch_writes_are_independent_and_for_administrators() {
    let house = house(OPEN).await;
    let failing = r#"{"update": {"name": "$/c/b"}, "currentDocument": {"exists": true}}"#;
    let delete = r#"{"delete": "$/c/z"}"#;
    let request = |writes: String| message(&format!(r#"{{"database": "{DATABASE}", "writes": [{writes}]}}"#));
    let writes = format!("{}, {failing}, {delete}", set("c/a", 1));
    let done = house.firestore.batch_write(&admin(), request(writes.clone())).await.unwrap();
    assert_eq!(done.status.iter().map(|status| status.code).collect::<Vec<_>>(), [0, 5, 0]);
    let times: Vec<_> = done.write_results.iter().map(|result| result.update_time.is_some()).collect();
    assert_eq!(times, [true, false, false]);
    assert_eq!(house.number("c/a", "n").await, Some(1));
    assert_eq!(code(house.firestore.batch_write(&user("u"), request(writes)).await), Code::PermissionDenied);
    let twice = format!("{}, {}", set("c/a", 1), set("c/a", 2));
    assert_eq!(code(house.firestore.batch_write(&admin(), request(twice)).await), Code::InvalidArgument);
}

async fn pages(house: &House, caller: &Caller, request: v1::ListDocumentsRequest) -> Vec<Vec<String>> {
    let mut request = request;
    let mut pages = Vec::new();
    loop {
        let page = house.firestore.list_documents(caller, request.clone()).await.unwrap();
        let name = |document: &v1::Document| {
            let mark = if document.update_time.is_some() { "" } else { "?" };
            format!("{}{mark}", document.name.rsplit('/').next().unwrap())
        };
        pages.push(page.documents.iter().map(name).collect());
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn listings_page_without_gaps_repeats_or_an_empty_end() {
    let house = house(OPEN).await;
    let names = ["a", "b", "c", "d", "__id7__", "__id10__"];
    let writes: Vec<_> = names.iter().zip(0..).map(|(name, n)| set(&format!("c/{name}"), n % 3)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
    house.commit(&admin(), &format!("[{}, {}]", set("c/bb/sub/x", 1), set("c/z/sub/x", 1))).await.unwrap();
    house.commit(&admin(), &format!("[{}, {}]", set("c/a/sub/x", 1), set("other/o", 1))).await.unwrap();
    let request = |page_size: i32, order_by: &str, show_missing: bool| v1::ListDocumentsRequest {
        parent: ROOT.into(),
        collection_id: "c".into(),
        page_size,
        order_by: order_by.into(),
        show_missing,
        ..Default::default()
    };
    let alice = user("alice");
    assert_eq!(
        pages(&house, &alice, request(3, "", false)).await,
        [vec!["__id7__", "__id10__", "a"], vec!["b", "c", "d"]]
    );
    assert_eq!(
        pages(&house, &alice, request(4, "n desc", false)).await,
        [vec!["c", "__id10__", "b", "__id7__"], vec!["d", "a"]]
    );
    let all = ["__id7__", "__id10__", "a", "b", "bb?", "c", "d", "z?"];
    for size in 1..=9 {
        let pages = pages(&house, &alice, request(size, "", true)).await;
        assert_eq!(pages.concat(), all, "{size}");
        assert!(pages.iter().all(|page| !page.is_empty()), "{size}");
    }
    let mut bound = request(3, "", false);
    bound.page_token = house.firestore.list_documents(&alice, bound.clone()).await.unwrap().next_page_token;
    bound.collection_id = "other".into();
    assert_eq!(
        house.firestore.list_documents(&alice, bound).await.unwrap_err().message,
        "invalid page token"
    );
    assert_eq!(
        code(house.firestore.list_documents(&alice, request(3, "n", true)).await),
        Code::InvalidArgument
    );
    assert_eq!(
        code(house.firestore.list_documents(&alice, request(-1, "", false)).await),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn lists_are_decided_by_what_the_query_proves() {
    let house = house("match /mine/{d} { allow list: if resource.data.n == 1; }").await;
    house.commit(&admin(), &format!("[{}, {}]", set("mine/a", 1), set("mine/b", 2))).await.unwrap();
    let query = |filter: &str| {
        message::<v1::RunQueryRequest>(&format!(
            r#"{{"parent": "{ROOT}", "structuredQuery": {{"from": [{{"collectionId": "mine"}}]{filter}}}}}"#
        ))
    };
    let unproved = house.firestore.run_query(&user("u"), query("")).await.map(|_| ());
    assert_eq!(code(unproved), Code::PermissionDenied);
    let filter = r#", "where": {"fieldFilter": {"field": {"fieldPath": "n"}, "op": "EQUAL", "value": {"integerValue": "1"}}}"#;
    let results: Vec<_> = house.firestore.run_query(&user("u"), query(filter)).await.unwrap().collect().await;
    assert_eq!(results.len(), 1);
    let list =
        v1::ListDocumentsRequest { parent: ROOT.into(), collection_id: "mine".into(), ..Default::default() };
    assert_eq!(code(house.firestore.list_documents(&user("u"), list).await), Code::PermissionDenied);
    let count = format!(
        r#"{{"parent": "{ROOT}", "structuredAggregationQuery": {{"structuredQuery": {{"from": [{{"collectionId": "mine"}}]{filter}}}, "aggregations": [{{"count": {{}}, "alias": "all"}}]}}}}"#
    );
    let counted = house.firestore.run_aggregation_query(&user("u"), message(&count)).await.unwrap();
    assert_eq!(counted.result.unwrap().aggregate_fields["all"], message(r#"{"integerValue": "1"}"#));
}

#[tokio::test]
async fn collection_ids_are_for_administrators_also_below_what_does_not_exist() {
    let house = house(OPEN).await;
    for path in ["b/x", "a/x", "a/y", "a/x/s/1", "a/x/r/1", "a/gone/t/1", "a/gone/t/2/u/3"] {
        house.commit(&admin(), &format!("[{}]", set(path, 1))).await.unwrap();
    }
    let ids = async |parent: &str, page_size: i32| {
        let parent = format!("{ROOT}{parent}");
        let mut request = v1::ListCollectionIdsRequest { parent, page_size, ..Default::default() };
        let mut pages = Vec::new();
        loop {
            let page = house.firestore.list_collection_ids(&admin(), request.clone()).await.unwrap();
            pages.push(page.collection_ids.join(" "));
            if page.next_page_token.is_empty() {
                return pages.join("|");
            }
            request.page_token = page.next_page_token;
        }
    };
    assert_eq!(ids("", 0).await, "a b");
    assert_eq!(ids("", 1).await, "a|b");
    assert_eq!(ids("/a/x", 0).await, "r s");
    assert_eq!(ids("/a/gone", 1).await, "t");
    assert_eq!(ids("/a/y", 0).await, "");
    let request = v1::ListCollectionIdsRequest { parent: ROOT.into(), ..Default::default() };
    assert_eq!(code(house.firestore.list_collection_ids(&user("u"), request).await), Code::PermissionDenied);
}

#[tokio::test]
async fn read_times_show_the_past_and_not_the_future() {
    use v1::get_document_request::ConsistencySelector::ReadTime;
    let house = house(OPEN).await;
    let first = house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap().commit_time.unwrap();
    house.commit(&admin(), &format!("[{}]", set("c/d", 2))).await.unwrap();
    let get = async |at: wire::prost_types::Timestamp| {
        let request = v1::GetDocumentRequest {
            name: format!("{ROOT}/c/d"),
            consistency_selector: Some(ReadTime(at)),
            ..Default::default()
        };
        house.firestore.get_document(&admin(), request).await
    };
    assert_eq!(get(first).await.unwrap().fields["n"], message(r#"{"integerValue": "1"}"#));
    let mut finer = first;
    finer.nanos += 1;
    let mut future = first;
    future.seconds += 3600;
    for at in [finer, future] {
        assert_eq!(code(get(at).await), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn production_knows_its_databases() {
    let house = production(OPEN).await;
    let name = "projects/p/databases/other/documents/c/d".to_owned();
    let missing = v1::GetDocumentRequest { name, ..Default::default() };
    let status = house.firestore.get_document(&admin(), missing).await.unwrap_err();
    assert_eq!(status.code, Code::NotFound);
    assert!(status.message.starts_with("The database other does not exist for project p"), "{status}");
    assert!(house.firestore.dev().is_none());
}

#[tokio::test]
async fn clearing_takes_everything_below_and_nothing_else() {
    let house = house(OPEN).await;
    let all = ["a/1", "a/1/s/x", "a/1/s/x/t/y", "a/2", "b/1"];
    for path in all {
        house.commit(&admin(), &format!("[{}]", set(path, 1))).await.unwrap();
    }
    let permit = house.firestore.dev().unwrap();
    let left = async || {
        let mut left = BTreeSet::new();
        for path in all {
            if house.look(path).await.is_some() {
                left.insert(path);
            }
        }
        left.into_iter().collect::<Vec<_>>()
    };
    house.firestore.clear(permit, &format!("{ROOT}/a/1/s")).await.unwrap();
    assert_eq!(left().await, ["a/1", "a/2", "b/1"]);
    house.firestore.clear(permit, &format!("{ROOT}/a/1")).await.unwrap();
    assert_eq!(left().await, ["a/2", "b/1"]);
    house.firestore.clear(permit, ROOT).await.unwrap();
    assert_eq!(left().await, [""; 0]);
}

#[tokio::test]
async fn every_decision_leaves_its_record() {
    let house = house("match /open/{d} { allow read, write; }").await;
    house.commit(&user("alice"), &format!("[{}]", set("open/a", 1))).await.unwrap();
    get(&house, &user("alice"), "open/a").await.unwrap();
    get(&house, &user("alice"), "shut/a").await.unwrap_err();
    house.gate.log().flush();
    let events: Vec<_> = house
        .gate
        .log()
        .events()
        .into_iter()
        .map(|event| format!("{} {} {} {:?}", event.verb, event.method, event.path, event.verdict))
        .collect();
    assert_eq!(
        events,
        ["Commit create /open/a Allow", "GetDocument get /open/a Allow", "GetDocument get /shut/a Deny"]
    );
}
