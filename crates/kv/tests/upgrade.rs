//! A data file of an older layout is brought to the present one when it is opened.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

use kv::{KeyRange, Scan, Sqlite, verify};
use suite::{OnDisk, SPACE, open, pages, put};

/// What layout 2 was: the same tables, values without checksums, no mark.
fn as_layout_2(place: &OnDisk) {
    let connection = rusqlite::Connection::open(place.data_file()).unwrap();
    let strip = "CAST(substr(v, 1, length(v) - 4) AS BLOB)";
    connection.execute_batch(&format!("UPDATE kv SET v = {strip} WHERE typeof(v) = 'blob'")).unwrap();
    connection.execute_batch(&format!("UPDATE big SET v = {strip}; PRAGMA user_version = 2")).unwrap();
    connection.close().unwrap();
    std::fs::remove_file(place.0.path().join("store.mark")).unwrap();
}

#[tokio::test]
async fn layout_2_is_upgraded_when_it_is_opened() {
    let place = OnDisk::default();
    let store = open(&place).await;
    for n in 0..200 {
        put(&store, &[(&format!("k{n:03}"), &"v".repeat(n * 31 + 1)), ("n", &n.to_string())]).await;
    }
    let all = KeyRange::prefix(SPACE, b"");
    let before = pages(&store.snapshot().await.unwrap(), &all, Scan::default()).await;
    store.close().await.unwrap();
    for interrupted in [false, true] {
        as_layout_2(&place);
        if interrupted {
            // What a crash in the middle may leave.
            std::fs::write(place.0.path().join("store.sqlite.new"), b"half").unwrap();
            std::fs::write(place.0.path().join("store.sqlite.new.partial"), b"half").unwrap();
        }
        let store = open(&place).await;
        assert_eq!(pages(&store.snapshot().await.unwrap(), &all, Scan::default()).await, before);
        store.close().await.unwrap();
        let report = verify(place.0.path()).unwrap();
        assert_eq!(report.findings, []);
        assert!(report.pages > 10 && report.rows > 400 && report.changes > 200, "{report:?}");
    }
    let names = std::fs::read_dir(place.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["store.lock", "store.mark", "store.sqlite"]);
    assert!(Sqlite::data_file(place.0.path()).exists());
}
