//! Rows, scans, snapshots, opening again, backups.

use kv::{CommitError, Key, KeyRange, Keyspace, Options, Page, Scan, Sqlite, Store, StoreError, Txn};

use super::*;

pub async fn rows_are_read_back(place: &impl Place) {
    let store = open(place).await;
    assert_eq!(store.snapshot().await.unwrap().get(&key("a")).await.unwrap(), None);
    let first = put(&store, &[("a", "1"), ("b", "2"), ("a", "3")]).await;
    let second = put(&store, &[("b", ""), ("c", "4"), ("never", "")]).await;
    assert!(second > first);

    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(snapshot.version(), second);
    let a = snapshot.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(
        (&*a.value, a.version, &a.key),
        (&b"3"[..], first, &key("a")),
        "the last write of a key counts"
    );
    let many = snapshot.get_many(&[key("c"), key("b"), key("a"), key("c")]).await.unwrap();
    let versions: Vec<_> = many.iter().map(|row| row.as_ref().map(|row| row.version)).collect();
    assert_eq!(versions, [Some(second), None, Some(first), Some(second)]);

    let mut empty = Txn::default();
    empty.put(key("empty"), Bytes::new());
    store.commit(empty).await.unwrap();
    let row = store.snapshot().await.unwrap().get(&key("empty")).await.unwrap();
    assert_eq!(row.map(|row| row.value), Some(Bytes::new()), "an empty value is not an absent one");
    store.close().await.unwrap();
}

pub async fn scans_give_ordered_pages_both_ways(place: &impl Place) {
    let store = open(place).await;
    let mut txn = Txn::default();
    let mut names: Vec<Vec<u8>> = (0..700u32).map(|n| format!("k{n:04}").into_bytes()).collect();
    names.extend([
        b"".to_vec(),
        b"\0".to_vec(),
        b"k\xff".to_vec(),
        b"k\xff\xff".to_vec(),
        b"l".to_vec(),
        b"\xff".to_vec(),
    ]);
    names.sort();
    for name in &names {
        txn.put(Key::new(SPACE, name), vec![b'v'; name.len() * 10]);
        txn.put(Key::new(Keyspace(2), name), "other");
    }
    store.commit(txn).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();

    let of = |range: &KeyRange| -> Vec<Key> {
        let keys = names.iter().map(|name| Key::new(SPACE, name));
        keys.filter(|key| range.contains(key)).collect()
    };
    let ranges = [
        KeyRange::prefix(SPACE, b""),
        KeyRange::prefix(SPACE, b"k"),
        KeyRange::prefix(SPACE, b"k\xff"),
        KeyRange::prefix(SPACE, b"k01"),
        KeyRange::prefix(SPACE, b"nothing"),
        span("k0100", "k0100"),
        span("k0200", "k0100"),
        span("k0100", "k0101"),
    ];
    for range in &ranges {
        for (rows_max, bytes_max) in [
            (1, 1 << 20),
            (0, 1 << 20),
            (7, 1 << 20),
            (256, 1 << 20),
            (10_000, 1 << 20),
            (10_000, 0),
            (10_000, 200),
            (10_000, 20_000),
        ] {
            for reverse in [false, true] {
                let scan = Scan { reverse, rows_max, bytes_max };
                let mut expected = of(range);
                if reverse {
                    expected.reverse();
                }
                let keys: Vec<Key> =
                    pages(&snapshot, range, scan).await.into_iter().map(|row| row.key).collect();
                assert_eq!(keys, expected, "{range:?} {scan:?}");
            }
        }
    }
    let none = snapshot.scan(&span("k0200", "k0100"), Scan::default()).await.unwrap();
    assert_eq!(none, Page::default());
    let all = Scan { reverse: false, rows_max: 10_000, bytes_max: 1 << 30 };
    let page = snapshot.scan(&everything(), all).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (2 * names.len(), None), "one page if the limits allow");
    drop(snapshot);
    store.close().await.unwrap();
}

pub async fn the_stores_own_rows_are_out_of_reach(place: &impl Place) {
    let store = open(place).await;
    let snapshot = store.snapshot().await.unwrap();
    let own = Key::new(Keyspace(0xF1), b"");
    let refused = StoreError::ReservedKeyspace { key: own.clone() };
    assert_eq!(snapshot.get(&own).await, Err(refused.clone()));
    assert_eq!(snapshot.get_many(&[key("a"), own.clone()]).await, Err(refused.clone()));
    let across = KeyRange::between(key("a"), own.clone());
    assert_eq!(snapshot.scan(&across, Scan::default()).await, Err(refused.clone()));
    let mut txn = Txn::default();
    txn.put(own, "x");
    assert_eq!(store.commit(txn).await, Err(CommitError::Store(refused)));
    assert_eq!(snapshot.scan(&everything(), Scan::default()).await, Ok(Page::default()));
    drop(snapshot);
    store.close().await.unwrap();
}

