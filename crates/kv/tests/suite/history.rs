//! The change feed, looking back, retention.

use kv::{Change, CommitError, Options, RowChange, StoreError, Txn};

use super::*;

pub async fn changes_tell_what_every_commit_did(place: &impl Place) {
    let store = open(place).await;
    let start = store.snapshot().await.unwrap().version();
    assert_eq!(store.changes(start, 10).await, Ok(vec![]));
    let first = put(&store, &[("b", "1"), ("a", "2"), ("gone", "")]).await;
    let mut txn = writes(&[("a", ""), ("b", "3")]);
    txn.note = Some("by ann".into());
    let second = store.commit(txn).await.unwrap();
    let noted = store.commit(Txn { note: Some(Bytes::new()), ..Txn::default() }).await.unwrap();
    let nothing = store.commit(Txn::default()).await.unwrap();
    assert_eq!(nothing, noted, "a commit without writes makes no version");

    let row = |name: &str, value: &'static str, version| Row { key: key(name), value: value.into(), version };
    let change = |name: &str, before, after: Option<&'static str>| RowChange {
        key: key(name),
        before,
        after: after.map(Bytes::from),
    };
    let expected = [
        Change {
            version: first,
            note: None,
            rows: vec![change("a", None, Some("2")), change("b", None, Some("1"))],
        },
        Change {
            version: second,
            note: Some("by ann".into()),
            rows: vec![
                change("a", Some(row("a", "2", first)), None),
                change("b", Some(row("b", "1", first)), Some("3")),
            ],
        },
        Change { version: noted, note: Some(Bytes::new()), rows: vec![] },
    ];
    assert_eq!(store.changes(start, 10).await.unwrap(), expected);
    assert_eq!(store.changes(start, 2).await.unwrap(), expected[..2]);
    assert_eq!(store.changes(first, 10).await.unwrap(), expected[1..]);
    assert_eq!(store.changes(noted, 10).await.unwrap(), []);
    assert_eq!(store.changes(start, 0).await.unwrap(), []);
    check_agreement(&store, start).await;
    store.close().await.unwrap();
}

pub async fn a_listener_misses_nothing_under_load(place: &impl Place) {
    const COMMITS: usize = 200;
    let store = open(place).await;
    let start = store.snapshot().await.unwrap().version();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut versions = Vec::new();
                for n in 0..COMMITS / 4 {
                    versions.push(put(&store, &[(&format!("{writer}/{n}"), "x")]).await);
                }
                versions
            })
        })
        .collect();
    let mut published = store.published();
    let (mut after, mut seen) = (start, Vec::new());
    while seen.len() < COMMITS {
        let changes = store.changes(after, 10).await.unwrap();
        if changes.is_empty() {
            published.changed().await.unwrap();
            continue;
        }
        seen.extend(changes.iter().map(|change| change.version));
        after = *seen.last().unwrap();
        published.mark_unchanged();
        if *published.borrow() > after {
            published.mark_changed();
        }
    }
    let mut made = Vec::new();
    for writer in writers {
        made.extend(writer.await.unwrap());
    }
    made.sort();
    assert_eq!(seen, made);
    for limit in [0, 1, 150, COMMITS] {
        assert_eq!(store.versions(start, limit).await.unwrap(), seen[..limit]);
    }
    assert_eq!(store.versions(seen[150], COMMITS).await.unwrap(), seen[151..]);
    store.close().await.unwrap();
}

pub async fn old_versions_look_as_they_did(place: &impl Place) {
    let (clock, options) = manual();
    let store = open_with(place, options).await;
    let mut past = vec![(store.snapshot().await.unwrap().version(), Vec::new())];
    for round in 0..30 {
        clock.advance(10);
        let name = |n: i32| format!("k{:02}", n.rem_euclid(11));
        put(&store, &[(&name(round), &round.to_string()), (&name(round * 7 + 3), ""), ("z", "same")]).await;
        let snapshot = store.snapshot().await.unwrap();
        past.push((snapshot.version(), state(&snapshot).await));
    }
    for (version, rows) in &past {
        // At the version itself, and just before the next commit.
        for version in [*version, Version(version.0 + 9)] {
            if version.0 > past.last().unwrap().0.0 {
                clock.advance(9);
            }
            let snapshot = store.snapshot_at(version).await.unwrap();
            assert_eq!(snapshot.version(), version);
            assert_eq!(&state(&snapshot).await, rows, "at {version}");
            for rows_max in [1, 2, 3, 5] {
                for reverse in [false, true] {
                    let scan = Scan { reverse, rows_max, ..Scan::default() };
                    let mut paged = pages(&snapshot, &everything(), scan).await;
                    if reverse {
                        paged.reverse();
                    }
                    assert_eq!(&paged, rows, "at {version}, {scan:?}");
                    let some = pages(&snapshot, &span("k02", "k07"), scan).await.len();
                    let inside = rows.iter().filter(|row| span("k02", "k07").contains(&row.key)).count();
                    assert_eq!(some, inside, "at {version}, {scan:?}");
                }
            }
            let keys: Vec<Key> = (0..11).map(|n| key(&format!("k{n:02}"))).collect();
            let many = snapshot.get_many(&keys).await.unwrap();
            for (key, row) in keys.iter().zip(many) {
                assert_eq!(row.as_ref(), rows.iter().find(|row| row.key == *key), "at {version}");
                assert_eq!(snapshot.get(key).await.unwrap(), row);
            }
        }
    }
    store.close().await.unwrap();
}

