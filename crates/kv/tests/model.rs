//! The SQLite engine against the one in memory: the same random history, the same answers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports by panicking; the lints know functions of tests only by their attribute"
)]

mod suite;

use base::ManualClock;
use bytes::Bytes;
use kv::{
    Change, CommitError, Key, KeyRange, Keyspace, Options, Page, Scan, Snapshot, Store, StoreError, Txn,
    Version,
};
use proptest::prelude::*;
use std::sync::Arc;
use suite::{InMemory, Moving, OnDisk, Place, START_MICROS};

#[derive(Clone, Debug)]
enum Op {
    /// Base, as so many versions back; reads; ranges; writes.
    Commit {
        back: usize,
        reads: Vec<Key>,
        ranges: Vec<KeyRange>,
        writes: Vec<(Key, Option<Bytes>)>,
    },
    /// Keeps a snapshot of the newest version.
    Hold,
    /// Reads from a held snapshot.
    Get {
        held: usize,
        keys: Vec<Key>,
    },
    Scan {
        held: usize,
        range: KeyRange,
        scan: Scan,
    },
    LookBack {
        back: usize,
        range: KeyRange,
        scan: Scan,
    },
    Release {
        held: usize,
    },
    Changes {
        back: usize,
        limit: usize,
    },
    Clock {
        micros: i64,
    },
    Prune,
    Reopen,
}

fn key() -> impl Strategy<Value = Key> {
    let bytes = proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(b'a'), Just(0xFF)], 0..4);
    (prop_oneof![Just(0u8), Just(1), Just(0xEF)], bytes)
        .prop_map(|(space, bytes)| Key::new(Keyspace(space), &bytes))
}

fn range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        (key(), key()).prop_map(|(a, b)| KeyRange::between(a, b)),
        key().prop_map(|key| KeyRange::prefix(key.keyspace(), key.as_bytes())),
    ]
}

fn scan() -> impl Strategy<Value = Scan> {
    let rows = prop_oneof![0usize..4, Just(1000)];
    let bytes = prop_oneof![0usize..60, Just(1 << 20)];
    (any::<bool>(), rows, bytes).prop_map(|(reverse, rows_max, bytes_max)| Scan {
        reverse,
        rows_max,
        bytes_max,
    })
}

fn op() -> impl Strategy<Value = Op> {
    use proptest::collection::vec;
    let value = proptest::option::weighted(0.7, vec(any::<u8>(), 0..20).prop_map(Bytes::from));
    prop_oneof![
        10 => (0usize..5, vec(key(), 0..3), vec(range(), 0..2), vec((key(), value), 0..6))
            .prop_map(|(back, reads, ranges, writes)| Op::Commit { back, reads, ranges, writes }),
        2 => Just(Op::Hold),
        3 => (any::<usize>(), vec(key(), 1..4)).prop_map(|(held, keys)| Op::Get { held, keys }),
        5 => (any::<usize>(), range(), scan()).prop_map(|(held, range, scan)| Op::Scan { held, range, scan }),
        3 => (0usize..8, range(), scan()).prop_map(|(back, range, scan)| Op::LookBack { back, range, scan }),
        1 => any::<usize>().prop_map(|held| Op::Release { held }),
        2 => (0usize..8, 0usize..5).prop_map(|(back, limit)| Op::Changes { back, limit }),
        2 => (-2_000i64..20_000).prop_map(|micros| Op::Clock { micros }),
        1 => Just(Op::Prune),
        1 => Just(Op::Reopen),
    ]
}

/// What an operation answered, for comparison.
#[derive(Debug, PartialEq)]
enum Answer {
    Commit(Result<Version, CommitError>),
    Snapshot(Version),
    Rows(Result<Vec<Option<kv::Row>>, StoreError>),
    Page(Result<Page, StoreError>),
    Changes(Result<Vec<Change>, StoreError>),
    Done,
}

