//! Measures the store on this machine and prints it beside what the disk alone can do:
//! `cargo run --release -p kv --example throughput [folder]`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that fails should stop, and it prints its result"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kv::{Engine, Key, KeyRange, Keyspace, Mem, Options, Scan, Snapshot, Sqlite, Store, Txn};

const DOCUMENTS: u64 = 100_000;
const VALUE_BYTES: usize = 200;
const RUN: Duration = Duration::from_secs(4);

const DOCUMENT: Keyspace = Keyspace(1);
const INDEX: Keyspace = Keyspace(2);

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (syncs, sync_p50) = syncs(Path::new(&folder));
    println!("disk: {syncs:.0} appends with fsync/s, p50 {sync_p50:?}\n");

    let data = tempfile::tempdir_in(&folder).unwrap();
    println!("sqlite, {DOCUMENTS} documents of {VALUE_BYTES} bytes");
    runtime.block_on(measure(Sqlite::open(data.path()).unwrap(), syncs));
    println!("\nmem");
    runtime.block_on(measure(Mem::default(), syncs));
}

/// The anchor: one small append and fsync after the other.
fn syncs(folder: &Path) -> (f64, Duration) {
    let path = folder.join("throughput.sync");
    let mut file = File::create(&path).unwrap();
    let mut times = Vec::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(1) {
        let before = Instant::now();
        file.write_all(&[0; 8192]).unwrap();
        file.sync_data().unwrap();
        times.push(before.elapsed());
    }
    std::fs::remove_file(&path).unwrap();
    (rate(times.len(), started), percentile(&mut times, 50))
}

async fn measure(engine: impl Engine, syncs: f64) {
    let store = Store::open(engine, Options::default()).await.unwrap();
    let (started, cpu) = (Instant::now(), cpu_time());
    for chunk in 0..DOCUMENTS / 1000 {
        let mut txn = Txn::default();
        for n in chunk * 1000..(chunk + 1) * 1000 {
            txn.put(document(n), vec![b'v'; VALUE_BYTES]);
        }
        store.commit(txn).await.unwrap();
    }
    let cpu = (cpu_time() - cpu) * 1e6 / DOCUMENTS as f64;
    println!(
        "  load, sorted                 {:>9.0} rows/s, {cpu:.1} µs CPU each",
        rate(DOCUMENTS as usize, started)
    );

    reads(&store).await;
    commits(&store, 1, syncs, false).await;
    commits(&store, 64, syncs, false).await;
    commits(&store, 64, syncs, true).await;
    let started = Instant::now();
    store.close().await.unwrap();
    println!("  close                        {:>9.1} ms", started.elapsed().as_secs_f64() * 1e3);
}

async fn reads(store: &Store) {
    let held = store.snapshot().await.unwrap();
    let mut random = 1;
    gets(&held, &mut random).await;
    snapshots_of_two_tasks(store).await;
    snapshots(store, &mut random).await;
    snapshots_after_commits(store, &mut random).await;
    scans(&held, &mut random).await;
}

async fn gets(held: &Snapshot, random: &mut u64) {
    let (mut gets, started) = (0, Instant::now());
    while started.elapsed() < RUN / 4 {
        for _ in 0..100 {
            held.get(&document(next(random) % DOCUMENTS)).await.unwrap().unwrap();
        }
        gets += 100;
    }
    println!(
        "  get, one snapshot            {:>9.0} /s  {:>6.2} µs",
        rate(gets, started),
        micros(gets, started)
    );
}

async fn snapshots_of_two_tasks(store: &Store) {
    let started = Instant::now();
    let tasks: Vec<_> = (0..2u64)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut random, mut gets) = (task + 7, 0usize);
                let started = Instant::now();
                while started.elapsed() < RUN / 4 {
                    for _ in 0..100 {
                        let snapshot = store.snapshot().await.unwrap();
                        snapshot.get(&document(next(&mut random) % DOCUMENTS)).await.unwrap().unwrap();
                    }
                    gets += 100;
                    tokio::task::yield_now().await;
                }
                gets
            })
        })
        .collect();
    let mut gets = 0;
    for task in tasks {
        gets += task.await.unwrap();
    }
    println!("  snapshot + get, two tasks    {:>9.0} /s", rate(gets, started));
}

