//! Server-side transactions: a snapshot and what was read from it, kept between a client's requests.
//!
//! A commit is aborted when anything the transaction read, or its rules read, has changed since. The snapshot is taken by the
//! first read. What administrators' transactions read is locked besides (see [`super::locks`]), unless they ask to be
//! optimistic. Requests of one transaction run one after another, so that none of its reads is lost.
//!
//! Invariants: a transaction belongs to the caller and database that began it; the number of open ones, their age,
//! the requests of each and the memory of each and of all are bounded; it ends with its commit, whatever comes of it.
//!
//! Where a user has too many, or all users together, the one that has been idle longest ends, and its client begins
//! anew: whoever opens transactions and leaves them takes none from those who use theirs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use access::{Caller, Session, Suspended};
use base::{Clock, DatabaseName, ResourcePath, Status, id};
use bytes::Bytes;
use kv::{Key, Version};
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use wire::v1;
use wire::v1::transaction_options::Mode;

use super::locks::{Holder, Locks};
use super::shares::{Counts, Owner, TRANSACTIONS_OTHERS_MAX};
use super::{Firestore, operation};
use crate::status;

/// How long a transaction may go without a request.
const IDLE_MS: i64 = 60_000;
/// How long a transaction may last.
const AGE_MS: i64 = 270_000;
/// What one transaction may keep of what it has read; the request that goes beyond is its last.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What all of them together may keep before users' idle ones end.
const KEPT_TOTAL_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Requests of one transaction.
const REQUESTS_MAX: usize = 10_000;
/// Bytes of a transaction's id.
const ID_LEN: usize = 16;

type Id = [u8; ID_LEN];

#[derive(Default)]
struct Open {
    transactions: HashMap<Id, Arc<Transaction>>,
    counts: Counts,
}

impl Open {
    fn insert(&mut self, transaction: Arc<Transaction>) {
        self.counts.add(&transaction.owner);
        self.transactions.insert(transaction.id, transaction);
    }

    fn remove(&mut self, id: &Id) {
        if let Some(transaction) = self.transactions.remove(id) {
            self.counts.remove(&transaction.owner);
        }
    }

    /// The transactions that are meant, the one that has been idle longest first.
    fn by_idleness(&self, meant: impl Fn(&Transaction) -> bool) -> Vec<(i64, Id)> {
        let meant = self.transactions.values().filter(|transaction| meant(transaction));
        let mut found: Vec<_> = meant
            .map(|transaction| (transaction.used_micros.load(Ordering::Relaxed), transaction.id))
            .collect();
        found.sort_unstable();
        found
    }
}

/// The open transactions.
pub struct Transactions {
    open: Mutex<Open>,
    kept_bytes: Arc<AtomicUsize>,
    locks: Arc<Locks>,
    clock: Arc<dyn Clock>,
}

/// One open transaction.
pub struct Transaction {
    id: Id,
    database: DatabaseName,
    owner: Owner,
    begun_micros: i64,
    used_micros: AtomicI64,
    /// The version all its reads see, when it only reads.
    reads_at: Option<Version>,
    state: Arc<tokio::sync::Mutex<State>>,
}

/// What changes from request to request.
pub struct State {
    /// The snapshot and the reads; `None` before the first read.
    suspended: Option<Suspended>,
    /// Its locks, when it takes any.
    locks: Option<Holder>,
    /// What all transactions keep, this one's part included.
    kept_bytes: Arc<AtomicUsize>,
    requests: usize,
    ended: bool,
}

impl State {
    fn take(&mut self) -> Option<Suspended> {
        let suspended = self.suspended.take()?;
        self.kept_bytes.fetch_sub(suspended.bytes(), Ordering::Relaxed);
        Some(suspended)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.take();
    }
}

/// How a transaction works.
pub enum Kind {
    /// It only reads, at a version.
    ReadOnly(Version),
    /// It locks what it reads. One that `tries_again` does so alone.
    Locking {
        /// Whether it was aborted before.
        tries_again: bool,
    },
    /// It locks nothing.
    Optimistic,
}

/// A transaction while one request has it.
pub struct Lease {
    /// Which.
    pub transaction: Arc<Transaction>,
    /// Its state, nobody else's until this is dropped.
    state: OwnedMutexGuard<State>,
}

