//! Reading the data file: read transactions on a bounded pool of connections.
//!
//! A view of the file's newest state is shared by everyone who asks on the same worker thread, until
//! the file gets more rows. Short reads run where they are asked for: crossing to another thread costs more than
//! the read. Long ones run on threads for blocking work, in chunks, so that short reads of the same
//! view get their turn.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::file::DataFile;
use super::table::{self, ReadError};
use crate::engine::{Budget, Slice};
use crate::error::StoreError;
use crate::key::{Key, KeyRange};
use crate::meta::{self, Mark};
use crate::scan::Scan;
use crate::version::Version;

/// A read of up to this many rows or bytes runs inline; a longer one takes chunks of this size.
const INLINE_ROWS_MAX: usize = 256;
const INLINE_BYTES_MAX: usize = 256 * 1024;

/// Worker threads beyond this number share views.
const SHARDS: usize = 8;

/// The pool.
pub(super) struct Readers {
    file: DataFile,
    idle: Mutex<Vec<Connection>>,
    open: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// Counts changes of the file. A view that was opened before the newest is not handed out again.
    changes: AtomicU64,
    shared: [Mutex<Option<Arc<FileView>>>; SHARDS],
    closed: AtomicBool,
}

/// A held read transaction.
pub(super) struct FileView {
    held: Arc<Held>,
    /// Up to where the file has the journal's batches.
    mark: Mark,
    version: Version,
    changes: u64,
}

struct Held {
    /// `None` only while it is being dropped.
    connection: Mutex<Option<Connection>>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn new(file: DataFile) -> Self {
        let options = file.options();
        Self {
            open: Arc::new(Semaphore::new(options.readers_max.max(2))),
            long: Arc::new(Semaphore::new(options.long_reads_max.max(1))),
            idle: Mutex::default(),
            changes: AtomicU64::new(0),
            shared: Default::default(),
            closed: AtomicBool::new(false),
            file,
        }
    }

    /// A view of the newest state.
    pub(super) async fn view(self: &Arc<Self>) -> Result<Arc<FileView>, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let shard = self.shard();
        if let Some(view) = self.current(shard) {
            return Ok(view);
        }
        let permit = match Arc::clone(&self.open).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                // Rather another thread's view than a wait.
                if let Some(view) = self.shared.iter().find_map(|shard| self.current(shard)) {
                    return Ok(view);
                }
                let wait = Duration::from_millis(self.file.options().reader_wait_ms);
                let waited = tokio::time::timeout(wait, Arc::clone(&self.open).acquire_owned()).await;
                waited.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Closed)?
            }
        };
        let changes = self.changes.load(Ordering::Acquire);
        let view = Arc::new(self.open_view(permit, changes)?);
        let mut shared = shard.lock();
        // A change that came meanwhile has cleared the shard already: nothing old may enter it now.
        let outdated = if self.changes.load(Ordering::Acquire) == changes {
            shared.replace(Arc::clone(&view))
        } else {
            None
        };
        drop(shared);
        drop(outdated);
        Ok(view)
    }

    fn open_view(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        changes: u64,
    ) -> Result<FileView, StoreError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.file.open_for_reading()?,
        };
        let begin = || -> Result<_, ReadError> {
            connection.prepare_cached("BEGIN")?.execute([])?;
            // The transaction stands still from its first read on.
            Ok((
                table::get(&connection, &meta::version_key())?,
                table::get(&connection, &meta::journal_key())?,
            ))
        };
        let (version, mark) = begin().map_err(|error| self.file.explain_read(&error))?;
        let mark = Mark::decode(&mark.ok_or_else(|| StoreError::corrupt("the journal's mark is missing"))?)?;
        let version = version.map_or(Some(Version::ZERO), |stored| Version::from_bytes(&stored));
        let version = version.ok_or_else(StoreError::corrupt_version)?;
        let held =
            Held { connection: Mutex::new(Some(connection)), readers: Arc::clone(self), _permit: permit };
        Ok(FileView { held: Arc::new(held), mark, version, changes })
    }

    fn current(&self, shard: &Mutex<Option<Arc<FileView>>>) -> Option<Arc<FileView>> {
        let newest = self.changes.load(Ordering::Acquire);
        shard.lock().as_ref().filter(|view| view.changes == newest).map(Arc::clone)
    }

    fn shard(&self) -> &Mutex<Option<Arc<FileView>>> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static SHARD: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS));
        let [first, ..] = &self.shared;
        self.shared.get(SHARD.get()).unwrap_or(first)
    }

    /// The file has changed: shared views are old.
    pub(super) fn outdate(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.release();
    }

    /// Lets go of the shared views that nobody uses, so that their transactions end.
    pub(super) fn release(&self) {
        for shard in &self.shared {
            let view = shard.lock().take();
            drop(view);
        }
    }

    /// No new views. Those that are held stay good.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.release();
        self.idle.lock().clear();
    }
}

