//! `kill -9` at random moments: every acknowledged commit is there afterwards, none is there by half,
//! and the change log agrees with the state.
//!
//! The test starts itself again as the process to be killed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use kv::{Key, KeyRange, Keyspace, Options, Scan, Sqlite, SqliteOptions, Store, StoreError, Txn, Version};
use suite::{check_agreement, pages};

const ROUNDS: u32 = 30;
const WRITERS: usize = 4;
const FOLDER: &str = "KV_CRASH_FOLDER";

/// Each commit writes its number under a name of its own into three keyspaces, and its newest
/// under a name that is overwritten.
const SPACES: [Keyspace; 3] = [Keyspace(1), Keyspace(2), Keyspace(3)];
const NEWEST: Keyspace = Keyspace(4);

fn options() -> SqliteOptions {
    // Small, so that moves, checkpoints and the emptying of the log happen between the kills.
    SqliteOptions {
        journal_bytes_max: 1 << 18,
        wal_bytes_max: 1 << 20,
        checkpoint_interval_ms: 2,
        ..SqliteOptions::default()
    }
}

#[test]
#[ignore = "this is the process that the other test kills"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = Sqlite::open_with(Path::new(&folder), options()).unwrap();
        let store = Store::open(engine, Options::default()).await.unwrap();
        let epoch = store.snapshot().await.unwrap().version();
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), epoch, writer))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

async fn write(store: Store, run: Version, writer: usize) {
    for n in 0u32.. {
        let name = format!("{run}/{writer}/{n:06}");
        let mut txn = Txn::default();
        for space in SPACES {
            txn.put(Key::new(space, name.as_bytes()), vec![b'v'; 200 + n as usize % 3000]);
        }
        txn.put(Key::new(NEWEST, writer.to_string().as_bytes()), name.clone());
        txn.note = Some(Bytes::from(name.clone()));
        let version = store.commit(txn).await.unwrap();
        // One write call per line, so that a kill leaves whole lines.
        std::io::stdout().lock().write_all(format!("acknowledged {name} {version}\n").as_bytes()).unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_there_by_half() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, Version> = BTreeMap::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader =
            std::thread::spawn(move || output.split(b'\n').map_while(Result::ok).collect::<Vec<_>>());
        // The clock's low digits are random enough, and the first rounds hit the making of the file.
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::sleep(Duration::from_micros(u64::from(
            nanos / 7 % if round < 5 { 20_000 } else { 150_000 },
        )));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in reader.join().unwrap() {
            let line = String::from_utf8(line).unwrap();
            let Some(line) = line.split_once("acknowledged ") else { continue };
            let Some((name, version)) = line.1.split_once(' ') else { continue };
            let Ok(version) = version.parse() else { continue };
            acknowledged.insert(name.to_owned(), Version(version));
        }
        runtime.block_on(check(folder.path(), &acknowledged));
    }
    assert!(acknowledged.len() > 200, "only {} commits were acknowledged", acknowledged.len());
    println!("{} acknowledged commits survived {ROUNDS} kills", acknowledged.len());
}

async fn check(folder: &Path, acknowledged: &BTreeMap<String, Version>) {
    let store = Store::open(Sqlite::open_with(folder, options()).unwrap(), Options::default()).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    // Nothing was pruned yet, so the log reaches back to the making of the database.
    let Err(StoreError::TooOld { oldest: start, .. }) = store.changes(Version::ZERO, 1).await else {
        panic!("version zero is before every database");
    };
    let mut spaces = Vec::new();
    for space in SPACES {
        let rows = pages(&snapshot, &KeyRange::prefix(space, b""), Scan::default()).await;
        let names =
            rows.iter().map(|row| (String::from_utf8(row.key.as_bytes().to_vec()).unwrap(), row.version));
        spaces.push(names.collect::<BTreeMap<_, _>>());
    }
    assert_eq!(spaces[0], spaces[1], "a commit is there by half");
    assert_eq!(spaces[0], spaces[2], "a commit is there by half");
    for (name, version) in acknowledged {
        assert_eq!(spaces[0].get(name), Some(version), "`{name}` was acknowledged");
    }
    assert!(spaces[0].values().all(|version| *version <= snapshot.version()));
    check_agreement(&store, start).await;
    drop(snapshot);
    store.close().await.unwrap();
}