impl Transaction {
    /// The id clients know it by.
    pub fn id(&self) -> Bytes {
        Bytes::copy_from_slice(&self.id)
    }

    /// The version it reads at, when it only reads.
    pub fn reads_at(&self) -> Option<Version> {
        self.reads_at
    }

    fn is_expired(&self, now_micros: i64) -> bool {
        let idle = now_micros.saturating_sub(self.used_micros.load(Ordering::Relaxed));
        let age = now_micros.saturating_sub(self.begun_micros);
        idle > IDLE_MS * 1000 || age > AGE_MS * 1000
    }
}

impl Transactions {
    /// None open yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { open: Mutex::default(), kept_bytes: Arc::default(), locks: Arc::default(), clock }
    }

    /// What its transactions have locked.
    pub fn locks(&self) -> &Arc<Locks> {
        &self.locks
    }

    /// Ends transactions whose time is over.
    pub fn end_expired(&self) {
        let now = self.clock.now_micros();
        let mut open = self.open.lock();
        let expired = open.by_idleness(|transaction| transaction.is_expired(now));
        expired.iter().for_each(|(_, id)| open.remove(id));
    }

    /// Opens one.
    pub fn begin(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        kind: Kind,
    ) -> Result<Arc<Transaction>, Status> {
        let now = self.clock.now_micros();
        let id =
            id::random_bytes().map_err(|_| Status::unavailable("The service is currently unavailable."))?;
        let (reads_at, locks) = match kind {
            Kind::ReadOnly(version) => (Some(version), None),
            Kind::Locking { tries_again } if caller.is_admin() => {
                (None, Some(self.locks.holder(tries_again)))
            }
            Kind::Locking { .. } | Kind::Optimistic => (None, None),
        };
        let transaction = Arc::new(Transaction {
            id,
            database: database.clone(),
            owner: Owner::of(caller),
            begun_micros: now,
            used_micros: AtomicI64::new(now),
            reads_at,
            state: Arc::new(tokio::sync::Mutex::new(State {
                suspended: None,
                locks,
                kept_bytes: self.kept_bytes.clone(),
                requests: 0,
                ended: false,
            })),
        });
        let mut open = self.open.lock();
        self.make_room(&mut open, &transaction.owner, now)?;
        open.insert(transaction.clone());
        Ok(transaction)
    }

    /// Sees to it that one more of the owner's may be open.
    fn make_room(&self, open: &mut Open, owner: &Owner, now: i64) -> Result<(), Status> {
        let too_much_kept = || self.kept_bytes.load(Ordering::Relaxed) > KEPT_TOTAL_BYTES_MAX;
        let share = owner.transactions_max();
        let has_share = open.counts.of(owner) >= share;
        // Below all bounds nothing needs to be looked at.
        if open.transactions.len() < TRANSACTIONS_OTHERS_MAX && !has_share && !too_much_kept() {
            return Ok(());
        }
        let expired = open.by_idleness(|transaction| transaction.is_expired(now));
        expired.iter().for_each(|(_, id)| open.remove(id));
        // One in eight goes at a time: the next ones to begin do not look again.
        if open.counts.of(owner) >= share {
            if owner.is_admin() {
                return Err(status::too_many_transactions());
            }
            let own = open.by_idleness(|transaction| transaction.owner == *owner);
            own.iter().take((share / 8).max(1)).for_each(|(_, id)| open.remove(id));
        }
        let others = open.by_idleness(|transaction| !transaction.owner.is_admin());
        let many = others.len() >= TRANSACTIONS_OTHERS_MAX;
        let spare = if many { TRANSACTIONS_OTHERS_MAX / 8 } else { 0 };
        for (at, (_, id)) in others.into_iter().enumerate() {
            if at >= spare && !too_much_kept() {
                break;
            }
            open.remove(&id);
        }
        Ok(())
    }

    /// Takes a transaction for one request, waiting while another request has it.
    pub async fn lease(&self, caller: &Caller, database: &DatabaseName, id: &[u8]) -> Result<Lease, Status> {
        let id: Id = id.try_into().map_err(|_| status::invalid_transaction())?;
        let now = self.clock.now_micros();
        let transaction = {
            let mut open = self.open.lock();
            let transaction = open.transactions.get(&id).ok_or_else(status::expired_transaction)?.clone();
            if transaction.is_expired(now) {
                open.remove(&id);
                return Err(status::expired_transaction());
            }
            transaction
        };
        if transaction.database != *database || transaction.owner != Owner::of(caller) {
            return Err(status::invalid_transaction());
        }
        transaction.used_micros.store(now, Ordering::Relaxed);
        let mut state = transaction.state.clone().lock_owned().await;
        if state.ended {
            return Err(status::expired_transaction());
        }
        state.requests += 1;
        let kept_bytes = state.suspended.as_ref().map_or(0, Suspended::bytes);
        let mut lease = Lease { transaction, state };
        if lease.state.requests > REQUESTS_MAX || kept_bytes > KEPT_BYTES_MAX {
            self.end(&mut lease);
            return Err(status::transaction_too_large());
        }
        Ok(lease)
    }

    /// Ends a transaction; whoever waits for it is told that it is over.
    pub fn end(&self, lease: &mut Lease) {
        lease.state.ended = true;
        lease.state.take();
        lease.state.locks = None;
        self.open.lock().remove(&lease.transaction.id);
    }
}