async fn snapshots(store: &Store, random: &mut u64) {
    let (mut gets, started) = (0, Instant::now());
    while started.elapsed() < RUN / 4 {
        for _ in 0..100 {
            let snapshot = store.snapshot().await.unwrap();
            snapshot.get(&document(next(random) % DOCUMENTS)).await.unwrap().unwrap();
        }
        gets += 100;
    }
    println!(
        "  snapshot + get               {:>9.0} /s  {:>6.2} µs",
        rate(gets, started),
        micros(gets, started)
    );
}

/// The first snapshot after a commit cannot be shared with anyone.
async fn snapshots_after_commits(store: &Store, random: &mut u64) {
    let mut times = Vec::new();
    for n in 0..2000 {
        let mut txn = Txn::default();
        txn.put(document(n), vec![b'v'; VALUE_BYTES]);
        store.commit(txn).await.unwrap();
        let before = Instant::now();
        let snapshot = store.snapshot().await.unwrap();
        snapshot.get(&document(next(random) % DOCUMENTS)).await.unwrap().unwrap();
        times.push(before.elapsed());
    }
    println!(
        "  snapshot + get after a commit, p50 {:?}, p99 {:?}",
        percentile(&mut times, 50),
        percentile(&mut times, 99)
    );
}

async fn scans(held: &Snapshot, random: &mut u64) {
    let (mut scans, started) = (0, Instant::now());
    let limits = Scan { rows_max: 100, ..Scan::default() };
    let end = Key::new(DOCUMENT, b"d:999999999");
    while started.elapsed() < RUN / 4 {
        let start = document(next(random) % (DOCUMENTS - 100));
        held.scan(&KeyRange::between(start, end.clone()), limits).await.unwrap();
        scans += 1;
    }
    println!(
        "  scan of 100                  {:>9.0} /s  {:>6.2} µs",
        rate(scans, started),
        micros(scans, started)
    );
}

/// One document and two index entries each, read before they are written if `validated`.
async fn commits(store: &Store, writers: u64, syncs: f64, validated: bool) {
    let count = Arc::new(AtomicU64::new(0));
    let cpu = cpu_time();
    let started = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (store, count) = (store.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let mut random = writer * 1000 + 5;
                let mut times = Vec::new();
                while started.elapsed() < RUN {
                    let n = next(&mut random) % DOCUMENTS;
                    let before = Instant::now();
                    let mut txn = Txn::default();
                    if validated {
                        let snapshot = store.snapshot().await.unwrap();
                        snapshot.get(&document(n)).await.unwrap();
                        txn.base = snapshot.version();
                        txn.read(document(n));
                    }
                    txn.put(document(n), vec![b'w'; VALUE_BYTES]);
                    txn.put(index(b'a', next(&mut random), n), "");
                    txn.put(index(b'b', next(&mut random), n), "");
                    // A conflict is an answer, too.
                    let _ = store.commit(txn).await;
                    times.push(before.elapsed());
                    count.fetch_add(1, Ordering::Relaxed);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let count = count.load(Ordering::Relaxed);
    let per_second = rate(usize::try_from(count).unwrap(), started);
    let cpu = (cpu_time() - cpu) * 1e6 / count as f64;
    let what = if validated { "read + commit" } else { "commit" };
    println!(
        "  {what}, {writers:>2} writers   {per_second:>9.0} /s  = {:.2} x disk, p50 {:?}, p99 {:?}, {cpu:.0} µs CPU each",
        per_second / syncs,
        percentile(&mut times, 50),
        percentile(&mut times, 99),
    );
}

fn document(n: u64) -> Key {
    Key::new(DOCUMENT, format!("d:{:09}:projects/demo/users", n).as_bytes())
}

fn index(field: u8, value: u64, n: u64) -> Key {
    let mut key = vec![field];
    key.extend_from_slice(&value.to_be_bytes());
    key.extend_from_slice(&n.to_be_bytes());
    Key::new(INDEX, &key)
}

/// A linear congruential step: spread over the documents is all that matters.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 20
}

fn rate(count: usize, started: Instant) -> f64 {
    count as f64 / started.elapsed().as_secs_f64()
}

fn micros(count: usize, started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / count as f64
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

/// Processor seconds of this process so far, in hundredths; 0 where `/proc` is missing.
fn cpu_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}
