//! Versions, serializability, limits.

use kv::{Chain, CommitError, Options, StoreError, Txn};

use super::*;

pub async fn versions_rise_even_when_the_clock_goes_back(place: &impl Place) {
    let (clock, options) = manual();
    let store = open_with(place, options).await;
    let mut published = store.published();
    clock.advance(100);
    let first = put(&store, &[("a", "1")]).await;
    assert_eq!(first, Version(START_MICROS + 100), "the clock's time if it is newer");
    let second = put(&store, &[("a", "2")]).await;
    assert_eq!(second, Version(START_MICROS + 101), "the next number if the clock stands");
    clock.advance(-1_000_000);
    let third = put(&store, &[("a", "3")]).await;
    assert_eq!(third, Version(START_MICROS + 102));
    clock.advance(2_000_000);
    let fourth = put(&store, &[("a", "4")]).await;
    assert_eq!(fourth, Version(START_MICROS + 1_000_100));
    assert!(published.has_changed().unwrap());
    assert_eq!(*published.borrow_and_update(), fourth);
    store.close().await.unwrap();
}

/// One validation: what is there, what the transaction read, what another one wrote since, the verdict.
struct Validation {
    what: &'static str,
    reads: &'static [&'static str],
    ranges: &'static [(&'static str, &'static str)],
    other: &'static [(&'static str, &'static str)],
    conflict: Option<&'static str>,
}

const VALIDATIONS: &[Validation] = &[
    Validation {
        what: "unrelated",
        reads: &["a"],
        ranges: &[("b", "c")],
        other: &[("x", "1")],
        conflict: None,
    },
    Validation {
        what: "changed",
        reads: &["x", "a"],
        ranges: &[],
        other: &[("a", "1")],
        conflict: Some("a"),
    },
    Validation {
        what: "written equal",
        reads: &["a"],
        ranges: &[],
        other: &[("a", "old")],
        conflict: Some("a"),
    },
    Validation { what: "deleted", reads: &["a"], ranges: &[], other: &[("a", "")], conflict: Some("a") },
    Validation {
        what: "absent, created",
        reads: &["n"],
        ranges: &[],
        other: &[("n", "1")],
        conflict: Some("n"),
    },
    Validation { what: "absent, deleted", reads: &["n"], ranges: &[], other: &[("n", "")], conflict: None },
    Validation {
        what: "phantom",
        reads: &[],
        ranges: &[("m", "p")],
        other: &[("n", "1")],
        conflict: Some("n"),
    },
    Validation {
        what: "range start",
        reads: &[],
        ranges: &[("n", "p")],
        other: &[("n", "1")],
        conflict: Some("n"),
    },
    Validation { what: "range end", reads: &[], ranges: &[("m", "n")], other: &[("n", "1")], conflict: None },
    Validation {
        what: "gone from range",
        reads: &[],
        ranges: &[("a", "b")],
        other: &[("a", "")],
        conflict: Some("a"),
    },
    Validation {
        what: "empty range",
        reads: &[],
        ranges: &[("p", "a")],
        other: &[("b", "1")],
        conflict: None,
    },
    Validation {
        what: "two ranges",
        reads: &[],
        ranges: &[("x", "z"), ("a", "c")],
        other: &[("b", "1")],
        conflict: Some("b"),
    },
    Validation {
        what: "created and deleted",
        reads: &["n"],
        ranges: &[],
        other: &[("n", "1"), ("n", "")],
        conflict: None,
    },
];

