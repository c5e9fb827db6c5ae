//! What the store does when its engine fails, and when it is too slow.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

use std::time::Duration;

use kv::faulty::{Fault, Faults, Faulty};
use kv::{CommitError, Mem, Options, Store, StoreError, Txn};
use suite::{check_agreement, key, manual, put, state, text, writes};

async fn faulty(options: Options) -> (Store, Faults) {
    let faults = Faults::default();
    let store = Store::open(Faulty::new(Mem::default(), faults.clone()), options).await.unwrap();
    (store, faults)
}

fn read_and_write(base: kv::Version) -> Txn {
    let mut txn = Txn::at(base);
    txn.read(key("a"));
    txn.put(key("a"), "by txn");
    txn
}

#[tokio::test]
async fn a_failed_batch_leaves_nothing_and_the_next_goes_on() {
    let (store, faults) = faulty(manual().1).await;
    let start = store.snapshot().await.unwrap().version();
    let base = put(&store, &[("a", "1")]).await;
    faults.on_batch(0, Fault::Fail);
    let failed = store.commit(writes(&[("a", "2")])).await;
    assert!(matches!(failed, Err(CommitError::Store(StoreError::Engine { .. }))), "{failed:?}");
    assert_eq!(*store.published().borrow(), base);
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!((snapshot.version(), text(&snapshot, "a").await.unwrap().as_str()), (base, "1"));
    // The lost write counts for nobody.
    let next = store.commit(read_and_write(base)).await.unwrap();
    assert!(next.0 > base.0 + 1, "the version of the failed batch is not used again");
    check_agreement(&store, start).await;
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_found_out() {
    let (store, faults) = faulty(manual().1).await;
    let start = store.snapshot().await.unwrap().version();
    let base = put(&store, &[("a", "1")]).await;
    faults.on_batch(0, Fault::FailAfterwards);
    let failed = store.commit(writes(&[("a", "2")])).await;
    assert!(matches!(failed, Err(CommitError::Store(StoreError::Engine { .. }))), "{failed:?}");
    let refused = store.commit(read_and_write(base)).await;
    assert!(matches!(refused, Err(CommitError::Conflict { .. })), "{refused:?}");
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(text(&snapshot, "a").await.unwrap(), "2");
    assert_eq!(*store.published().borrow(), snapshot.version());
    check_agreement(&store, start).await;
}

#[tokio::test]
async fn while_the_outcome_is_unknown_nothing_is_committed() {
    let (store, faults) = faulty(manual().1).await;
    let base = put(&store, &[("a", "1")]).await;
    faults.on_batch(0, Fault::FailAfterwards);
    assert!(store.commit(writes(&[("a", "2")])).await.is_err());
    // The look at the engine fails: an error again, not a guess.
    faults.on_read(0, Fault::Fail);
    let batches = faults.batches();
    let unknown = store.commit(read_and_write(base)).await;
    assert!(matches!(unknown, Err(CommitError::Store(StoreError::Engine { .. }))), "{unknown:?}");
    assert_eq!(faults.batches(), batches);
    assert!(matches!(store.commit(read_and_write(base)).await, Err(CommitError::Conflict { .. })));
}

#[tokio::test]
async fn a_failed_read_is_told_to_whoever_asked() {
    let (store, faults) = faulty(manual().1).await;
    put(&store, &[("a", "1")]).await;
    faults.on_read(0, Fault::Fail);
    assert!(store.snapshot().await.is_err());
    faults.on_read(1, Fault::Fail);
    let snapshot = store.snapshot().await.unwrap();
    assert!(snapshot.get(&key("a")).await.is_err());
    assert_eq!(text(&snapshot, "a").await.unwrap(), "1");
    // The committer's own look at what it overwrites.
    faults.on_read(0, Fault::Fail);
    assert!(store.commit(writes(&[("a", "2")])).await.is_err());
    assert_eq!(text(&store.snapshot().await.unwrap(), "a").await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_for_a_slow_disk_share_the_next_batch_and_too_many_are_turned_away() {
    const QUEUE: usize = 40;
    let options = Options { queue_len_max: QUEUE, ..manual().1 };
    let (store, faults) = faulty(options).await;
    let start = store.snapshot().await.unwrap().version();
    let commit = |n: usize| {
        let store = store.clone();
        async move { store.commit(writes(&[(&format!("k{n}"), "x")])).await }
    };
    faults.on_batch(0, Fault::Delay(Duration::from_millis(300)));
    let batches = faults.batches();
    let slow = tokio::spawn(commit(0));
    while faults.batches() == batches {
        tokio::task::yield_now().await;
    }
    let waiting: Vec<_> = (1..=2 * QUEUE).map(|n| tokio::spawn(commit(n))).collect();
    let mut results = vec![slow.await.unwrap()];
    for waiting in waiting {
        results.push(waiting.await.unwrap());
    }
    assert_eq!(results.iter().filter(|result| **result == Err(CommitError::Overloaded)).count(), QUEUE);
    let mut versions: Vec<_> = results.into_iter().flatten().collect();
    assert_eq!(versions.len(), QUEUE + 1);
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), QUEUE + 1, "every commit of a group has a version of its own");
    assert_eq!(faults.batches() - batches, 2, "all that waited went in one batch");
    assert_eq!(state(&store.snapshot().await.unwrap()).await.len(), QUEUE + 1);
    check_agreement(&store, start).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_has_a_limit_of_memory() {
    let options = Options { queue_bytes_max: 64 * 1024, ..manual().1 };
    let (store, faults) = faulty(options).await;
    faults.on_batch(0, Fault::Delay(Duration::from_millis(200)));
    let batches = faults.batches();
    let big = "v".repeat(40 * 1024);
    let first = tokio::spawn({
        let (store, big) = (store.clone(), big.clone());
        async move { store.commit(writes(&[("a", &big)])).await }
    });
    while faults.batches() == batches {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.commit(writes(&[("b", &big)])).await, Err(CommitError::Overloaded));
    first.await.unwrap().unwrap();
    put(&store, &[("b", &big)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_client_went_away_stands() {
    let (store, faults) = faulty(manual().1).await;
    faults.on_batch(0, Fault::Delay(Duration::from_millis(50)));
    let gone = tokio::time::timeout(Duration::from_millis(5), store.commit(writes(&[("a", "1")]))).await;
    assert!(gone.is_err());
    put(&store, &[("b", "1")]).await;
    assert_eq!(text(&store.snapshot().await.unwrap(), "a").await.unwrap(), "1");
}