pub async fn a_version_between_commits_stays_what_it_was(place: &impl Place) {
    let (clock, options) = manual();
    let store = open_with(place, options).await;
    let old = put(&store, &[("a", "1")]).await;
    clock.advance(1000);
    let now = Version(START_MICROS + 1000);
    let snapshot = store.snapshot_at(now).await.unwrap();
    assert_eq!((snapshot.version(), text(&snapshot, "a").await.unwrap().as_str()), (now, "1"));
    let too_far = store.snapshot_at(Version(now.0 + 1)).await.err();
    assert_eq!(too_far, Some(StoreError::Future { asked: Version(now.0 + 1), newest: now }));

    clock.advance(-500);
    let next = put(&store, &[("a", "2")]).await;
    assert!(next > now, "no commit gets a version that was read already");
    for version in [old, Version(now.0 - 1), now] {
        assert_eq!(text(&store.snapshot_at(version).await.unwrap(), "a").await.unwrap(), "1");
    }
    assert_eq!(text(&store.snapshot_at(next).await.unwrap(), "a").await.unwrap(), "2");
    let mut txn = Txn::at(now);
    txn.read(key("a"));
    assert!(matches!(store.commit(txn).await, Err(CommitError::Conflict { .. })));
    store.close().await.unwrap();
}

pub async fn beyond_retention_is_too_old(place: &impl Place) {
    let (clock, options) = manual();
    let options = Options { change_retention_ms: 1000, prune_rows_max: 2, recent_rows_max: 2, ..options };
    let store = open_with(place, options.clone()).await;
    let start = store.snapshot().await.unwrap().version();
    let mut versions = Vec::new();
    for n in 0..10 {
        clock.advance(100_000);
        versions.push(put(&store, &[("n", &n.to_string())]).await);
    }
    clock.advance(500_000);
    store.prune().await.unwrap();
    // Now is 1.5 s after the start, so what was committed up to 0.5 s after it is gone.
    let oldest = versions[4];
    for reopened in [false, true] {
        let store = if reopened { open_with(place, options.clone()).await } else { store.clone() };
        assert_eq!(store.changes(start, 10).await, Err(StoreError::TooOld { asked: start, oldest }));
        let before = versions[3];
        assert_eq!(store.snapshot_at(before).await.err(), Some(StoreError::TooOld { asked: before, oldest }));
        let read = |base| Txn { base, reads: vec![key("other")], ..Txn::default() };
        assert_eq!(store.commit(read(before)).await, Err(CommitError::TooOld { base: before, oldest }));
        assert!(store.commit(read(oldest)).await.is_ok());
        let changes = store.changes(oldest, 10).await.unwrap();
        assert_eq!(changes.iter().map(|change| change.version).collect::<Vec<_>>(), versions[5..]);
        assert_eq!(text(&store.snapshot_at(oldest).await.unwrap(), "n").await.unwrap(), "4");
        // Blind writes have nothing to check.
        assert!(store.commit(Txn { base: start, ..Txn::default() }).await.is_ok());
        store.close().await.unwrap();
    }

    // The background does the same by itself, slice by slice, after later groups.
    let store = open_with(place, options).await;
    clock.advance(10_000_000);
    for n in 0..8 {
        put(&store, &[("n", &n.to_string())]).await;
        clock.advance(1);
    }
    let result = store.changes(versions[9], 1).await;
    assert!(result.is_ok(), "{result:?}");
    assert!(matches!(store.changes(versions[8], 1).await, Err(StoreError::TooOld { .. })));
    store.close().await.unwrap();
}

pub async fn looking_back_has_a_limit(place: &impl Place) {
    let (_, options) = manual();
    let options = Options { look_back_rows_max: 5, recent_rows_max: 2, ..options };
    let store = open_with(place, options).await;
    let start = store.snapshot().await.unwrap().version();
    let mut versions = Vec::new();
    for n in 0..10 {
        versions.push(put(&store, &[("n", &n.to_string())]).await);
    }
    let error = store.snapshot_at(start).await.err();
    assert_eq!(error, Some(StoreError::TooManyChanges { asked: start, rows_max: 5 }));
    assert_eq!(text(&store.snapshot_at(versions[4]).await.unwrap(), "n").await.unwrap(), "4");
    let read = |base| Txn { base, reads: vec![key("other")], ..Txn::default() };
    // Two commits are remembered, five more are looked up in the log.
    assert_eq!(
        store.commit(read(start)).await,
        Err(CommitError::TooOld { base: start, oldest: versions[2] })
    );
    assert!(store.commit(read(versions[2])).await.is_ok());
    store.close().await.unwrap();
}