impl FileView {
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Uses the connection inside its transaction.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.held.with(read)
    }

    /// Runs a long read elsewhere, so that this thread can serve others.
    async fn long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Held) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.held.readers.long).acquire_owned().await;
        let permit = permit.map_err(|_| StoreError::Closed)?;
        let held = Arc::clone(&self.held);
        on_own_thread(move || {
            let _permit = permit;
            read(&held)
        })
        .await
    }
}

/// Runs blocking work on a thread for it.
pub(super) async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::engine(format_args!("a read was interrupted: {error}")))?
}

impl Held {
    fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let connection = self.connection.lock();
        let result = read(connection.as_ref().ok_or(StoreError::Closed)?);
        // Whoever waits for this view comes first, or a long scan would starve short reads.
        MutexGuard::unlock_fair(connection);
        result
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut values = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(INLINE_ROWS_MAX) {
            let read = |connection: &Connection| {
                for key in chunk {
                    values.push(table::get(connection, key).map_err(|error| self.explain(&error))?);
                }
                Ok(())
            };
            self.with(read)?;
        }
        Ok(values)
    }

    fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError> {
        let mut budget = Budget::new(scan);
        let mut all = Slice::default();
        let mut rest = range.clone();
        loop {
            let left = budget.left(scan.reverse);
            let chunk = Scan {
                reverse: scan.reverse,
                rows_max: left.rows_max.min(INLINE_ROWS_MAX),
                bytes_max: left.bytes_max.min(INLINE_BYTES_MAX),
            };
            let slice = self.with(|connection| {
                table::scan(connection, &rest, chunk).map_err(|error| self.explain(&error))
            })?;
            for (key, value) in slice.rows {
                // The first row of a chunk comes whatever its size, so it may be too much for the whole.
                if !budget.take(key.stored().len(), value.len()) {
                    all.more = true;
                    return Ok(all);
                }
                all.rows.push((key, value));
            }
            match all.rows.last() {
                Some((last, _)) if slice.more => rest = rest.beyond(last, scan.reverse),
                _ => return Ok(all),
            }
            if budget.is_spent() {
                all.more = true;
                return Ok(all);
            }
        }
    }

    fn explain(&self, error: &ReadError) -> StoreError {
        self.readers.file.explain_read(error)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(connection) = self.connection.get_mut().take() else { return };
        let ended = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        let mut idle = self.readers.idle.lock();
        let closed = self.readers.closed.load(Ordering::Acquire);
        if ended.is_ok() && !closed && idle.len() < self.readers.file.options().readers_idle_max {
            idle.push(connection);
        }
    }
}

impl FileView {
    /// The number of the newest batch in it.
    pub(super) fn sequence(&self) -> u64 {
        self.mark.sequence
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.with(|connection| table::get(connection, key).map_err(|error| self.held.explain(&error)))
    }

    /// See [`crate::View::get_many`].
    pub(super) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        if keys.len() <= INLINE_ROWS_MAX {
            return self.held.get_many(keys);
        }
        let keys = keys.to_vec();
        self.long(move |held| held.get_many(&keys)).await
    }

    /// See [`crate::View::keys`].
    pub(super) async fn keys(&self, range: &KeyRange, max: usize) -> Result<Vec<Key>, StoreError> {
        let range = range.clone();
        self.long(move |held| {
            held.with(|connection| table::keys(connection, &range, max).map_err(|error| held.explain(&error)))
        })
        .await
    }

    /// See [`crate::View::scan`].
    pub(super) async fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError> {
        if range.is_empty() {
            return Ok(Slice::default());
        }
        // The first part inline: most scans end in it.
        let first = Scan {
            reverse: scan.reverse,
            rows_max: scan.rows_max.min(INLINE_ROWS_MAX),
            bytes_max: scan.bytes_max.min(INLINE_BYTES_MAX),
        };
        let mut slice = self.held.scan(range, first)?;
        if !slice.more || first == scan {
            return Ok(slice);
        }
        let mut budget = Budget::new(scan);
        for (key, value) in &slice.rows {
            budget.take(key.stored().len(), value.len());
        }
        let Some((last, _)) = slice.rows.last() else { return Ok(slice) };
        if budget.is_spent() {
            return Ok(slice);
        }
        let rest = range.beyond(last, scan.reverse);
        let left = budget.left(scan.reverse);
        let more = self.long(move |held| held.scan(&rest, left)).await?;
        // The first row of the second part comes whatever its size; with others before it, it must fit.
        let mut rows = more.rows.into_iter();
        slice.more = more.more;
        for (key, value) in rows.by_ref() {
            if !budget.take(key.stored().len(), value.len()) {
                slice.more = true;
                break;
            }
            slice.rows.push((key, value));
        }
        Ok(slice)
    }
}
