//! What the rules are asked, what they see, and what a denial shows.

use std::sync::Arc;

use base::{Code, Status};
use futures_util::{StreamExt, TryStreamExt};
use wire::v1;

use super::house::{DATABASE, ROOT, admin, house, message, production, user};
use super::{begin, code, commit_in, get, get_in, set};

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
    let refused = super::house::house(rules).await.commit(&user("a"), &format!("[{}]", set("c/d", 1))).await;
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
async fn one_denied_document_denies_the_batch() {
    let house = house("match /open/{d} { allow get; }").await;
    let request = format!(r#"{{"database": "{DATABASE}", "documents": ["$/open/a", "$/shut/b"]}}"#);
    let denied = house.firestore.batch_get_documents(&user("u"), message(&request)).await;
    assert_eq!(code(denied), Code::PermissionDenied);
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
