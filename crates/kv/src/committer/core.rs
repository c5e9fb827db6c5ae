//! What the committer decides: which transactions of a group pass, their versions, and the batch.
//!
//! No I/O and no clock. One round is [`Core::need`] (what must be known), [`Core::decide`] (the batch)
//! and [`Core::applied`] or [`Core::failed`]; after a failure [`Core::resolve`] must come first.
//!
//! Invariants:
//! - A version is used once, also when its batch failed.
//! - Within a group every member is judged as if the ones before it were committed: that is why they
//!   stand or fall together.

use std::collections::BTreeMap;

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt, HashSet};

use super::recent::{Cover, Recent};
use crate::change::{Change, RowChange};
use crate::engine::Batch;
use crate::error::{CommitError, StoreError};
use crate::key::Key;
use crate::meta;
use crate::row::Row;
use crate::txn::{Chain, Txn};
use crate::version::Version;

/// The state of the committer.
pub(crate) struct Core {
    /// The newest durable version.
    head: Version,
    /// No version up to this one may be given out again.
    last: Version,
    recent: Recent,
    /// The writes of the group under way.
    pending: Recent,
    /// The version the group under way ends at, if it writes; it is in doubt after a failure.
    pending_head: Option<Version>,
    in_doubt: bool,
    /// The bytes of all entries of the change log since it began.
    log_end: u64,
    recent_rows_max: usize,
    before_bytes_max: usize,
}

/// What must be fetched before a group can be decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// Keys whose newest stored values are needed.
    pub(super) keys: Vec<Key>,
    /// The part of the change log that is needed: after the first version, up to the second.
    pub(super) log: Option<(Version, Version)>,
}

/// What was fetched.
pub(super) struct Facts {
    /// Newest stored values of the needed keys.
    pub(super) current: HashMap<Key, Option<Bytes>>,
    /// The version after which `log` is complete.
    pub(super) log_since: Version,
    /// Keys changed by the commits of the needed part of the log.
    pub(super) log: Vec<(Version, Vec<Key>)>,
}

/// How a group is to be carried out. `T` stands for whoever waits for an answer.
pub(super) struct Decision<T> {
    /// Those who are answered at once.
    pub(super) refused: Vec<(T, CommitError)>,
    /// Those who are answered when the batch is durable.
    pub(super) accepted: Vec<(T, Version)>,
    /// What to make durable; `None` if nothing is to be written.
    pub(super) batch: Option<Batch>,
}

impl Core {
    pub(super) fn new(head: Version, log_end: u64, recent_rows_max: usize, before_bytes_max: usize) -> Self {
        Self {
            head,
            last: head,
            recent: Recent::new(head),
            pending: Recent::new(head),
            pending_head: None,
            in_doubt: false,
            log_end,
            recent_rows_max,
            before_bytes_max,
        }
    }

    /// The newest durable version.
    pub(super) fn head(&self) -> Version {
        self.head
    }

    /// The bytes of all entries of the change log since it began, those of batches that failed included.
    pub(super) fn log_end(&self) -> u64 {
        self.log_end
    }

    /// Promises that no commit from now on gets this version or an older one.
    pub(super) fn fence(&mut self, version: Version) {
        self.last = self.last.max(version);
    }