pub async fn a_snapshot_stands_still(place: &impl Place) {
    let store = open(place).await;
    let mut seen = Vec::new();
    for round in 0..20 {
        put(
            &store,
            &[
                ("a", &format!("{round}")),
                (&format!("n{round:02}"), "x"),
                (&format!("n{:02}", round - 3), ""),
            ],
        )
        .await;
        let snapshot = store.snapshot().await.unwrap();
        let rows = state(&snapshot).await;
        seen.push((snapshot, rows));
    }
    // Held snapshots first, in both orders of dropping; each with gets and scans.
    for (snapshot, rows) in &seen {
        assert_eq!(&state(snapshot).await, rows);
        for row in rows {
            assert_eq!(snapshot.get(&row.key).await.unwrap().as_ref(), Some(row));
        }
    }
    let mut kept = seen.split_off(10);
    seen.clear();
    put(&store, &[("a", "later")]).await;
    kept.reverse();
    for (snapshot, rows) in kept {
        assert_eq!(state(&snapshot).await, rows);
        put(&store, &[("a", "still later")]).await;
    }
    store.close().await.unwrap();
}

pub async fn a_snapshot_never_shows_half_a_commit(place: &impl Place) {
    let (_, options) = manual();
    let store = open_with(place, options).await;
    put(&store, &[("left", "0"), ("right", "0")]).await;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 1..300 {
                put(&store, &[("left", &n.to_string()), ("right", &n.to_string())]).await;
            }
        }
    });
    let mut last = 0;
    while !writer.is_finished() {
        let published = *store.published().borrow();
        let snapshot = store.snapshot().await.unwrap();
        assert!(snapshot.version() >= published);
        let left = text(&snapshot, "left").await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(text(&snapshot, "right").await.unwrap(), left);
        let now = left.parse::<u32>().unwrap();
        assert!(now >= last, "snapshots do not go back");
        last = now;
    }
    writer.await.unwrap();
    assert_eq!(text(&store.snapshot().await.unwrap(), "left").await.unwrap(), "299");
    store.close().await.unwrap();
}

pub async fn everything_is_there_after_opening_again(place: &impl Place) {
    let (clock, options) = manual();
    let store = open_with(place, options.clone()).await;
    let epoch = store.epoch();
    let start = store.snapshot().await.unwrap().version();
    clock.advance(5_000_000);
    let last = put(&store, &[("a", "1"), ("b", "2")]).await;
    store.close().await.unwrap();

    clock.advance(-9_000_000);
    let store = open_with(place, options).await;
    assert_eq!(store.epoch(), epoch);
    assert_eq!(*store.published().borrow(), last);
    assert_eq!(store.snapshot().await.unwrap().version(), last);
    let next = put(&store, &[("a", "3")]).await;
    assert!(next > last, "a clock that went back while the store was closed changes nothing");
    check_agreement(&store, start).await;
    store.close().await.unwrap();
}

pub async fn a_backup_is_the_same_data_under_another_epoch(place: &impl Place) {
    let folder = tempfile::tempdir().unwrap();
    let (clock, options) = manual();
    let store = open_with(place, options.clone()).await;
    let start = store.snapshot().await.unwrap().version();
    for n in 0..50 {
        put(&store, &[(&format!("k{n}"), &"v".repeat(n * 100 + 1)), ("same", &n.to_string())]).await;
    }
    let to = Sqlite::data_file(folder.path());
    let version = store.backup(&to).await.unwrap();
    assert_eq!(version, store.snapshot().await.unwrap().version());
    assert_eq!(store.backup(&to).await, Err(StoreError::Exists { path: to.clone() }));
    let rows = state(&store.snapshot().await.unwrap()).await;
    put(&store, &[("same", "after the backup")]).await;

    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "one file and nothing beside it");
    Sqlite::adopt(folder.path()).unwrap();
    let copy = Store::open(Sqlite::open(folder.path()).unwrap(), options).await.unwrap();
    let snapshot = copy.snapshot().await.unwrap();
    assert_eq!(snapshot.version(), version);
    assert_eq!(state(&snapshot).await, rows);
    assert_ne!(copy.epoch(), store.epoch());
    check_agreement(&copy, start).await;
    clock.advance(1);
    put(&copy, &[("k", "goes on")]).await;
    drop(snapshot);
    copy.close().await.unwrap();
    store.close().await.unwrap();
}

pub async fn a_closed_store_says_so(place: &impl Place) {
    let store = open(place).await;
    let other = store.clone();
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(writes(&[(&format!("{n}"), "x")])).await })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    let mut committed = 0;
    for waiting in waiting {
        match waiting.await.unwrap() {
            Ok(_) => committed += 1,
            Err(error) => assert_eq!(error, CommitError::Store(StoreError::Closed)),
        }
    }
    assert_eq!(other.commit(writes(&[("a", "1")])).await, Err(CommitError::Store(StoreError::Closed)));
    assert_eq!(other.clone().close().await, Err(StoreError::Closed));
    drop(other);

    let store = open_with(place, Options::default()).await;
    assert_eq!(
        state(&store.snapshot().await.unwrap()).await.len(),
        committed,
        "acknowledged and nothing else"
    );
    store.close().await.unwrap();
}
