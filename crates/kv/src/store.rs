//! The store's face: snapshots, commits, changes, backup.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::change::Change;
use crate::committer::{Driver, Horizon, LogLength, Request, Waiting};
use crate::engine::{Batch, Engine, View};
use crate::error::{CommitError, StoreError};
use crate::history::{self, LookBack, Undo};
use crate::key::KeyRange;
use crate::meta::{self, Floor, Header};
use crate::options::Options;
use crate::ring::Ring;
use crate::scan::Scan;
use crate::snapshot::Snapshot;
use crate::txn::Txn;
use crate::version::Version;

/// The queue's memory is counted in units of this many bytes.
const MEMORY_UNIT_BYTES: usize = 1024;

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<dyn Engine>,
    options: Options,
    queue: mpsc::Sender<Request>,
    queue_memory: Arc<Semaphore>,
    published: watch::Sender<Version>,
    ring: Arc<Ring>,
    horizon: Arc<Horizon>,
    epoch: [u8; 16],
}

impl Store {
    /// Opens the database the engine keeps, making it if there is none, and starts its committer.
    pub async fn open(engine: impl Engine, options: Options) -> Result<Store, StoreError> {
        let engine: Arc<dyn Engine> = Arc::new(engine);
        let view = engine.view().await?;
        let (header, head) = match view.get(&meta::header_key()).await? {
            Some(stored) => (Header::decode(&stored)?, view.version()),
            None if view.version() == Version::ZERO => create(&*engine, &options).await?,
            None => return Err(StoreError::corrupt("the header is missing")),
        };
        let log = match view.version() {
            Version::ZERO => LogLength { end: 0, removed: 0 },
            _ => {
                let removed = history::floor_row(&*view).await?.removed_bytes;
                LogLength { end: history::end_bytes(&*view).await?, removed }
            }
        };
        drop(view);

        let (published, _) = watch::channel(head);
        let (queue, requests) = mpsc::channel(options.queue_len_max.max(1));
        let horizon = Arc::new(Horizon::default());
        let ring = Arc::new(Ring::new(head));
        let feed = (published.clone(), Arc::clone(&ring));
        let driver = Driver::new(
            head,
            log,
            Arc::clone(&engine),
            options.clone(),
            requests,
            feed,
            Arc::clone(&horizon),
        );
        // A thread of its own: an engine may block in a batch without holding up readers.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::engine(format_args!("no committer: {error}")))?;
        std::thread::Builder::new()
            .name("kv-committer".to_owned())
            .spawn(move || runtime.block_on(driver.run()))
            .map_err(|error| StoreError::engine(format_args!("no committer: {error}")))?;

        let units = (options.queue_bytes_max / MEMORY_UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let queue_memory = Arc::new(Semaphore::new(units));
        let epoch = header.epoch;
        let shared = Shared { engine, options, queue, queue_memory, published, ring, horizon, epoch };
        Ok(Store { shared: Arc::new(shared) })
    }

    /// The newest state: every published commit is in it.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let view = self.view().await?;
        let version = view.version();
        let now = Version(self.shared.options.clock.now_micros());
        let time = self.shared.horizon.promise(version, now);
        Ok(Snapshot { version, time, view, undo: None })
    }

    /// The state at a version, also one between two commits.
    ///
    /// Costs as much as was changed since. A version up to the present time is final: no later commit
    /// gets it or an older one. Fails beyond the retention of the change log and in the future.
    pub async fn snapshot_at(&self, version: Version) -> Result<Snapshot, StoreError> {
        let rows_max = self.shared.options.look_back_rows_max;
        self.snapshot_within(version, LookBack { rows_max, bytes_max: usize::MAX }).await
    }

    /// The same within bounds for what was changed since. Fails beyond them.
    pub async fn snapshot_within(
        &self,
        version: Version,
        look_back: LookBack,
    ) -> Result<Snapshot, StoreError> {
        let mut view = self.view().await?;
        if version > view.version() {
            let newest = view.version().max(Version(self.shared.options.clock.now_micros()));
            if version > newest {
                return Err(StoreError::Future { asked: version, newest });
            }
            let (done, fenced) = oneshot::channel();
            self.ask(Request::Fence(version, done)).await?;
            fenced.await.map_err(|_| StoreError::Closed)?;
            // Only now is it certain that nothing at the version or before it is still under way.
            view = self.view().await?;
        }
        let undo = if version < view.version() {
            let undo = Undo::read(&*view, version, look_back).await?;
            Some(Arc::new(undo))
        } else {
            None
        };
        Ok(Snapshot { view, version, time: version, undo })
    }

    /// Commits the transaction, or tells why not. An answer means it is durable.
    ///
    /// Dropping the future does not take the transaction back.
    pub async fn commit(&self, txn: Txn) -> Result<Version, CommitError> {
        self.submit(txn)?.await
    }

