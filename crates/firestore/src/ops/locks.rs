//! Locks of transactions: whoever reads a document in a transaction keeps others from changing it until the transaction ends.
//!
//! They decide about turns, never about correctness: every commit validates what it has read all the same. Only
//! administrators' transactions hold locks, so that no user can make others wait; every writer waits for them, once it
//! is allowed to write.
//!
//! - Reads share. A write waits for everybody who has locked the document before it, first come, first served: of two
//!   transactions that have read one document and write it, the one that read first commits, and the other is aborted when it
//!   has waited.
//! - Who reads a document that a write waits for comes after that write.
//! - A transaction that is tried again locks what it reads alone: it does not lose its turn twice.
//! - Who would wait for somebody who waits for him does not: a read goes ahead, a write is aborted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::Status;
use kv::Key;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::status;

/// How long one waits for a lock.
const WAIT_SECONDS_MAX: u64 = 15;
/// How often one who waits looks for holders whose time is over.
const LOOK_MILLISECONDS: u64 = 1_000;
/// Documents that one transaction may lock; what it reads beyond is only validated.
const KEYS_MAX: usize = 10_000;

/// What is locked, by whom.
#[derive(Default)]
pub struct Locks {
    table: Mutex<Table>,
    /// How many locks there are.
    count: AtomicUsize,
}

#[derive(Default)]
struct Table {
    last: u64,
    documents: HashMap<Key, Vec<Hold>>,
    /// Who waits, and for whom.
    waiting: HashMap<u64, u64>,
}

struct Hold {
    ticket: u64,
    holder: u64,
    mode: Mode,
    /// Closed when the holder is gone.
    ended: watch::Receiver<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// With others who read.
    Shared,
    /// Alone, before writing.
    Alone,
    /// To write.
    Write,
}

/// Somebody who holds locks, until it is dropped.
pub struct Holder {
    locks: Arc<Locks>,
    number: u64,
    reads: Mode,
    keys: Vec<Key>,
    ended: watch::Sender<()>,
}

/// What came of trying.
enum Tried {
    Held,
    /// This holder is in the way.
    Behind(u64, watch::Receiver<()>),
}

impl Locks {
    /// Somebody without locks yet. One who `tries_again` reads alone.
    pub fn holder(self: &Arc<Self>, tries_again: bool) -> Holder {
        let reads = if tries_again { Mode::Alone } else { Mode::Shared };
        let number = self.table.lock().next();
        Holder { locks: Arc::clone(self), number, reads, keys: Vec::new(), ended: watch::Sender::new(()) }
    }

    /// Whether a writer who holds nothing would have to wait for one of these.
    pub fn is_any_held(&self, keys: &[Key]) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let table = self.table.lock();
        keys.iter().any(|key| table.documents.contains_key(key))
    }
}

impl Table {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether somebody waits, over others, for this one.
    fn waits_for(&self, mut from: u64, whom: u64) -> bool {
        // Everybody waits for one at a time: the way ends, or leads back to where it began.
        for _ in 0..=self.waiting.len() {
            if from == whom {
                return true;
            }
            match self.waiting.get(&from) {
                Some(next) => from = *next,
                None => return false,
            }
        }
        false
    }
}

impl Holder {
    /// Locks documents that are about to be read. `look` is called now and then while this waits: it ends holders whose time
    /// is over.
    ///
    /// Errors: `ABORTED` when others hold them too long.
    pub async fn read(&mut self, keys: &[Key], look: &(dyn Fn() + Sync)) -> Result<(), Status> {
        self.wait(Mode::Shared, keys, look).await
    }

    /// Locks documents that have been read, in so far as nobody is in the way.
    pub fn hold(&mut self, keys: &[Key]) {
        let locks = Arc::clone(&self.locks);
        let mut table = locks.table.lock();
        for key in keys {
            self.add(&mut table, key, Mode::Shared);
        }
    }

