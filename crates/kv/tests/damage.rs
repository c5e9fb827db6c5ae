//! Damage to any file of a data folder: a start has every acknowledged commit, or is refused with a cause.
//!
//! `DAMAGES=N` runs so many random damages, `DAMAGE_SEED=N` another sequence of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use kv::{KeyRange, Options, Scan, Sqlite, SqliteOptions, Store, StoreError};
use suite::{SPACE, pages, put};

/// Files of a folder by their names.
type Files = BTreeMap<String, Vec<u8>>;

const COMMITS: usize = 60;

/// Small numbers by a seed, the same on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// What a crash leaves after acknowledged commits: all files, older copies of them, and the documents.
struct Left {
    files: Files,
    older: Vec<Files>,
    documents: BTreeMap<String, String>,
}

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let of_store = entries.filter(|entry| !entry.path().ends_with("store.sqlite-shm"));
    of_store
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

async fn left_by_a_crash(options: &SqliteOptions) -> Left {
    let place = suite::OnDisk::default();
    let folder = place.0.path();
    let store =
        Store::open(Sqlite::open_with(folder, options.clone()).unwrap(), suite::manual().1).await.unwrap();
    let (mut documents, mut older) = (BTreeMap::new(), Vec::new());
    for n in 0..COMMITS {
        let (name, text) = (format!("k{:02}", n % 40), format!("{n}:{}", "v".repeat(n * 97 % 4000)));
        put(&store, &[(&name, &text)]).await;
        documents.insert(name, text);
        if n % 15 == 14 {
            // What is being moved comes to rest.
            tokio::time::sleep(Duration::from_millis(60)).await;
            older.push(files(folder));
        }
    }
    let files = older.pop().unwrap();
    store.close().await.unwrap();
    Left { files, older, documents }
}

async fn left_by_a_stop(options: &SqliteOptions) -> Left {
    let mut left = left_by_a_crash(options).await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &left.files);
    let store = Store::open(Sqlite::open_with(folder.path(), options.clone()).unwrap(), suite::manual().1);
    store.await.unwrap().close().await.unwrap();
    left.older.push(left.files);
    left.files = files(folder.path());
    left
}

fn write(folder: &Path, files: &Files) {
    for (name, content) in files {
        fs::write(folder.join(name), content).unwrap();
    }
}

/// One damage to one file. `None`: it changes nothing.
fn damage(left: &Left, chance: &mut Chance) -> Option<(String, Files)> {
    let mut files = left.files.clone();
    let names: Vec<String> = files.keys().filter(|name| *name != "store.lock").cloned().collect();
    let name = names[chance.below(names.len())].clone();
    let content = files.get_mut(&name)?;
    // Most of a journal is zeros that were never used.
    let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let what = match chance.below(8) {
        0..3 => {
            let at = chance.below(used);
            *content.get_mut(at)? ^= 1 << chance.below(8);
            format!("byte {at} of {used} flipped")
        }
        3 => {
            let begin = chance.below(used);
            let end = used.min(begin + 1 + chance.below(20_000));
            content[begin..end].fill(0);
            format!("bytes {begin} to {end} of {used} zeroed")
        }
        4 => {
            let length = chance.below(used);
            content.truncate(length);
            format!("cut to {length} of {used} bytes")
        }
        5 => {
            let older = &left.older[chance.below(left.older.len())];
            *content = older.get(&name)?.clone();
            "an older copy".to_owned()
        }
        6 => {
            content.clear();
            "emptied".to_owned()
        }
        _ => {
            files.remove(&name);
            "removed".to_owned()
        }
    };
    (files != left.files).then_some((format!("{name}: {what}"), files))
}

