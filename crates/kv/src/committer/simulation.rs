//! Seeded simulation of the core: random transactions with random bases, failing and doubtful
//! batches, clock jumps and crashes, judged by a model that remembers everything.
//!
//! The model is brute force: the list of all durable commits with their writes. A transaction must
//! pass exactly if no commit after its base (durable or earlier in its group) touched what it read.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use foldhash::HashMap;

use super::core::{Core, Facts};
use crate::change::Change;
use crate::engine::Batch;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, KeyRange, Keyspace};
use crate::meta;
use crate::row::Row;
use crate::txn::Txn;
use crate::version::Version;

const SEEDS: u64 = 150;
const ROUNDS: u64 = 80;
const KEYS: u64 = 12;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn key(&mut self) -> Key {
        Key::new(Keyspace(1), &[u8::try_from(self.below(KEYS)).unwrap()])
    }

    fn txn(&mut self, bases: &[Version]) -> Txn {
        // Mostly recent bases, sometimes any.
        let span = if self.below(4) == 0 { bases.len() as u64 } else { 4.min(bases.len() as u64) };
        let mut txn = Txn::at(bases[bases.len() - 1 - self.below(span) as usize]);
        for _ in 0..self.below(3) {
            txn.read(self.key());
        }
        if self.below(3) == 0 {
            let (a, b) = (self.key(), self.key());
            txn.read_ranges.push(KeyRange::between(a, b));
        }
        for _ in 0..self.below(4) {
            let value = (self.below(3) > 0).then(|| Bytes::from(self.next().to_string()));
            txn.writes.push((self.key(), value));
        }
        if self.below(5) == 0 {
            txn.note = Some("note".into());
        }
        txn
    }
}

/// The engine and everything that ever became durable.
#[derive(Default)]
struct Model {
    rows: BTreeMap<Key, Bytes>,
    version: Version,
    /// Every commit whose batch became durable: what it changed.
    commits: BTreeMap<Version, BTreeSet<Key>>,
    /// Versions given to a batch, durable or not.
    used: BTreeSet<Version>,
}

impl Model {
    fn apply(&mut self, batch: &Batch) {
        assert!(batch.version > self.version);
        self.version = batch.version;
        for (key, value) in &batch.rows {
            match value {
                Some(value) => self.rows.insert(key.clone(), value.clone()),
                None => self.rows.remove(key),
            };
        }
    }

    fn facts(&self, core: &Core, group: &[(usize, Txn)], log_floor: Version) -> Facts {
        let need = core.need(group.iter().map(|(_, txn)| txn));
        let values = need.keys.iter().map(|key| self.rows.get(key).cloned()).collect();
        let mut facts = Facts::of(need.keys, values);
        if let Some((after, up_to)) = need.log {
            facts.log_since = after.max(log_floor);
            let range = meta::log_range(facts.log_since, up_to);
            for (key, entry) in self.rows.iter().filter(|(key, _)| range.contains(key)) {
                let version = meta::log_version(key).unwrap();
                let change = Change::decode(version, entry.clone()).unwrap();
                facts.log.push((version, change.rows.into_iter().map(|row| row.key).collect()));
            }
        }
        facts
    }
}

fn touches(txn: &Txn, changed: &BTreeSet<Key>) -> bool {
    changed
        .iter()
        .any(|key| txn.reads.contains(key) || txn.read_ranges.iter().any(|range| range.contains(key)))
}

#[derive(Default)]
struct Tally {
    committed: u64,
    conflicts: u64,
    too_old: u64,
    lost: u64,
    doubtful: u64,
    crashes: u64,
}

