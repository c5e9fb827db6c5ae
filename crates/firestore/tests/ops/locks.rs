//! What transactions of server SDKs keep others from, while they are open.
//!
//! Source of each: the behaviour of the standard edition as skunkteam's suite has it from production.

use std::sync::Arc;
use std::time::Duration;

use base::{Code, ManualClock, Status};
use bytes::Bytes;
use tokio::task::JoinHandle;
use wire::v1;

use super::house::{House, admin, house, message, timed, user};
use super::{OPEN, begin, code, commit_in, get_in, set};

const DOCUMENT: &str = "c/d";
/// Long enough for what need not wait.
const SOON: Duration = Duration::from_millis(150);

type Committing = JoinHandle<Result<v1::CommitResponse, Status>>;

async fn with_document() -> Arc<House> {
    let house = Arc::new(house(OPEN).await);
    house.commit(&admin(), &format!("[{}]", set(DOCUMENT, 1))).await.unwrap();
    house
}

async fn reader(house: &House) -> Bytes {
    let id = begin(house, &admin(), "{}").await;
    get_in(house, &admin(), DOCUMENT, &id).await.unwrap();
    id
}

fn write_alone(house: &Arc<House>, n: i64) -> Committing {
    let house = house.clone();
    tokio::spawn(async move { house.commit(&user("web"), &format!("[{}]", set(DOCUMENT, n))).await })
}

fn write_in(house: &Arc<House>, n: i64, id: &Bytes) -> Committing {
    let (house, id) = (house.clone(), id.clone());
    tokio::spawn(async move { commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, n)), &id).await })
}

async fn waits(task: &Committing) -> bool {
    tokio::time::sleep(SOON).await;
    !task.is_finished()
}

#[tokio::test]
async fn a_write_waits_for_whoever_has_read_the_document() {
    let house = with_document().await;
    let (one, two) = (reader(&house).await, reader(&house).await);
    let write = write_alone(&house, 7);
    assert!(waits(&write).await);
    commit_in(&house, &admin(), "[]", &one).await.unwrap();
    assert!(waits(&write).await, "another has read it too");
    commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, 2)), &two).await.unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(house.number(DOCUMENT, "n").await, Some(7));
}

#[tokio::test]
async fn of_two_that_read_and_write_the_first_to_read_commits() {
    let house = with_document().await;
    let (one, two) = (reader(&house).await, reader(&house).await);
    let second = write_in(&house, 3, &two);
    assert!(waits(&second).await);
    commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, 2)), &one).await.unwrap();
    assert_eq!(code(second.await.unwrap()), Code::Aborted);
    assert_eq!(house.number(DOCUMENT, "n").await, Some(2));
}

#[tokio::test]
async fn a_writer_behind_one_that_only_read_commits_after_it() {
    let house = with_document().await;
    let (one, two) = (reader(&house).await, reader(&house).await);
    let second = write_in(&house, 3, &two);
    assert!(waits(&second).await);
    commit_in(&house, &admin(), "[]", &one).await.unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(house.number(DOCUMENT, "n").await, Some(3));
}

#[tokio::test]
async fn absent_documents_are_locked_and_others_are_not() {
    let house = with_document().await;
    let id = begin(&house, &admin(), "{}").await;
    assert_eq!(code(get_in(&house, &admin(), "c/absent", &id).await), Code::NotFound);
    house.commit(&user("web"), &format!("[{}]", set(DOCUMENT, 5))).await.unwrap();
    let creating = {
        let house = house.clone();
        tokio::spawn(async move { house.commit(&user("web"), &format!("[{}]", set("c/absent", 1))).await })
    };
    assert!(waits(&creating).await);
    commit_in(&house, &admin(), &format!("[{}]", set("c/absent", 2)), &id).await.unwrap();
    creating.await.unwrap().unwrap();
    assert_eq!(house.number("c/absent", "n").await, Some(1));
}

#[tokio::test]
async fn who_reads_comes_after_a_write_that_waits() {
    let house = with_document().await;
    let one = reader(&house).await;
    let write = write_alone(&house, 7);
    assert!(waits(&write).await);
    let late = {
        let house = house.clone();
        tokio::spawn(async move {
            let id = begin(&house, &admin(), "{}").await;
            get_in(&house, &admin(), DOCUMENT, &id).await.map(|document| document.fields["n"].clone())
        })
    };
    tokio::time::sleep(SOON).await;
    assert!(!late.is_finished());
    commit_in(&house, &admin(), "[]", &one).await.unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(late.await.unwrap().unwrap(), message(r#"{"integerValue": "7"}"#));
}

#[tokio::test]
async fn one_that_is_tried_again_does_not_lose_its_turn_twice() {
    let house = with_document().await;
    let (one, two) = (reader(&house).await, reader(&house).await);
    commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, 2)), &one).await.unwrap();
    assert_eq!(
        code(commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, 2)), &two).await),
        Code::Aborted
    );
    let again = begin(&house, &admin(), r#"{"readWrite": {"retryTransaction": "AAAA"}}"#).await;
    get_in(&house, &admin(), DOCUMENT, &again).await.unwrap();
    let late = {
        let house = house.clone();
        tokio::spawn(async move {
            let id = reader(&house).await;
            commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, 9)), &id).await
        })
    };
    assert!(waits(&late).await);
    commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, 3)), &again).await.unwrap();
    late.await.unwrap().unwrap();
    assert_eq!(house.number(DOCUMENT, "n").await, Some(9));
}

