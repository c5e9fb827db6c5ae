//! The default engine: one SQLite file in a folder, which anyone can open, copy and inspect.
//!
//! Invariants:
//! - One process has the folder: a lock file is held as long as the engine lives.
//! - A batch is one transaction, synced before [`Engine::apply`] returns.
//! - A view is a held read transaction, so a true snapshot. Views of the newest state are shared and
//!   dropped by the next batch, because a held read keeps the write-ahead log from being reused.
//!
//! Settings follow the measurements in the storage decision (8 KiB pages, WAL, `synchronous=FULL`, own
//! checkpointer) but for one: the file is not mapped into memory. SQLite unmaps and maps it again for
//! the first read after each commit, which costs about 100 µs and the page faults anew, where a mapped
//! read saves 1 to 2 µs; and an I/O error in a mapped file ends the process.

mod checkpoint;
mod copy;
mod file;
mod read;
mod table;
mod write;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::engine::{Batch, Engine, View};
use crate::error::StoreError;
use crate::key::Key;
use crate::version::Version;

pub(crate) use copy::NewFile;

use checkpoint::Checkpointer;
use read::Readers;
use write::Writer;

/// How the SQLite engine is run.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Read connections, so snapshots of different versions, that may be open at once.
    pub readers_max: usize,
    /// Read connections kept open when nobody needs them.
    pub readers_idle_max: usize,
    /// How long a snapshot waits for a read connection.
    pub reader_wait_ms: u64,
    /// Long scans that may run at once, on threads of their own.
    pub long_reads_max: usize,
    /// The page cache of a read connection.
    pub reader_cache_bytes: usize,
    /// The page cache of the write connection.
    pub writer_cache_bytes: usize,
    /// How often the write-ahead log is copied into the file while it grows.
    pub checkpoint_interval_ms: u64,
    /// The length at which the write-ahead log is emptied between two groups of commits.
    pub wal_bytes_max: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            readers_max: 32,
            readers_idle_max: 4,
            reader_wait_ms: 5_000,
            long_reads_max: 4,
            reader_cache_bytes: 32 * MIB,
            writer_cache_bytes: 32 * MIB,
            checkpoint_interval_ms: 20,
            wal_bytes_max: 64 * MIB as u64,
        }
    }
}

/// The SQLite engine.
pub struct Sqlite {
    writer: Mutex<Option<Writer>>,
    readers: Arc<Readers>,
    checkpointer: Mutex<Option<Checkpointer>>,
    lock: Mutex<Option<File>>,
}

impl Sqlite {
    /// Opens the data in this folder, making both if needed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, SqliteOptions::default())
    }

    /// The same with other options.
    pub fn open_with(folder: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|error| StoreError::io("create", folder, &error))?;
        let lock = file::lock(folder)?;
        let file = file::DataFile::new(folder, options);
        let connection = file.open_for_writing()?;
        file::sync_folder(folder)?;
        let readers = Arc::new(Readers::new(file.clone()));
        let checkpointer =
            Checkpointer::start(file.open_for_checkpoints()?, Arc::clone(&readers), file.options())?;
        let writer = Writer::new(connection, &file, checkpointer.progress());
        Ok(Self {
            writer: Mutex::new(Some(writer)),
            readers,
            checkpointer: Mutex::new(Some(checkpointer)),
            lock: Mutex::new(Some(lock)),
        })
    }

    /// The data file of a folder. A backup is restored by putting it there.
    pub fn data_file(folder: &Path) -> PathBuf {
        file::data_path(folder)
    }
}

#[async_trait]
impl Engine for Sqlite {
    async fn view(&self) -> Result<Arc<dyn View>, StoreError> {
        Ok(self.readers.view().await?)
    }

    async fn newest(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        // On the write connection: its pages stay cached from batch to batch, a reader's do not.
        self.writer.lock().as_mut().ok_or(StoreError::Closed)?.newest(keys)
    }

    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut writer = self.writer.lock();
        let writer = writer.as_mut().ok_or(StoreError::Closed)?;
        let applied = writer.apply(batch);
        // Also after a failure: the batch may be there.
        self.readers.outdate();
        applied?;
        if let Some(checkpointer) = &*self.checkpointer.lock() {
            checkpointer.wake();
        }
        if writer.wal_is_full() {
            writer.drain_wal(&self.readers);
        }
        Ok(())
    }

    async fn backup(&self, to: &Path, replace: &[(Key, Bytes)]) -> Result<Version, StoreError> {
        let view = self.readers.view().await?;
        let (to, replace) = (to.to_owned(), replace.to_vec());
        read::on_own_thread(move || {
            let version = view.version();
            view.with(|connection| copy::backup(connection, &to, &replace, version))?;
            Ok(version)
        })
        .await
    }

    async fn close(&self) -> Result<(), StoreError> {
        if let Some(checkpointer) = self.checkpointer.lock().take() {
            checkpointer.stop();
        }
        self.readers.close();
        let closed = match self.writer.lock().take() {
            Some(writer) => writer.close(),
            None => Ok(()),
        };
        // The folder is free once its lock file is closed.
        self.lock.lock().take();
        closed
    }
}