fn simulate(seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let recent_rows_max = [0, 3, 20, 1000][random.below(4) as usize];
    let mut now = 1_000i64;
    let mut model = Model { version: Version(1_000), ..Model::default() };
    let mut core = Core::new(model.version, 0, recent_rows_max, usize::MAX);
    let mut bases = vec![model.version];
    let mut published = model.version;

    for _ in 0..ROUNDS {
        now += [0, 1, 50, -200][random.below(4) as usize];
        let log_floor =
            if random.below(8) == 0 { bases[random.below(bases.len() as u64) as usize] } else { Version(0) };
        if random.below(10) == 0 {
            let fence = Version(now.max(model.version.0));
            core.fence(fence);
            model.used.insert(fence);
        }
        let group: Vec<(usize, Txn)> =
            (0..=random.below(6)).map(|n| (n as usize, random.txn(&bases))).collect();
        let facts = model.facts(&core, &group, log_floor);
        let decision = core.decide(group.iter().cloned(), facts, now);

        // What the model thinks of each, in order, given what the core accepted before it.
        let answers: HashMap<usize, Result<Version, CommitError>> = decision
            .accepted
            .iter()
            .map(|(n, version)| (*n, Ok(*version)))
            .chain(decision.refused.into_iter().map(|(n, error)| (n, Err(error))))
            .collect();
        assert_eq!(answers.len(), group.len(), "everyone is answered once");
        let mut commits = model.commits.clone();
        let mut rows = model.rows.clone();
        let mut head = model.version;
        for (n, txn) in &group {
            let conflict = commits.range(Version(txn.base.0 + 1)..).any(|(_, changed)| touches(txn, changed));
            match &answers[n] {
                Ok(version) => {
                    assert!(!conflict, "seed {seed}: accepted {txn:?} against {commits:?}");
                    if txn.is_check_only() {
                        continue;
                    }
                    assert!(model.used.insert(*version), "seed {seed}: version {version} was used before");
                    assert!(*version > head && version.0 >= now);
                    head = *version;
                    let mut changed = BTreeSet::new();
                    for (key, value) in txn.writes.iter().cloned().collect::<BTreeMap<_, _>>() {
                        if rows.contains_key(&key) || value.is_some() {
                            changed.insert(key.clone());
                        }
                        match value {
                            Some(value) => rows.insert(key, Row::encode(*version, &value)),
                            None => rows.remove(&key),
                        };
                    }
                    commits.insert(*version, changed);
                }
                Err(CommitError::Conflict { key, version, base }) => {
                    tally.conflicts += 1;
                    assert!(conflict && version > base, "seed {seed}: refused {txn:?} without reason");
                    assert!(commits[version].contains(key) && touches(txn, &BTreeSet::from([key.clone()])));
                }
                Err(CommitError::TooOld { base, oldest }) => {
                    tally.too_old += 1;
                    assert!(base < oldest && *oldest <= log_floor, "seed {seed}: {base} is not too old");
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }

        let outcome = if random.below(6) == 0 { random.below(4) } else { 9 };
        let Some(batch) = decision.batch else {
            core.applied();
            continue;
        };
        assert_eq!(batch.version, head);
        let durable = outcome != 0;
        if durable {
            model.apply(&batch);
            model.commits = commits;
            bases.extend(decision.accepted.iter().map(|(_, version)| *version).filter(|v| *v > published));
            let user_rows = model.rows.range(..Key::new(Keyspace(2), b""));
            assert!(user_rows.eq(rows.range(..Key::new(Keyspace(2), b""))), "seed {seed}: state differs");
        }
        match outcome {
            0 | 1 => {
                core.failed();
                let foreign = Version(head.0 + 77);
                assert!(matches!(core.resolve(foreign), Err(StoreError::Engine { .. })));
                assert!(core.in_doubt(), "what is not understood stays in doubt");
                assert_eq!(core.resolve(model.version), Ok(model.version));
                *(if durable { &mut tally.doubtful } else { &mut tally.lost }) += 1;
            }
            2 => {
                // A crash after the batch and before the answer; all memory is gone.
                tally.crashes += 1;
                core = Core::new(model.version, 0, recent_rows_max, usize::MAX);
            }
            _ => {
                tally.committed += 1;
                assert_eq!(core.applied(), model.version);
            }
        }
        assert!(!core.in_doubt());
        assert_eq!(core.head(), model.version);
        published = model.version;
    }
    the_log_gives_the_state(seed, &model);
}

/// The log replayed from its beginning is the state, before-images included.
fn the_log_gives_the_state(seed: u64, model: &Model) {
    let mut replayed: BTreeMap<Key, Row> = BTreeMap::new();
    let log = meta::log_range(Version(0), model.version);
    for (key, entry) in model.rows.range(log.start..log.end) {
        let change = Change::decode(meta::log_version(key).unwrap(), entry.clone()).unwrap();
        for row in change.rows {
            assert_eq!(replayed.get(&row.key), row.before.as_ref(), "seed {seed}: before-image");
            match row.after {
                Some(value) => {
                    replayed.insert(row.key.clone(), Row { key: row.key, value, version: change.version })
                }
                None => replayed.remove(&row.key),
            };
        }
    }
    let state = model.rows.range(..Key::new(Keyspace(2), b""));
    let state: Vec<Row> =
        state.map(|(key, stored)| Row::decode(key.clone(), stored.clone()).unwrap()).collect();
    assert_eq!(replayed.into_values().collect::<Vec<_>>(), state, "seed {seed}");
}

#[test]
fn the_core_agrees_with_a_model_that_remembers_everything() {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        simulate(seed, &mut tally);
    }
    // A simulation that never reaches a case says nothing about it.
    let Tally { committed, conflicts, too_old, lost, doubtful, crashes } = tally;
    for reached in [committed, conflicts, too_old, lost, doubtful, crashes] {
        assert!(reached > 100, "{committed} {conflicts} {too_old} {lost} {doubtful} {crashes}");
    }
}