#[tokio::test]
async fn two_that_wait_for_each_other_do_not() {
    let house = with_document().await;
    let (one, two) = (begin(&house, &admin(), "{}").await, begin(&house, &admin(), "{}").await);
    for (id, path) in [(&one, "c/a"), (&two, "c/b"), (&one, "c/b"), (&two, "c/a")] {
        assert_eq!(code(get_in(&house, &admin(), path, id).await), Code::NotFound);
    }
    let writes = format!("[{}, {}]", set("c/a", 1), set("c/b", 1));
    let commit = |id: &Bytes| {
        let (house, writes, id) = (house.clone(), writes.clone(), id.clone());
        tokio::spawn(async move { commit_in(&house, &admin(), &writes, &id).await })
    };
    let (first, second) = (commit(&one), commit(&two));
    let outcomes = [first.await.unwrap(), second.await.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn a_query_locks_what_it_finds_and_nothing_else() {
    let house = with_document().await;
    let id = begin(&house, &admin(), "{}").await;
    let query = format!(
        r#"{{"parent": "{}", "structuredQuery": {{"from": [{{"collectionId": "c"}}]}}}}"#,
        super::house::ROOT
    );
    let request = v1::RunQueryRequest {
        consistency_selector: Some(v1::run_query_request::ConsistencySelector::Transaction(id.clone())),
        ..message(&query)
    };
    let _results = house.firestore.run_query(&admin(), request).await.unwrap();
    let write = write_alone(&house, 7);
    assert!(waits(&write).await);
    house.commit(&user("web"), &format!("[{}]", set("other/x", 1))).await.unwrap();
    commit_in(&house, &admin(), "[]", &id).await.unwrap();
    write.await.unwrap().unwrap();
}

#[tokio::test]
async fn users_and_optimistic_transactions_make_nobody_wait() {
    let house = with_document().await;
    let optimistic = begin(&house, &admin(), r#"{"readWrite": {"concurrencyMode": "OPTIMISTIC"}}"#).await;
    let alices = begin(&house, &user("alice"), "{}").await;
    get_in(&house, &admin(), DOCUMENT, &optimistic).await.unwrap();
    get_in(&house, &user("alice"), DOCUMENT, &alices).await.unwrap();
    house.commit(&user("web"), &format!("[{}]", set(DOCUMENT, 7))).await.unwrap();
    // What one read counts, whatever it writes.
    assert_eq!(
        code(commit_in(&house, &admin(), &format!("[{}]", set("x/y", 1)), &optimistic).await),
        Code::Aborted
    );
}

#[tokio::test]
async fn who_may_not_write_waits_for_nothing_and_nobody_waits_for_him() {
    let house = Arc::new(house("match /{path=**} { allow read; }").await);
    house.commit(&admin(), &format!("[{}]", set(DOCUMENT, 1))).await.unwrap();
    let _one = reader(&house).await;
    assert_eq!(
        code(house.commit(&user("web"), &format!("[{}]", set(DOCUMENT, 7))).await),
        Code::PermissionDenied
    );
    reader(&house).await;
}

/// A client that has gone holds its locks for the time that it may be idle.
#[tokio::test]
async fn locks_end_with_the_time_of_their_transaction() {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let house = Arc::new(timed(OPEN, clock.clone()).await);
    house.commit(&admin(), &format!("[{}]", set(DOCUMENT, 1))).await.unwrap();
    let _gone = reader(&house).await;
    let write = write_alone(&house, 7);
    assert!(waits(&write).await);
    clock.advance(61_000_000);
    write.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_that_increment_one_document_need_two_attempts_each_at_most() {
    let house = with_document().await;
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move {
                let mut options = "{}".to_owned();
                for attempt in 1..=2 {
                    let id = begin(&house, &admin(), &options).await;
                    let read = get_in(&house, &admin(), DOCUMENT, &id).await.unwrap();
                    let n = match read.fields["n"].value_type {
                        Some(v1::value::ValueType::IntegerValue(n)) => n,
                        ref other => panic!("{other:?}"),
                    };
                    match commit_in(&house, &admin(), &format!("[{}]", set(DOCUMENT, n + 1)), &id).await {
                        Ok(_) => return attempt,
                        Err(status) => assert_eq!(status.code, Code::Aborted),
                    }
                    options = r#"{"readWrite": {"retryTransaction": "AAAA"}}"#.to_owned();
                }
                panic!("a third attempt");
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(house.number(DOCUMENT, "n").await, Some(51));
}