    /// What must be known to decide these transactions.
    pub(super) fn need<'a>(&self, group: impl IntoIterator<Item = &'a Txn>) -> Need {
        let mut keys = HashSet::default();
        let mut oldest_base = self.recent.since();
        for txn in group {
            keys.extend(txn.writes.iter().map(|(key, _)| key.clone()));
            if !txn.is_blind() {
                oldest_base = oldest_base.min(txn.base);
            }
        }
        let mut keys: Vec<Key> = keys.into_iter().collect();
        // Neighbours share pages.
        keys.sort_unstable();
        let log = (oldest_base < self.recent.since()).then(|| (oldest_base, self.recent.since()));
        Need { keys, log }
    }

    /// Judges the transactions in their order and builds the batch of those that pass.
    pub(super) fn decide<T>(
        &mut self,
        group: impl IntoIterator<Item = (T, Txn)>,
        mut facts: Facts,
        now_micros: i64,
    ) -> Decision<T> {
        let mut decision = Decision { refused: Vec::new(), accepted: Vec::new(), batch: None };
        let mut batch = Batch::default();
        for (waiting, txn) in group {
            let chain = txn.chain.clone();
            let verdict = self
                .validate(&txn, &facts)
                .and_then(|()| self.write(txn, &mut facts, &mut batch, now_micros));
            match verdict {
                Ok(version) => decision.accepted.push((waiting, version)),
                Err(error) => {
                    chain.iter().for_each(Chain::break_off);
                    decision.refused.push((waiting, error));
                }
            }
        }
        if !batch.rows.is_empty() {
            self.pending_head = Some(batch.version);
            decision.batch = Some(batch);
        }
        decision
    }

    fn validate(&self, txn: &Txn, facts: &Facts) -> Result<(), CommitError> {
        if txn.chain.as_ref().is_some_and(Chain::is_broken) {
            return Err(CommitError::Broken);
        }
        if txn.is_blind() {
            return Ok(());
        }
        if txn.base > self.last {
            return Err(StoreError::Future { asked: txn.base, newest: self.last }.into());
        }
        let mut conflict = self.pending.conflict(txn).or_else(|| self.recent.conflict(txn));
        if conflict.is_none() && txn.base < self.recent.since() {
            if txn.base < facts.log_since {
                return Err(CommitError::TooOld { base: txn.base, oldest: facts.log_since });
            }
            conflict = log_conflict(txn, &facts.log);
        }
        match conflict {
            None => Ok(()),
            Some((key, version)) => Err(CommitError::Conflict { key, version, base: txn.base }),
        }
    }

    /// Adds the transaction's rows and its log entry to the batch.
    fn write(
        &mut self,
        txn: Txn,
        facts: &mut Facts,
        batch: &mut Batch,
        now_micros: i64,
    ) -> Result<Version, CommitError> {
        if txn.is_check_only() {
            // Nothing is written, and time goes on.
            self.last = self.last.max(Version(now_micros));
            return Ok(self.last);
        }
        let mut rows = Vec::with_capacity(txn.writes.len());
        let mut before_bytes = 0usize;
        // Of several writes to one key the last counts.
        for (key, after) in txn.writes.into_iter().collect::<BTreeMap<_, _>>() {
            let stored =
                facts.current.get(&key).ok_or_else(|| StoreError::engine("a needed row was not fetched"))?;
            let before = stored.clone().map(|stored| Row::decode(key.clone(), stored)).transpose()?;
            if before.is_none() && after.is_none() {
                continue;
            }
            before_bytes += before.as_ref().map_or(0, |row| row.value.len());
            rows.push(RowChange { key, before, after });
        }
        if before_bytes > self.before_bytes_max {
            let what = "the number of bytes overwritten or deleted";
            return Err(CommitError::TooLarge { what, actual: before_bytes, max: self.before_bytes_max });
        }

        // From here on nothing fails: a refused transaction must leave no trace.
        let version = self.last.following(now_micros);
        self.last = version;
        let change = Change { version, note: txn.note, rows };
        batch.version = version;
        let entry = change.encode(self.log_end);
        self.log_end += entry.len() as u64;
        batch.rows.insert(meta::log_key(version), Some(entry));
        for RowChange { key, after, .. } in change.rows {
            let stored = after.map(|value| Row::encode(version, &value));
            facts.current.insert(key.clone(), stored.clone());
            self.pending.add(key.clone(), version);
            batch.rows.insert(key, stored);
        }
        Ok(version)
    }

    /// The group is durable (or had nothing to write). Gives the version to publish.
    pub(super) fn applied(&mut self) -> Version {
        if let Some(version) = self.pending_head.take() {
            self.head = version;
        }
        self.recent.append(&mut self.pending);
        self.recent.shrink(self.recent_rows_max);
        self.in_doubt = false;
        self.head
    }

    /// The engine failed: the group may or may not be durable.
    pub(super) fn failed(&mut self) {
        self.in_doubt = true;
    }

    /// Whether the engine's version must be looked at before the next group.
    pub(super) fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Settles a failed group by the version the engine shows. Gives the version to publish.
    pub(super) fn resolve(&mut self, seen: Version) -> Result<Version, StoreError> {
        if seen == self.head {
            self.pending.clear();
            self.pending_head = None;
            self.in_doubt = false;
            Ok(self.head)
        } else if Some(seen) == self.pending_head {
            Ok(self.applied())
        } else {
            Err(StoreError::engine(format_args!(
                "the database is at version {seen}, which this process did not write"
            )))
        }
    }
}

/// A change in the log after the transaction's base to something it read.
fn log_conflict(txn: &Txn, log: &[(Version, Vec<Key>)]) -> Option<(Key, Version)> {
    let mut reads: HashSet<&Key> = HashSet::default();
    reads.extend(&txn.reads);
    let cover = Cover::new(&txn.read_ranges);
    log.iter().filter(|(version, _)| *version > txn.base).find_map(|(version, keys)| {
        let key = keys.iter().find(|key| reads.contains(key) || cover.contains(key))?;
        Some((key.clone(), *version))
    })
}

impl Facts {
    /// Facts about these keys, and no log.
    pub(super) fn of(keys: Vec<Key>, values: Vec<Option<Bytes>>) -> Self {
        let mut current = HashMap::with_capacity(keys.len());
        current.extend(keys.into_iter().zip(values));
        Self { current, log_since: Version(i64::MAX), log: Vec::new() }
    }
}