/// From the memory of recent writes, and (with none of it) from the change log.
pub async fn a_transaction_is_refused_if_what_it_read_has_changed(place: &impl Place) {
    for recent_rows_max in [1000, 0] {
        let (_, options) = manual();
        let store = open_with(place, Options { recent_rows_max, ..options }).await;
        for case in VALIDATIONS {
            put(&store, &[("a", "old"), ("b", "old"), ("n", "")]).await;
            let base = store.snapshot().await.unwrap().version();
            let other = put(&store, case.other).await;
            put(&store, &[("unrelated", "1")]).await;
            for check_only in [false, true] {
                let mut txn = Txn::at(base);
                txn.reads = case.reads.iter().map(|name| key(name)).collect();
                txn.read_ranges = case.ranges.iter().map(|(start, end)| span(start, end)).collect();
                if !check_only {
                    txn.put(key("result"), case.what);
                }
                let before = text(&store.snapshot().await.unwrap(), "result").await;
                let result = store.commit(txn).await;
                let after = store.snapshot().await.unwrap();
                let context =
                    format!("{} (memory of {recent_rows_max}, check only: {check_only})", case.what);
                match case.conflict {
                    Some(name) => {
                        assert_eq!(
                            result,
                            Err(CommitError::Conflict { key: key(name), version: other, base }),
                            "{context}"
                        );
                        assert_eq!(text(&after, "result").await, before, "{context}");
                    }
                    None => {
                        assert_eq!(result, Ok(after.version()), "{context}");
                        assert_eq!(text(&after, "result").await == before, check_only, "{context}");
                    }
                }
            }
        }
        // The own base and newer writes of nobody: passes. A base that has not happened: refused.
        let newest = store.snapshot().await.unwrap().version();
        let mut ahead = Txn::at(Version(newest.0 + 1));
        ahead.read(key("a"));
        let future = StoreError::Future { asked: Version(newest.0 + 1), newest };
        assert_eq!(store.commit(ahead).await, Err(CommitError::Store(future)));
        store.close().await.unwrap();
    }
}

/// Two doctors, one of whom must stay on call. Each sees the other on call and leaves.
pub async fn write_skew_and_phantoms_do_not_happen(place: &impl Place) {
    let store = open(place).await;
    for naive in [true, false] {
        let base = put(&store, &[("call/ann", "on"), ("call/bob", "on")]).await;
        let leave = |me: &str| {
            let mut txn = Txn::at(base);
            // A naive design checks only what the transaction writes: both commits then pass.
            txn.read(key(me));
            if !naive {
                txn.read_ranges.push(span("call/", "call0"));
            }
            txn.put(key(me), "off");
            txn
        };
        let (ann, bob) = tokio::join!(store.commit(leave("call/ann")), store.commit(leave("call/bob")));
        let on_call = texts(&store.snapshot().await.unwrap(), &span("call/", "call0"), Scan::default()).await;
        let on_call = on_call.iter().filter(|(_, state)| state == "on").count();
        assert_eq!(on_call, if naive { 0 } else { 1 }, "naive: {naive}, {ann:?}, {bob:?}");
        assert_eq!([&ann, &bob].iter().filter(|result| result.is_ok()).count(), if naive { 2 } else { 1 });
    }

    // At most one booking of a room: nobody has a row to lock, only the absence of one.
    for naive in [true, false] {
        let base = store.snapshot().await.unwrap().version();
        let room = format!("room{naive}/");
        let book = |who: &str| {
            let mut txn = Txn::at(base);
            txn.read(key(&format!("{room}{who}")));
            if !naive {
                txn.read_ranges.push(KeyRange::prefix(SPACE, room.as_bytes()));
            }
            txn.put(key(&format!("{room}{who}")), "booked");
            txn
        };
        let (ann, bob) = tokio::join!(store.commit(book("ann")), store.commit(book("bob")));
        let booked = [&ann, &bob].iter().filter(|result| result.is_ok()).count();
        assert_eq!(booked, if naive { 2 } else { 1 }, "naive: {naive}, {ann:?}, {bob:?}");
    }
    store.close().await.unwrap();
}

