//! What a commit changes, and that it changes all or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Code, ManualClock, Status};

use super::house::{DATABASE, ROOT, admin, house, message, timed, user};
use super::{OPEN, code, get, set};

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

/// `true` where a rule that allows only this method lets the writes pass.
async fn passes(method: &str, exists: bool, writes: &str) -> bool {
    let house = house(&format!("match /c/{{d}} {{ allow {method}: if true; }}")).await;
    if exists {
        house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap();
    }
    house.commit(&user("alice"), writes).await.is_ok()
}

/// As the official emulator answers.
#[tokio::test]
async fn rules_see_one_change_for_each_document() {
    let (one, two) = (set("c/d", 1), set("c/d", 2));
    let delete = r#"{"delete": "$/c/d"}"#;
    let update = r#"{"update": {"name": "$/c/d", "fields": {"b": {"integerValue": "2"}}}, "updateMask": {"fieldPaths": ["b"]}, "currentDocument": {"exists": true}}"#;
    let create = r#"{"update": {"name": "$/c/d"}, "currentDocument": {"exists": false}}"#;
    for (writes, missing, existing) in [
        (format!("[{one}, {two}]"), "create", "update"),
        (format!("[{one}, {update}]"), "create", "update"),
        (format!("[{delete}, {two}]"), "create", "update"),
        (format!("[{delete}, {create}]"), "create", "update"),
        (format!("[{two}, {delete}]"), "delete", "delete"),
        (format!("[{delete}, {create}, {delete}]"), "delete", "delete"),
        (format!("[{update}, {delete}]"), "", "delete"),
    ] {
        for (exists, allowed) in [(false, missing), (true, existing)] {
            for method in ["create", "update", "delete"] {
                let passed = passes(method, exists, &writes).await;
                assert_eq!(passed, method == allowed, "{method} exists={exists} {writes}");
            }
        }
    }
}

#[tokio::test]
async fn two_increments_are_one_change() {
    let rules =
        "match /c/{d} { allow create; allow update: if request.resource.data.n == resource.data.n + 2; }";
    let house = house(rules).await;
    house.commit(&user("alice"), &format!("[{}]", set("c/d", 1))).await.unwrap();
    let increment = r#"{"update": {"name": "$/c/d"}, "updateMask": {}, "updateTransforms": [{"fieldPath": "n", "increment": {"integerValue": "1"}}]}"#;
    house.commit(&user("alice"), &format!("[{increment}, {increment}]")).await.unwrap();
    assert_eq!(house.number("c/d", "n").await, Some(3));
    assert_eq!(code(house.commit(&user("alice"), &format!("[{increment}]")).await), Code::PermissionDenied);
}

/// As the official emulator answers.
#[tokio::test]
async fn writes_that_cannot_follow_each_other_are_refused() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap();
    let (one, delete) = (set("c/d", 1), r#"{"delete": "$/c/d"}"#);
    let verify = r#"{"verify": "$/c/d", "currentDocument": {"exists": true}}"#;
    let insisting = r#"{"delete": "$/c/d", "currentDocument": {"exists": true}}"#;
    let old = r#"{"update": {"name": "$/c/d"}, "currentDocument": {"updateTime": "2020-01-01T00:00:00Z"}}"#;
    let create = r#"{"update": {"name": "$/c/d", "fields": {"n": {"integerValue": "2"}}}, "currentDocument": {"exists": false}}"#;
    for (first, second, text) in [
        (delete, old, "Cannot delete then update an entity in the same request."),
        (delete, insisting, "Cannot delete then delete an entity in the same request."),
        (verify, one.as_str(), "the same document cannot be verified and then written in a single request"),
        (one.as_str(), verify, "the same document cannot be written and then verified in a single request"),
    ] {
        let refused = house.commit(&admin(), &format!("[{first}, {second}]")).await.unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (Code::InvalidArgument, text));
    }
    house.commit(&admin(), &format!("[{delete}, {create}]")).await.unwrap();
    assert_eq!(house.number("c/d", "n").await, Some(2));
}

#[tokio::test]
async fn time_goes_on_without_changes() {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let house = timed(OPEN, clock.clone()).await;
    let write = format!("[{}]", set("c/d", 1));
    let seconds = |at: Option<wire::prost_types::Timestamp>| at.unwrap().seconds;
    let first = seconds(house.commit(&admin(), &write).await.unwrap().commit_time);
    clock.advance(5_000_000);
    assert_eq!(seconds(house.commit(&admin(), &write).await.unwrap().commit_time), first + 5);
    clock.advance(5_000_000);
    assert_eq!(seconds(house.commit(&admin(), "[]").await.unwrap().commit_time), first + 10);
    clock.advance(5_000_000);
    let id = super::begin(&house, &admin(), "{}").await;
    assert_eq!(seconds(super::commit_in(&house, &admin(), "[]", &id).await.unwrap().commit_time), first + 15);
    clock.advance(5_000_000);
    let request = format!(r#"{{"database": "{DATABASE}", "documents": ["$/c/d"]}}"#);
    let read = house.firestore.batch_get_documents(&admin(), message(&request)).await.unwrap();
    assert_eq!(seconds(read[0].read_time), first + 20);
    // What was promised to the reader holds for whoever writes next.
    let next = house.commit(&admin(), &format!("[{}]", set("c/d", 2))).await.unwrap().commit_time.unwrap();
    assert!((next.seconds, next.nanos) > (first + 20, read[0].read_time.unwrap().nanos));
}