struct Subject<P> {
    place: P,
    clock: Arc<ManualClock>,
    store: Store,
    versions: Vec<Version>,
    held: Vec<Snapshot>,
}

impl<P: Place + Default> Subject<P> {
    async fn new() -> Self {
        let place = P::default();
        let clock = Arc::new(ManualClock::at(START_MICROS));
        let store = Self::open(&place, &clock).await;
        let versions = vec![store.snapshot().await.unwrap().version()];
        Self { place, clock, store, versions, held: Vec::new() }
    }

    async fn open(place: &P, clock: &Arc<ManualClock>) -> Store {
        let options = Options {
            clock: Arc::clone(clock) as Arc<dyn base::Clock>,
            change_retention_ms: 50,
            recent_rows_max: 6,
            prune_rows_max: 2,
            ..Options::default()
        };
        Store::open(place.engine(), options).await.unwrap()
    }

    fn back(&self, back: usize) -> Version {
        self.versions[self.versions.len().saturating_sub(back + 1)]
    }

    fn snapshot(&self, held: usize) -> Option<&Snapshot> {
        self.held.get(held.checked_rem(self.held.len())?)
    }

    async fn answer(&mut self, op: Op) -> Answer {
        match op {
            Op::Commit { back, reads, ranges, writes } => {
                let txn = Txn {
                    base: self.back(back),
                    reads,
                    read_ranges: ranges,
                    writes,
                    note: None,
                    chain: None,
                };
                let result = self.store.commit(txn).await;
                self.versions.extend(&result);
                Answer::Commit(result)
            }
            Op::Hold => {
                let snapshot = self.store.snapshot().await.unwrap();
                let version = snapshot.version();
                self.held.push(snapshot);
                Answer::Snapshot(version)
            }
            Op::Get { held, keys } => match self.snapshot(held) {
                Some(snapshot) => Answer::Rows(snapshot.get_many(&keys).await),
                None => Answer::Done,
            },
            Op::Scan { held, range, scan } => match self.snapshot(held) {
                Some(snapshot) => Answer::Page(snapshot.scan(&range, scan).await),
                None => Answer::Page(self.store.snapshot().await.unwrap().scan(&range, scan).await),
            },
            Op::LookBack { back, range, scan } => match self.store.snapshot_at(self.back(back)).await {
                Ok(snapshot) => Answer::Page(snapshot.scan(&range, scan).await),
                Err(error) => Answer::Page(Err(error)),
            },
            Op::Release { held } => {
                if !self.held.is_empty() {
                    self.held.swap_remove(held % self.held.len());
                }
                Answer::Done
            }
            Op::Changes { back, limit } => Answer::Changes(self.store.changes(self.back(back), limit).await),
            Op::Clock { micros } => {
                self.clock.advance(micros);
                Answer::Done
            }
            Op::Prune => {
                self.store.prune().await.unwrap();
                Answer::Done
            }
            Op::Reopen => {
                self.held.clear();
                self.store.clone().close().await.unwrap();
                self.store = Self::open(&self.place, &self.clock).await;
                Answer::Done
            }
        }
    }
}

/// Runs one history on two engines.
fn compare<L: Place + Default, R: Place + Default>(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut left = Subject::<L>::new().await;
        let mut right = Subject::<R>::new().await;
        for op in ops {
            let (a, b) = (left.answer(op.clone()).await, right.answer(op.clone()).await);
            prop_assert_eq!(a, b, "{:?}", op);
        }
        let (a, b) = (left.store.snapshot().await.unwrap(), right.store.snapshot().await.unwrap());
        prop_assert_eq!(suite::state(&a).await, suite::state(&b).await);
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_answer_alike(ops in proptest::collection::vec(op(), 1..80)) {
        compare::<InMemory, OnDisk>(ops)?;
    }

    #[test]
    fn so_do_they_while_rows_are_moved(ops in proptest::collection::vec(op(), 1..80)) {
        compare::<InMemory, Moving>(ops)?;
    }
}
