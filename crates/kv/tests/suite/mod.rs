//! The conformance suite: what every engine must do under a store. `engines.rs` runs it over all.

#![allow(dead_code, reason = "each test program uses a part of the suite")]

pub mod commits;
pub mod history;
pub mod reads;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base::ManualClock;
use bytes::Bytes;
use kv::{
    Engine, Key, KeyRange, Keyspace, Mem, Options, Row, Scan, Snapshot, Sqlite, SqliteOptions, Store, Txn,
    Version,
};

/// The keyspace of most cases.
pub const SPACE: Keyspace = Keyspace(1);

/// The clock's first value: far enough from zero for subtraction.
pub const START_MICROS: i64 = 1_000_000_000_000;

/// Where data lives between two openings.
pub trait Place {
    type Engine: Engine;
    fn engine(&self) -> Self::Engine;
}

/// In memory.
#[derive(Default)]
pub struct InMemory(Mem);

impl Place for InMemory {
    type Engine = Mem;
    fn engine(&self) -> Mem {
        self.0.clone()
    }
}

/// In a folder of its own.
pub struct OnDisk(pub tempfile::TempDir);

impl Default for OnDisk {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl OnDisk {
    pub fn data_file(&self) -> PathBuf {
        Sqlite::data_file(self.0.path())
    }
}

impl Place for OnDisk {
    type Engine = Sqlite;
    fn engine(&self) -> Sqlite {
        Sqlite::open(self.0.path()).unwrap()
    }
}

/// In a folder of its own, where rows are moved from the journal into the file after every few commits.
#[derive(Default)]
pub struct Moving(OnDisk);

impl Place for Moving {
    type Engine = Sqlite;
    fn engine(&self) -> Sqlite {
        let options = SqliteOptions { journal_bytes_max: 600, ..SqliteOptions::default() };
        Sqlite::open_with(self.0.0.path(), options).unwrap()
    }
}

/// A clock that stands, and options with it.
pub fn manual() -> (Arc<ManualClock>, Options) {
    let clock = Arc::new(ManualClock::at(START_MICROS));
    (Arc::clone(&clock), Options { clock, ..Options::default() })
}

pub async fn open(place: &impl Place) -> Store {
    open_with(place, manual().1).await
}

pub async fn open_with(place: &impl Place, options: Options) -> Store {
    Store::open(place.engine(), options).await.unwrap()
}

pub fn key(name: &str) -> Key {
    Key::new(SPACE, name.as_bytes())
}

pub fn span(start: &str, end: &str) -> KeyRange {
    KeyRange::between(key(start), key(end))
}

pub fn everything() -> KeyRange {
    KeyRange::between(Key::new(Keyspace(0), b""), Key::new(Keyspace(Keyspace::RESERVED_FROM), b""))
}

/// A blind write of several rows; an empty value deletes.
pub fn writes(rows: &[(&str, &str)]) -> Txn {
    let mut txn = Txn::default();
    for (name, value) in rows {
        let value = (!value.is_empty()).then(|| Bytes::copy_from_slice(value.as_bytes()));
        txn.writes.push((key(name), value));
    }
    txn
}

pub async fn put(store: &Store, rows: &[(&str, &str)]) -> Version {
    store.commit(writes(rows)).await.unwrap()
}

pub async fn text(snapshot: &Snapshot, name: &str) -> Option<String> {
    let row = snapshot.get(&key(name)).await.unwrap()?;
    Some(String::from_utf8(row.value.to_vec()).unwrap())
}

/// All rows of a range, page by page.
pub async fn pages(snapshot: &Snapshot, range: &KeyRange, scan: Scan) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = Some(range.clone());
    while let Some(range) = rest.take() {
        let page = snapshot.scan(&range, scan).await.unwrap();
        assert!(page.rows.len() <= scan.rows_max.max(1));
        let bytes: usize = page.rows.iter().map(|row| row.key.stored().len() + row.value.len()).sum();
        assert!(bytes <= scan.bytes_max || page.rows.len() == 1, "{bytes} bytes in a page");
        assert!(
            page.next.is_none()
                || !page.rows.is_empty()
                || snapshot.scan(&range, scan).await.unwrap() == page
        );
        rows.extend(page.rows);
        rest = page.next;
    }
    rows
}

pub async fn state(snapshot: &Snapshot) -> Vec<Row> {
    pages(snapshot, &everything(), Scan::default()).await
}

/// Names and values of all rows of the usual keyspace.
pub async fn texts(snapshot: &Snapshot, range: &KeyRange, scan: Scan) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let rows = pages(snapshot, range, scan).await;
    rows.iter().map(|row| (text(row.key.as_bytes()), text(&row.value))).collect()
}

/// Replays the change log and compares: log and state must agree. The log must reach back to the start.
pub async fn check_agreement(store: &Store, from: Version) {
    let snapshot = store.snapshot().await.unwrap();
    let mut replayed: BTreeMap<Key, Row> = BTreeMap::new();
    let mut after = from;
    loop {
        let changes = store.changes(after, 7).await.unwrap();
        let Some(last) = changes.last() else { break };
        for change in &changes {
            assert!(change.version > after, "the feed goes back from {after} to {}", change.version);
            after = change.version;
            for row in &change.rows {
                assert_eq!(replayed.get(&row.key), row.before.as_ref(), "before-image at {after}");
                match &row.after {
                    Some(value) => {
                        let new = Row { key: row.key.clone(), value: value.clone(), version: after };
                        replayed.insert(row.key.clone(), new);
                    }
                    None => {
                        replayed.remove(&row.key);
                    }
                }
            }
        }
        assert_eq!(after, last.version);
    }
    assert_eq!(after.max(from), snapshot.version().max(from), "the newest entry is the newest version");
    assert_eq!(replayed.into_values().collect::<Vec<_>>(), state(&snapshot).await);
}
