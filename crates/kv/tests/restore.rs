//! Backups, restored to their newest state and to earlier ones; the length of the change log; what `verify` finds.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

use std::collections::BTreeMap;
use std::fs;

use kv::{CommitError, Options, Sqlite, Store, StoreError, Txn, Version, reach, restore, verify};
use suite::{OnDisk, check_agreement, key, manual, open, put, state, text, writes};

#[tokio::test]
async fn a_backup_is_restored_to_any_version_that_it_reaches() {
    let place = OnDisk::default();
    let store = open(&place).await;
    let start = store.snapshot().await.unwrap().version();
    let mut states = BTreeMap::new();
    for n in 0..120 {
        let value = "v".repeat(n * 67 % 3000 + 1);
        let mut txn = writes(&[(&format!("k{}", n % 17), &value), ("n", &n.to_string())]);
        if n % 5 == 4 {
            txn.delete(key(&format!("k{}", (n + 3) % 17)));
        }
        let version = store.commit(txn).await.unwrap();
        states.insert(version, state(&store.snapshot().await.unwrap()).await);
    }
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("copy.sqlite");
    let newest = store.backup(&backup).await.unwrap();
    put(&store, &[("n", "after the backup")]).await;
    assert_eq!(reach(&backup).unwrap(), kv::Reach { oldest: start, newest });
    for (n, (version, expected)) in states.iter().enumerate().filter(|(n, _)| n % 13 == 0 || *n == 119) {
        let data = folder.path().join(format!("data-{n}"));
        // Between two commits the state is that of the first.
        let report = restore(&backup, &data, Some(*version)).unwrap();
        assert_eq!((report.version, &report.findings[..]), (*version, &[][..]));
        let restored = Store::open(Sqlite::open(&data).unwrap(), manual().1).await.unwrap();
        let snapshot = restored.snapshot().await.unwrap();
        assert_eq!((snapshot.version(), &state(&snapshot).await), (*version, expected));
        assert_ne!(restored.epoch(), store.epoch());
        check_agreement(&restored, start).await;
        put(&restored, &[("goes", "on")]).await;
        drop(snapshot);
        restored.close().await.unwrap();
        assert_eq!(verify(&data).unwrap().findings, []);
    }
    let data = folder.path().join("data-0");
    assert!(matches!(restore(&backup, &data, None), Err(StoreError::Exists { .. })), "it overwrites nothing");
    let other = folder.path().join("other");
    let too_old = restore(&backup, &other, Some(Version(start.0 - 1)));
    assert_eq!(too_old, Err(StoreError::TooOld { asked: Version(start.0 - 1), oldest: start }));
    let future = restore(&backup, &other, Some(Version(newest.0 + 1)));
    assert_eq!(future, Err(StoreError::Future { asked: Version(newest.0 + 1), newest }));
    assert!(!other.exists());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() {
    let place = OnDisk::default();
    let store = open(&place).await;
    for n in 0..30 {
        put(&store, &[(&format!("k{n}"), &"v".repeat(n * 200))]).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("copy.sqlite");
    store.backup(&backup).await.unwrap();
    let expected = state(&store.snapshot().await.unwrap()).await;
    store.close().await.unwrap();
    let whole = fs::read(&backup).unwrap();
    let mut refused = 0;
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'v').collect();
    for at in used.iter().step_by(used.len() / 20) {
        let mut damaged = whole.clone();
        damaged[*at] ^= 8;
        fs::write(&backup, damaged).unwrap();
        let data = folder.path().join("data");
        match restore(&backup, &data, None) {
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                assert!(!data.exists());
                refused += 1;
            }
            // The byte was in a place that nothing uses.
            Ok(_) => {
                let store = Store::open(Sqlite::open(&data).unwrap(), manual().1).await.unwrap();
                assert_eq!(state(&store.snapshot().await.unwrap()).await, expected);
                store.close().await.unwrap();
                fs::remove_dir_all(&data).unwrap();
            }
        }
    }
    assert!(refused > 10, "{refused} refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_change_log_does_not_grow_beyond_its_length() {
    const MIB: usize = 1 << 20;
    let place = OnDisk::default();
    let options = Options { change_bytes_max: 12 * MIB as u64, ..Options::default() };
    let store = Store::open(Sqlite::open(place.0.path()).unwrap(), options.clone()).await.unwrap();
    let early = put(&store, &[("a", "early")]).await;
    let mut lengths = Vec::new();
    for n in 0..160 {
        put(&store, &[("a", &format!("{n:04}").repeat(64 * 1024))]).await;
        lengths.push(fs::metadata(place.data_file()).unwrap().len() as usize / MIB);
    }
    // 160 documents of 256 KiB, each with what it overwrote, are 80 MiB.
    let longest = lengths.iter().max().unwrap();
    println!("the data file in MiB: {lengths:?}");
    assert!(*longest < 60, "{lengths:?}");
    let refused = store.snapshot_at(early).await.err();
    assert!(matches!(refused, Some(StoreError::TooOld { oldest, .. }) if oldest > early), "{refused:?}");
    let refused = store.changes(early, 10).await;
    assert!(matches!(refused, Err(StoreError::TooOld { .. })), "{refused:?}");
    // What is too long goes a slice after the other, until the log is short enough.
    let mut oldest = early;
    let kept = loop {
        match store.changes(oldest, 1000).await {
            Ok(kept) if oldest > early => {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                if store.changes(oldest, 1).await.is_ok() {
                    break kept;
                }
            }
            Err(StoreError::TooOld { oldest: newer, .. }) => oldest = newer,
            other => panic!("{other:?}"),
        }
    };
    assert!(!kept.is_empty());
    let past = store.snapshot_at(oldest).await.unwrap();
    assert_eq!(text(&past, "a").await.unwrap().len(), 256 * 1024);
    let mut txn = Txn::at(early);
    txn.read(key("b"));
    txn.put(key("c"), "1");
    // What is remembered in memory still answers for it.
    assert!(matches!(store.commit(txn).await, Ok(_) | Err(CommitError::TooOld { .. })));
    drop(past);
    store.close().await.unwrap();
    // The length is known again after a restart.
    let store = Store::open(Sqlite::open(place.0.path()).unwrap(), options).await.unwrap();
    for n in 0..60 {
        put(&store, &[("a", &format!("{n:04}").repeat(64 * 1024))]).await;
    }
    store.close().await.unwrap();
    let length = fs::metadata(place.data_file()).unwrap().len() as usize / MIB;
    assert!(length < 60, "{length} MiB");
    assert_eq!(verify(place.0.path()).unwrap().findings, []);
}