/// Members of one group must see each other: increments by many at once lose nothing.
pub async fn concurrent_increments_lose_nothing(place: &impl Place) {
    const TASKS: usize = 16;
    const ROUNDS: usize = 10;
    let store = open(place).await;
    let start = store.snapshot().await.unwrap().version();
    put(&store, &[("n", "0")]).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut conflicts = 0;
                for _ in 0..ROUNDS {
                    loop {
                        let snapshot = store.snapshot().await.unwrap();
                        let n: usize = text(&snapshot, "n").await.unwrap().parse().unwrap();
                        let mut txn = Txn::at(snapshot.version());
                        txn.read(key("n"));
                        txn.put(key("n"), (n + 1).to_string());
                        txn.put(key(&format!("by/{n:04}")), task.to_string());
                        match store.commit(txn).await {
                            Ok(_) => break,
                            Err(CommitError::Conflict { .. }) => conflicts += 1,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                conflicts
            })
        })
        .collect();
    let mut conflicts = 0;
    for task in tasks {
        conflicts += task.await.unwrap();
    }
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(text(&snapshot, "n").await.unwrap(), (TASKS * ROUNDS).to_string(), "{conflicts} conflicts");
    assert_eq!(
        pages(&snapshot, &KeyRange::prefix(SPACE, b"by/"), Scan::default()).await.len(),
        TASKS * ROUNDS
    );
    check_agreement(&store, start).await;
    drop(snapshot);
    store.close().await.unwrap();
}

pub async fn limits_are_kept(place: &impl Place) {
    let (_, options) = manual();
    let options = Options {
        txn_writes_max: 3,
        txn_reads_max: 2,
        txn_bytes_max: 100,
        value_bytes_max: 60,
        key_bytes_max: 20,
        before_bytes_max: 70,
        ..options
    };
    let store = open_with(place, options).await;
    let start = store.snapshot().await.unwrap().version();
    let big = "v".repeat(60);
    put(&store, &[("a", &big)]).await;
    put(&store, &[("b", &big)]).await;
    let mut many_reads = Txn::at(start);
    many_reads.reads = vec![key("x"), key("y")];
    many_reads.read_ranges = vec![span("x", "y")];
    let cases = [
        (writes(&[("1", "x"), ("2", "x"), ("3", "x"), ("4", "x")]), "the number of writes", 4, 3),
        (many_reads, "the number of reads", 3, 2),
        (writes(&[("1", &big), ("2", &big)]), "the number of bytes", 124, 100),
        (writes(&[("1", &"v".repeat(61))]), "the number of bytes of a value", 61, 60),
        (writes(&[("12345678901234567890", "x")]), "the number of bytes of a key", 21, 20),
        (writes(&[("a", ""), ("b", "")]), "the number of bytes overwritten or deleted", 120, 70),
    ];
    for (txn, what, actual, max) in cases {
        assert_eq!(store.commit(txn).await, Err(CommitError::TooLarge { what, actual, max }));
    }
    assert_eq!(state(&store.snapshot().await.unwrap()).await.len(), 2, "nothing of them was applied");
    check_agreement(&store, start).await;
    store.close().await.unwrap();
}

pub async fn what_builds_on_a_failed_commit_fails(place: &impl Place) {
    let (_, options) = manual();
    let store = open_with(place, options).await;
    let start = store.snapshot().await.unwrap().version();
    put(&store, &[("caller", "revoked")]).await;
    let chain = Chain::default();
    let of = |name: &str, relies_on: Option<&str>, chain: &Chain| {
        let mut txn = Txn { base: start, chain: Some(chain.clone()), ..writes(&[(name, "1")]) };
        relies_on.into_iter().for_each(|name| txn.read(key(name)));
        txn
    };
    // Handed in one after the other, before any is answered.
    let answers = [
        store.submit(of("a", None, &chain)).unwrap(),
        store.submit(of("b", Some("caller"), &chain)).unwrap(),
        store.submit(of("c", None, &chain)).unwrap(),
        store.submit(of("d", None, &Chain::default())).unwrap(),
    ];
    let mut results = Vec::new();
    for answer in answers {
        results.push(answer.await);
    }
    assert!(results[0].is_ok() && results[3].is_ok(), "{results:?}");
    assert!(matches!(results[1], Err(CommitError::Conflict { .. })), "{:?}", results[1]);
    assert_eq!(results[2], Err(CommitError::Broken));
    assert_eq!(store.commit(of("e", None, &chain)).await, Err(CommitError::Broken), "for ever");
    let rows = state(&store.snapshot().await.unwrap()).await;
    let names: Vec<_> = rows.into_iter().map(|row| row.key).collect();
    assert_eq!(names, [key("a"), key("caller"), key("d")]);
    store.close().await.unwrap();
}