    /// Waits for the turn to write documents.
    ///
    /// Errors: `ABORTED` when it does not come, or when somebody waits for this one.
    pub async fn write(&mut self, keys: &[Key], look: &(dyn Fn() + Sync)) -> Result<(), Status> {
        {
            let locks = Arc::clone(&self.locks);
            let mut table = locks.table.lock();
            for key in keys {
                self.add(&mut table, key, Mode::Write);
            }
        }
        self.wait(Mode::Write, keys, look).await
    }

    async fn wait(&mut self, mode: Mode, keys: &[Key], look: &(dyn Fn() + Sync)) -> Result<(), Status> {
        let deadline = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
        loop {
            let (holder, mut ended) = match self.try_once(mode, keys) {
                Tried::Held => return Ok(()),
                Tried::Behind(holder, ended) => (holder, ended),
            };
            let _waits = {
                let mut table = self.locks.table.lock();
                if table.waits_for(holder, self.number) {
                    drop(table);
                    if mode == Mode::Write {
                        return Err(status::contention());
                    }
                    self.hold(keys);
                    return Ok(());
                }
                table.waiting.insert(self.number, holder);
                Waits { locks: &self.locks, number: self.number }
            };
            look();
            let until = deadline.min(Instant::now() + Duration::from_millis(LOOK_MILLISECONDS));
            // It never changes: it closes.
            let is_over = tokio::time::timeout_at(until, ended.changed()).await.is_ok();
            if !is_over && Instant::now() >= deadline {
                return Err(status::contention());
            }
        }
    }

    fn try_once(&mut self, mode: Mode, keys: &[Key]) -> Tried {
        let locks = Arc::clone(&self.locks);
        let mut table = locks.table.lock();
        for key in keys {
            let Some(holds) = table.documents.get(key) else { continue };
            let own = holds.iter().find(|hold| hold.holder == self.number);
            let others = holds.iter().filter(|hold| hold.holder != self.number);
            let before = match (mode, own) {
                (Mode::Write, Some(own)) => {
                    others.filter(|hold| hold.ticket < own.ticket).min_by_key(|hold| hold.ticket)
                }
                (Mode::Write, None) | (_, Some(_)) => None,
                (_, None) => {
                    let alone = self.reads == Mode::Alone;
                    others.filter(|hold| alone || hold.mode != Mode::Shared).min_by_key(|hold| hold.ticket)
                }
            };
            if let Some(hold) = before {
                return Tried::Behind(hold.holder, hold.ended.clone());
            }
        }
        if mode != Mode::Write {
            keys.iter().for_each(|key| self.add(&mut table, key, self.reads));
        }
        Tried::Held
    }

    /// Adds a lock, or makes one that is held stronger. Whoever holds a lock keeps their place.
    fn add(&mut self, table: &mut Table, key: &Key, mode: Mode) {
        let ticket = table.next();
        let holds = table.documents.entry(key.clone()).or_default();
        match holds.iter_mut().find(|hold| hold.holder == self.number) {
            Some(own) if mode == Mode::Write => own.mode = mode,
            Some(_) => {}
            None if mode != Mode::Write && self.keys.len() >= KEYS_MAX => {
                if holds.is_empty() {
                    table.documents.remove(key);
                }
            }
            None => {
                holds.push(Hold { ticket, holder: self.number, mode, ended: self.ended.subscribe() });
                self.keys.push(key.clone());
                self.locks.count.fetch_add(1, Ordering::Release);
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let mut table = self.locks.table.lock();
        for key in &self.keys {
            if let Some(holds) = table.documents.get_mut(key) {
                holds.retain(|hold| hold.holder != self.number);
                if holds.is_empty() {
                    table.documents.remove(key);
                }
            }
        }
        self.locks.count.fetch_sub(self.keys.len(), Ordering::Release);
    }
}

/// Somebody waits, until this is dropped.
struct Waits<'a> {
    locks: &'a Locks,
    number: u64,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.locks.table.lock().waiting.remove(&self.number);
    }
}