    /// The same in two steps: transactions are decided in the order of these calls; the future is the answer.
    pub fn submit(
        &self,
        txn: Txn,
    ) -> Result<impl Future<Output = Result<Version, CommitError>> + use<>, CommitError> {
        let shared = &self.shared;
        let bytes = txn.measure(&shared.options)?;
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        let memory = Arc::clone(&shared.queue_memory).try_acquire_many_owned(units);
        let memory = memory.map_err(|_| CommitError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { answer, memory, bytes, chain: txn.chain.clone() };
        shared.queue.try_send(Request::Commit(waiting, txn)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed.into(),
        })?;
        Ok(async move { answered.await.map_err(|_| StoreError::Closed)? })
    }

    /// The commits after a version, oldest first, without gaps; at most `limit`, and fewer if they are
    /// large. None means that there are none yet: wait on [`Store::published`] and ask again.
    pub async fn changes(&self, after: Version, limit: usize) -> Result<Vec<Change>, StoreError> {
        let (published, bytes_max) = (*self.shared.published.borrow(), self.shared.options.changes_bytes_max);
        if let Some(recent) = self.shared.ring.after(after, published, limit, bytes_max) {
            return recent.into_iter().map(|(version, entry)| Change::decode(version, entry)).collect();
        }
        let Some((view, range)) = self.log_after(after, limit).await? else { return Ok(Vec::new()) };
        let scan = Scan { reverse: false, rows_max: limit, bytes_max };
        let (changes, _) = history::read_log(&*view, &range, scan).await?;
        Ok(changes)
    }

    /// The versions of the commits after one, oldest first, without gaps; at most `limit`, and fewer only where there are no
    /// more. For those who look for a few commits among many: [`Store::changes`] reads all that each did.
    pub async fn versions(&self, after: Version, limit: usize) -> Result<Vec<Version>, StoreError> {
        let Some((view, range)) = self.log_after(after, limit).await? else { return Ok(Vec::new()) };
        view.keys(&range, limit).await?.iter().map(meta::log_version).collect()
    }

    /// What the change log has after a version; `None`: nothing.
    async fn log_after(
        &self,
        after: Version,
        limit: usize,
    ) -> Result<Option<(Arc<dyn View>, KeyRange)>, StoreError> {
        let view = self.view().await?;
        let oldest = history::floor(&*view).await?;
        if after < oldest {
            return Err(StoreError::TooOld { asked: after, oldest });
        }
        let range = meta::log_range(after, view.version());
        Ok((limit > 0 && !range.is_empty()).then_some((view, range)))
    }

    /// The newest version, and a way to wait for the next.
    pub fn published(&self) -> watch::Receiver<Version> {
        self.shared.published.subscribe()
    }

    /// What tells this database from every other, backups of it included. Random and durable.
    pub fn epoch(&self) -> [u8; 16] {
        self.shared.epoch
    }

    /// Writes a consistent copy to a new file that the SQLite engine can open. It gets an epoch of its
    /// own, so that nobody resumes a feed of this database on it. Gives the version of the copy.
    pub async fn backup(&self, to: &Path) -> Result<Version, StoreError> {
        let header = Header::random()?;
        self.shared.engine.backup(to, &[(meta::header_key(), header.encode())]).await
    }

    /// Removes change-log entries past retention now, rather than bit by bit.
    pub async fn prune(&self) -> Result<(), StoreError> {
        let (done, pruned) = oneshot::channel();
        self.ask(Request::Prune(done)).await?;
        pruned.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes the queued commits, brings the engine to rest and closes it for all clones.
    pub async fn close(self) -> Result<(), StoreError> {
        let (done, closed) = oneshot::channel();
        self.ask(Request::Close(done)).await?;
        closed.await.map_err(|_| StoreError::Closed)?
    }

    async fn ask(&self, request: Request) -> Result<(), StoreError> {
        self.shared.queue.send(request).await.map_err(|_| StoreError::Closed)
    }

    /// A view of everything published. Whatever it shows is published, too: an engine shows a batch
    /// a moment before the committer has told of it.
    async fn view(&self) -> Result<Arc<dyn View>, StoreError> {
        let view = self.shared.engine.view().await?;
        let version = view.version();
        if version > *self.shared.published.borrow() {
            self.shared.published.send_if_modified(|published| {
                let newer = version > *published;
                *published = version.max(*published);
                newer
            });
        }
        Ok(view)
    }
}

/// Writes the first rows of a new database.
async fn create(engine: &dyn Engine, options: &Options) -> Result<(Header, Version), StoreError> {
    let header = Header::random()?;
    let head = Version::ZERO.following(options.clock.now_micros());
    let mut batch = Batch { version: head, ..Batch::default() };
    batch.rows.insert(meta::header_key(), Some(header.encode()));
    let floor = Floor { version: head, removed_bytes: 0 };
    batch.rows.insert(meta::floor_key(), Some(floor.encode()));
    engine.apply(batch).await?;
    Ok((header, head))
}