/// What the store says of the documents: all of them, or why not.
async fn read(folder: &Path, options: &SqliteOptions) -> Result<BTreeMap<String, String>, StoreError> {
    let store = Store::open(Sqlite::open_with(folder, options.clone())?, suite::manual().1).await?;
    let snapshot = store.snapshot().await?;
    let range = KeyRange::prefix(SPACE, b"");
    let mut rest = Some(range);
    let mut found = BTreeMap::new();
    while let Some(range) = rest.take() {
        let page = snapshot.scan(&range, Scan::default()).await?;
        for row in page.rows {
            let again = snapshot.get(&row.key).await?;
            assert_eq!(again.as_ref(), Some(&row));
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            found.insert(text(row.key.as_bytes()), text(&row.value));
        }
        rest = page.next;
    }
    drop(snapshot);
    store.close().await?;
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_folder_has_everything_or_is_refused() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (seed, damages) = (number("DAMAGE_SEED").unwrap_or(20_261_130), number("DAMAGES").unwrap_or(200));
    let mut chance = Chance(seed);
    let quick =
        SqliteOptions { journal_bytes_max: 40_000, checkpoint_interval_ms: 1, ..SqliteOptions::default() };
    let lazy = SqliteOptions { checkpoint_interval_ms: 3_600_000, ..quick.clone() };
    let late = SqliteOptions { journal_age_ms_max: 3_600_000, ..SqliteOptions::default() };
    let mut kinds = Vec::new();
    for options in [quick, lazy, late] {
        kinds.push((left_by_a_crash(&options).await, options.clone()));
        kinds.push((left_by_a_stop(&options).await, options));
    }
    let (mut right, mut refused, mut done) = (0, BTreeMap::<String, u32>::new(), 0);
    while done < damages {
        let (left, options) = &kinds[chance.below(kinds.len())];
        let Some((what, files)) = damage(left, &mut chance) else { continue };
        done += 1;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &files);
        match read(folder.path(), options).await {
            Ok(found) => {
                let lost: BTreeSet<_> =
                    left.documents.iter().filter(|(name, text)| found.get(*name) != Some(text)).collect();
                assert!(lost.is_empty(), "{what}: {} documents are lost or wrong", lost.len());
                right += 1;
            }
            Err(
                error @ (StoreError::Damaged { .. }
                | StoreError::Foreign { .. }
                | StoreError::NewerFormat { .. }),
            ) => {
                assert!(error.to_string().contains("store."), "{what}: {error}");
                let told = kv::verify(folder.path()).map(|report| report.findings);
                assert!(
                    !told.is_ok_and(|findings| findings.is_empty()),
                    "{what}: verify finds nothing: {error}"
                );
                *refused.entry(what.split_once(": ").unwrap().0.to_owned()).or_default() += 1;
            }
            Err(error) => panic!("{what}: {error}"),
        }
    }
    println!("{done} damages: {right} starts had everything, refused: {refused:?}");
    assert!(right > 0 && refused.len() >= 3, "{right} right, {refused:?}");
}

/// The newest record is the one that only the mark can speak for.
#[tokio::test]
async fn a_flipped_bit_in_the_last_record_is_not_taken_for_a_torn_write() {
    let options = SqliteOptions { journal_age_ms_max: 3_600_000, ..SqliteOptions::default() };
    let left = left_by_a_crash(&options).await;
    let journal = &left.files["store.journal-0"];
    let used = journal.iter().rposition(|byte| *byte != 0).unwrap();
    for at in [used, used - 100, used - 1500] {
        let mut files = left.files.clone();
        files.get_mut("store.journal-0").unwrap()[at] ^= 4;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &files);
        let error = read(folder.path(), &options).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("store.journal-0` is damaged") && said.contains("were acknowledged"), "{said}");
        assert_eq!(fs::read(folder.path().join("store.journal-0")).unwrap(), files["store.journal-0"]);
    }
}

/// Of every page of a stopped store, wherever the flipped bit is.
#[tokio::test]
async fn a_flipped_bit_in_any_page_is_named() {
    let options = SqliteOptions::default();
    let left = left_by_a_stop(&options).await;
    let pages = left.files["store.sqlite"].len() / 8192;
    assert!(pages > 10);
    for page in 0..pages {
        let mut files = left.files.clone();
        files.get_mut("store.sqlite").unwrap()[page * 8192 + page * 13 % 8192] ^= 1;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &files);
        let error = read(folder.path(), &options).await.unwrap_err();
        // Page one begins with what says that it is a data file.
        let named = error.to_string().contains(&format!("page {} at offset {}", page + 1, page * 8192));
        assert!(named || page == 0, "{error}");
    }
}

/// A file that is too long to be checked before the store answers is checked while it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_that_is_found_later_ends_all_answers() {
    let left = left_by_a_stop(&SqliteOptions::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut files = left.files.clone();
    let data = files.get_mut("store.sqlite").unwrap();
    let last = data.len() - 100;
    data[last] ^= 1;
    write(folder.path(), &files);
    let options = SqliteOptions { checked_at_start_bytes_max: 8192, ..SqliteOptions::default() };
    let store = Store::open(Sqlite::open_with(folder.path(), options).unwrap(), Options::default()).await;
    let store = match store {
        Ok(store) => store,
        Err(error) => return assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
    };
    for _ in 0..500 {
        if let Err(error) = store.snapshot().await {
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the damage was not found");
}

/// The store works on while its pages are looked at again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_at_pages_that_are_being_written_finds_no_damage() {
    let place = suite::OnDisk::default();
    let options = SqliteOptions {
        journal_bytes_max: 20_000,
        checkpoint_interval_ms: 1,
        wal_bytes_max: 1 << 18,
        check_interval_ms: 0,
        checked_per_second_bytes_max: u64::MAX,
        ..SqliteOptions::default()
    };
    let store =
        Store::open(Sqlite::open_with(place.0.path(), options).unwrap(), Options::default()).await.unwrap();
    for n in 0..400 {
        put(&store, &[(&format!("k{}", n * 7919 % 500), &"v".repeat(n * 31 % 9000))]).await;
    }
    let snapshot = store.snapshot().await.unwrap();
    assert!(!pages(&snapshot, &KeyRange::prefix(SPACE, b""), Scan::default()).await.is_empty());
    drop(snapshot);
    store.close().await.unwrap();
}