impl Lease {
    /// The version that the transaction sees; `None` before its first read.
    pub fn version(&self) -> Option<Version> {
        self.state.suspended.as_ref().map(Suspended::version)
    }

    /// Keeps what the request has read for the transaction's commit.
    pub fn keep(&mut self, session: Session) {
        let read = session.suspend();
        self.state.kept_bytes.fetch_add(read.bytes(), Ordering::Relaxed);
        match &mut self.state.suspended {
            Some(suspended) => suspended.absorb(read),
            None => self.state.suspended = Some(read),
        }
    }

    /// Takes what the transaction has read, for its commit.
    pub fn take(&mut self) -> Option<Suspended> {
        self.state.take()
    }

    /// Locks documents that are about to be read, waiting for others who write them.
    pub async fn lock(&mut self, transactions: &Transactions, keys: &[Key]) -> Result<(), Status> {
        match &mut self.state.locks {
            Some(locks) => locks.read(keys, &|| transactions.end_expired()).await,
            None => Ok(()),
        }
    }

    /// Locks documents that have been found.
    pub fn hold(&mut self, keys: &[Key]) {
        if let Some(locks) = &mut self.state.locks {
            locks.hold(keys);
        }
    }

    /// Takes the transaction's locks, for its commit.
    pub fn take_locks(&mut self) -> Option<Holder> {
        self.state.locks.take()
    }
}

impl Firestore {
    /// Begins a transaction as these options ask.
    pub(super) async fn open_transaction(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        options: Option<v1::TransactionOptions>,
    ) -> Result<Arc<Transaction>, Status> {
        use v1::transaction_options::ConcurrencyMode;
        use v1::transaction_options::read_only::ConsistencySelector::ReadTime;
        let kind = match options.and_then(|options| options.mode) {
            Some(Mode::ReadOnly(read_only)) => match read_only.consistency_selector {
                Some(ReadTime(at)) => Kind::ReadOnly(self.read_time(&at)?),
                None => {
                    let session =
                        self.gate.begin(caller, operation("BeginTransaction", &ResourcePath::ROOT)).await?;
                    let version = session.version();
                    session.finish();
                    Kind::ReadOnly(version)
                }
            },
            Some(Mode::ReadWrite(options)) if options.concurrency_mode() == ConcurrencyMode::Optimistic => {
                Kind::Optimistic
            }
            Some(Mode::ReadWrite(options)) => {
                Kind::Locking { tries_again: !options.retry_transaction.is_empty() }
            }
            None => Kind::Locking { tries_again: false },
        };
        self.transactions.begin(caller, database, kind)
    }

    /// `BeginTransaction`.
    pub async fn begin_transaction(
        &self,
        caller: &Caller,
        request: v1::BeginTransactionRequest,
    ) -> Result<v1::BeginTransactionResponse, Status> {
        let database = self.database(&request.database)?;
        let transaction = self.open_transaction(caller, &database, request.options).await?;
        Ok(v1::BeginTransactionResponse { transaction: transaction.id() })
    }

    /// `Rollback`.
    pub async fn rollback(&self, caller: &Caller, request: v1::RollbackRequest) -> Result<(), Status> {
        let database = self.database(&request.database)?;
        let mut lease = self.transactions.lease(caller, &database, &request.transaction).await?;
        self.transactions.end(&mut lease);
        Ok(())
    }
}
