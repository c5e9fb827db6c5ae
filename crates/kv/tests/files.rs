//! Data files that are foreign, damaged, too new, in use or torn: a clear error, or the longest
//! prefix of whole commits.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use kv::{Key, Keyspace, Options, Sqlite, SqliteOptions, Store, StoreError, Version};
use suite::{OnDisk, Place, check_agreement, open, open_with, put, state, texts};

fn refusal(folder: &Path) -> StoreError {
    match Sqlite::open(folder) {
        Ok(_) => panic!("the folder was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn one_folder_has_one_process() {
    let place = OnDisk::default();
    let store = open(&place).await;
    let error = refusal(place.0.path());
    assert_eq!(error, StoreError::Locked { path: place.0.path().to_owned() });
    let told = format!("the data folder `{}` is in use by another process", place.0.path().display());
    assert_eq!(error.to_string(), told);
    store.close().await.unwrap();
    open(&place).await.close().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let place = OnDisk::default();
    let store = open(&place).await;
    put(&store, &[("a", "1")]).await;
    store.backup(&place.0.path().join("copy.sqlite")).await.unwrap();
    for name in ["store.sqlite", "store.sqlite-wal", "store.journal-0", "store.mark", "copy.sqlite"] {
        let mode = fs::metadata(place.0.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await.unwrap();
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let place = OnDisk::default();
    let text = "This is a letter.\n".repeat(1000);
    fs::write(place.data_file(), &text).unwrap();
    let error = refusal(place.0.path());
    assert!(matches!(&error, StoreError::Foreign { path, .. } if *path == place.data_file()), "{error}");
    assert_eq!(fs::read_to_string(place.data_file()).unwrap(), text);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    for sql in ["CREATE TABLE notes(t); INSERT INTO notes VALUES('x')", "PRAGMA application_id = 7; VACUUM"] {
        let place = OnDisk::default();
        let other = rusqlite::Connection::open(place.data_file()).unwrap();
        other.execute_batch(sql).unwrap();
        other.close().unwrap();
        let before = fs::read(place.data_file()).unwrap();
        let error = refusal(place.0.path());
        assert!(matches!(&error, StoreError::Foreign { path, .. } if *path == place.data_file()), "{error}");
        assert_eq!(fs::read(place.data_file()).unwrap(), before);
    }
}

#[tokio::test]
async fn a_newer_format_is_named() {
    // The layout of the file, and the format of the rows in it.
    let mut header = b"\0\0\0\x08sixteen bytes of i".to_vec();
    header.truncate(20);
    let sum = crc32fast::hash(&[&b"\xFFheader"[..], &header].concat());
    let header = [&header[..], &sum.to_be_bytes()].concat();
    let header = format!("UPDATE kv SET v = x'{}' WHERE k = x'FF686561646572'", hex(&header));
    for (sql, found, known) in [("PRAGMA user_version = 9", 9, 3), (header.as_str(), 8, 1)] {
        let place = OnDisk::default();
        open(&place).await.close().await.unwrap();
        let connection = rusqlite::Connection::open(place.data_file()).unwrap();
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        Sqlite::adopt(place.0.path()).unwrap();
        let error = match Sqlite::open(place.0.path()) {
            Err(error) => error,
            Ok(engine) => Store::open(engine, Options::default()).await.err().unwrap(),
        };
        assert_eq!(error, StoreError::NewerFormat { found, known });
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_truncated_file_is_called_damaged() {
    let place = OnDisk::default();
    let store = open(&place).await;
    for n in 0..100 {
        put(&store, &[(&format!("k{n}"), &"v".repeat(5000))]).await;
    }
    store.close().await.unwrap();
    let whole = fs::read(place.data_file()).unwrap();
    for parts in [1, 2, 3] {
        fs::write(place.data_file(), &whole[..whole.len() * parts / 4]).unwrap();
        let error = refusal(place.0.path());
        assert!(matches!(&error, StoreError::Damaged { path, .. } if *path == place.data_file()), "{error}");
    }
    fs::write(place.data_file(), &whole).unwrap();
    open(&place).await.close().await.unwrap();
}

/// Forty commits that lie in the journal alone, and the files after them: name and content. The mark is as old as a power cut
/// may leave it.
async fn in_the_journal() -> (Version, Vec<(String, Vec<u8>)>) {
    let place = OnDisk::default();
    let options = SqliteOptions { journal_age_ms_max: 3_600_000, ..SqliteOptions::default() };
    let store =
        Store::open(Sqlite::open_with(place.0.path(), options).unwrap(), suite::manual().1).await.unwrap();
    let start = store.snapshot().await.unwrap().version();
    let mark = fs::read(place.0.path().join("store.mark")).unwrap();
    for n in 0..40 {
        put(&store, &[("n", &n.to_string()), (&format!("k{n:02}"), &"v".repeat(n * 300 + 1))]).await;
    }
    let files = fs::read_dir(place.0.path()).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let content = if name == "store.mark" { mark.clone() } else { fs::read(entry.path()).unwrap() };
        (name, content)
    });
    let files = files.collect();
    store.close().await.unwrap();
    (start, files)
}

const JOURNAL: &str = "store.journal-0";

/// The files again, with another journal.
fn with_journal(files: &[(String, Vec<u8>)], journal: &[u8]) -> OnDisk {
    let place = OnDisk::default();
    for (name, bytes) in files {
        fs::write(place.0.path().join(name), if name == JOURNAL { journal } else { bytes }).unwrap();
    }
    place
}

fn journal_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut journal = files.iter().find(|(name, _)| name == JOURNAL).unwrap().1.clone();
    // Without the zeros that no record has overwritten.
    journal.truncate((journal.iter().rposition(|byte| *byte != 0).unwrap() + 1).next_multiple_of(64));
    journal
}

/// What a power cut may leave: the journal torn at any point.
#[tokio::test]
async fn a_torn_log_gives_a_prefix_of_whole_commits() {
    let (start, files) = in_the_journal().await;
    let journal = journal_of(&files);
    let mut lengths = std::collections::BTreeSet::new();
    for step in 0..60 {
        let cut = journal.len() - step * (journal.len() / 60);
        for garbage in [false, true] {
            let mut journal = journal[..cut].to_vec();
            if garbage {
                let from = cut.saturating_sub(3000);
                journal[from..].fill(0xA5);
            }
            let torn = with_journal(&files, &journal);
            let engine = match Sqlite::open(torn.0.path()) {
                Ok(engine) => engine,
                Err(error) => panic!("cut at {cut}: {error}"),
            };
            let store = Store::open(engine, suite::manual().1).await.unwrap();
            let snapshot = store.snapshot().await.unwrap();
            if snapshot.version() >= start {
                check_agreement(&store, start).await;
            }
            let rows = texts(&snapshot, &suite::span("k", "l"), kv::Scan::default()).await;
            let expected: Vec<String> = (0..rows.len()).map(|n| format!("k{n:02}")).collect();
            assert_eq!(rows.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), expected);
            let n = suite::text(&snapshot, "n").await;
            assert_eq!(n, rows.len().checked_sub(1).map(|n| n.to_string()));
            lengths.insert(rows.len());
            put(&store, &[("goes", "on")]).await;
            drop(snapshot);
            store.close().await.unwrap();
        }
    }
    assert!(lengths.len() > 10, "only prefixes of {lengths:?} were seen");
    assert_eq!(lengths.last(), Some(&40));
}

/// A journal is torn at its end only. Anything else is reported: what is behind it was acknowledged.
#[tokio::test]
async fn damage_in_the_middle_of_the_journal_is_called_damaged() {
    let (_, files) = in_the_journal().await;
    let journal = journal_of(&files);
    for part in 0..30 {
        let mut damaged = journal.clone();
        damaged[part * journal.len() / 40] ^= 0x10;
        let place = with_journal(&files, &damaged);
        let error = refusal(place.0.path());
        let path = place.0.path().join(JOURNAL);
        assert!(matches!(&error, StoreError::Damaged { path: of, .. } if *of == path), "{part}: {error}");
        assert_eq!(fs::read(path).unwrap(), damaged, "it is left as it is");
    }
    // Nor may its beginning be missing.
    let beginning = journal.len() / 2 / 64 * 64;
    let place = with_journal(&files, &[&vec![0; beginning][..], &journal[beginning..]].concat());
    assert!(matches!(refusal(place.0.path()), StoreError::Damaged { .. }));
}

/// A backup that is put in the place of a data file has no part in the journal that lies there.
#[tokio::test]
async fn a_restored_backup_does_not_take_up_the_journal_of_another_file() {
    let place = OnDisk::default();
    let options = SqliteOptions { journal_age_ms_max: 3_600_000, ..SqliteOptions::default() };
    let engine = Sqlite::open_with(place.0.path(), options).unwrap();
    let store = Store::open(engine, suite::manual().1).await.unwrap();
    put(&store, &[("a", "1")]).await;
    let backup = place.0.path().join("copy.sqlite");
    store.backup(&backup).await.unwrap();
    put(&store, &[("a", "2")]).await;
    // As after a crash, with the backup put there since.
    let crashed = OnDisk::default();
    fs::copy(&backup, crashed.data_file()).unwrap();
    fs::copy(place.0.path().join(JOURNAL), crashed.0.path().join(JOURNAL)).unwrap();
    fs::copy(place.0.path().join("store.journal-1"), crashed.0.path().join("store.journal-1")).unwrap();
    store.close().await.unwrap();
    let place = crashed;
    assert!(matches!(refusal(place.0.path()), StoreError::Damaged { .. }), "nobody said that it counts");
    Sqlite::adopt(place.0.path()).unwrap();
    let store = open(&place).await;
    assert_eq!(suite::text(&store.snapshot().await.unwrap(), "a").await.unwrap(), "1");
    put(&store, &[("a", "3")]).await;
    store.close().await.unwrap();
    let store = open(&place).await;
    assert_eq!(suite::text(&store.snapshot().await.unwrap(), "a").await.unwrap(), "3");
    store.close().await.unwrap();
}

/// Readers come and go all the time; the log must be emptied all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_stays_short_while_readers_come_and_go() {
    const WAL_BYTES_MAX: u64 = 1 << 20;
    const WRITTEN_BYTES: u64 = 100 << 20;
    let place = OnDisk::default();
    let options =
        SqliteOptions { wal_bytes_max: WAL_BYTES_MAX, checkpoint_interval_ms: 1, ..SqliteOptions::default() };
    let engine = Sqlite::open_with(place.0.path(), options).unwrap();
    let store = Store::open(engine, Options::default()).await.unwrap();
    let reader = tokio::spawn({
        let store = store.clone();
        async move {
            let key = Key::new(Keyspace(1), b"k1");
            loop {
                let snapshot = store.snapshot().await.unwrap();
                snapshot.get(&key).await.unwrap();
                tokio::time::sleep(Duration::from_micros(300)).await;
                snapshot.get(&key).await.unwrap();
            }
        }
    });
    let log = place.data_file().with_file_name("store.sqlite-wal");
    let (mut written, mut longest) = (0u64, 0);
    let started = Instant::now();
    while written < WRITTEN_BYTES && started.elapsed() < Duration::from_secs(60) {
        let value = "v".repeat(20_000);
        put(&store, &[(&format!("k{}", written % 50), &value)]).await;
        // Its value and its entry in the change log.
        written += 40_000;
        longest = longest.max(fs::metadata(&log).unwrap().len());
    }
    reader.abort();
    assert!(reader.await.is_err_and(|error| error.is_cancelled()));
    assert!(written >= WRITTEN_BYTES, "only {written} bytes were written");
    // On a busy machine a reader may outlast some waits, so the limit alone is not what to expect; a log
    // that is never emptied would hold everything that was written.
    assert!(longest < WRITTEN_BYTES / 4, "the log grew to {longest} bytes");
    store.close().await.unwrap();
    assert!(!log.exists(), "closing leaves one file");
}

/// Waits until the data file has this value of `n`, and a moment longer, so that no older view of it is shared.
async fn until_in_the_file(place: &OnDisk, value: &str) {
    let connection = rusqlite::Connection::open(place.data_file()).unwrap();
    let read = || {
        connection
            .query_row("SELECT substr(v, 9, length(v) - 12) FROM kv WHERE k = x'016E'", [], |row| row.get(0))
    };
    while read().ok() != Some(value.as_bytes().to_vec()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn too_many_snapshots_at_once_are_refused_and_come_back() {
    let place = OnDisk::default();
    // Snapshots of the same state of the file share a read transaction, so each commit is moved into it at once.
    let options = SqliteOptions {
        readers_max: 3,
        reader_wait_ms: 20,
        journal_bytes_max: 1,
        ..SqliteOptions::default()
    };
    let store =
        Store::open(Sqlite::open_with(place.0.path(), options).unwrap(), suite::manual().1).await.unwrap();
    let mut held = Vec::new();
    for n in 0..3 {
        put(&store, &[("n", &n.to_string())]).await;
        until_in_the_file(&place, &n.to_string()).await;
        // Those of one version share.
        held.push([store.snapshot().await.unwrap(), store.snapshot().await.unwrap()]);
    }
    put(&store, &[("n", "3")]).await;
    until_in_the_file(&place, "3").await;
    assert_eq!(store.snapshot().await.err(), Some(StoreError::Busy));
    for (n, snapshots) in held.iter().enumerate() {
        for snapshot in snapshots {
            assert_eq!(suite::text(snapshot, "n").await.unwrap(), n.to_string());
        }
    }
    held.remove(1);
    assert_eq!(suite::text(&store.snapshot().await.unwrap(), "n").await.unwrap(), "3");
    drop(held);
    // A snapshot that outlives its store stays good.
    let last = store.snapshot().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(state(&last).await.len(), 1);
    drop(last);
    open_with(&place, Options::default()).await.close().await.unwrap();
    let _ = place.engine();
}
