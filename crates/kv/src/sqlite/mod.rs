//! The default engine: one SQLite file in a folder, which anyone can open, copy and inspect.
//!
//! Invariants:
//! - One process has the folder: a lock file is held as long as the engine lives.
//! - A batch is one record of the [`journal`], synced before [`Engine::apply`] returns. Its rows are
//!   moved into the file later, with many others in one transaction; until then they lie in memory.
//!   A start after a crash moves what the journal has and the file lacks; closing leaves no journal.
//! - What was acknowledged is known outside of journal and file, and every page has a checksum there (the [`mark`]). The
//!   [`ground`] is examined before anything is changed; rows have checksums of their own.
//! - A [`view`] is a held read transaction on the file and what is newer in memory, so a true snapshot.
//!   Read transactions on the newest state are shared until more is moved, because a held one keeps
//!   the write-ahead log from being reused.
//!
//! Why a journal: a batch of fifty random rows changes fifty pages of the file, all of which would have
//! to be logged and synced for it. The journal takes the rows alone, in place, and a page is written
//! once for all the batches of a second.
//!
//! Settings follow the measurements in the storage decision (8 KiB pages, WAL, `synchronous=FULL`, own
//! checkpointer) but for one: the file is not mapped into memory. SQLite unmaps and maps it again for
//! the first read after each commit, which costs about 100 µs and the page faults anew, where a mapped
//! read saves 1 to 2 µs; and an I/O error in a mapped file ends the process.

mod checkpoint;
mod copy;
mod file;
mod front;
mod ground;
mod journal;
mod layer;
mod mark;
mod mover;
mod pages;
mod read;
mod restore;
mod table;
mod untouched;
mod upgrade;
mod verify;
mod view;
mod wal;
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::engine::{Batch, Engine, View};
use crate::error::StoreError;
use crate::key::Key;
use crate::meta::{self, Mark};
use crate::version::Version;

pub(crate) use copy::NewFile;
pub use restore::{Reach, reach, restore};
pub use verify::{Finding, Report, verify, verify_with};

use checkpoint::Checkpointer;
use front::Front;
use ground::Ground;
use journal::Journal;
use mover::{Ended, Mover};
use pages::Patrol;
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
    /// The length of the journal at which its rows are moved into the file.
    pub journal_bytes_max: u64,
    /// The age of the journal's oldest rows at which they are moved whatever its length.
    pub journal_age_ms_max: u64,
    /// How often the write-ahead log is copied into the file while it grows.
    pub checkpoint_interval_ms: u64,
    /// The length at which the write-ahead log is emptied between two groups of commits.
    pub wal_bytes_max: u64,
    /// How much of the file is held against its checksums before the engine is open. The rest follows while it works.
    pub checked_at_start_bytes_max: u64,
    /// The pause between two rounds over the whole file, which begin when the start's is over.
    pub check_interval_ms: u64,
    /// How much is looked at within a second in such a round.
    pub checked_per_second_bytes_max: u64,
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
            journal_bytes_max: 16 * MIB as u64,
            journal_age_ms_max: 1_000,
            checkpoint_interval_ms: 20,
            wal_bytes_max: 64 * MIB as u64,
            checked_at_start_bytes_max: 256 * MIB as u64,
            check_interval_ms: 24 * 60 * 60 * 1000,
            checked_per_second_bytes_max: 16 * MIB as u64,
        }
    }
}

/// The SQLite engine.
pub struct Sqlite {
    front: Arc<Front>,
    readers: Arc<Readers>,
    running: Mutex<Option<Running>>,
    /// Last, so that the folder is free when all else has ended.
    lock: Mutex<Option<File>>,
}

struct Running {
    mover: Mover,
    _patrol: Patrol,
}

impl Sqlite {
    /// Opens the data in this folder, making both if needed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, SqliteOptions::default())
    }

    /// The same with other options.
    pub fn open_with(folder: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        file::create_private_folder(folder)?;
        let lock = file::lock(folder)?;
        let file = file::DataFile::new(folder, options);
        let ground = Ground::examine(folder, &file)?;
        let connection = file.open_for_writing()?;
        let readers = Arc::new(Readers::new(file.clone()));
        let checkpointer =
            Checkpointer::start(file.open_for_checkpoints()?, Arc::clone(&readers), file.options())?;
        let mut writer = Writer::new(connection, &file, checkpointer.progress());
        let mut mark = writer.mark()?;
        let mut version = writer.version()?;
        ground.compare(mark, file.path())?;
        let unmoved = journal::unmoved(folder, mark, ground.acknowledged())?;
        let (pages, unchecked_from) = (Arc::clone(ground.pages()), ground.unchecked_from);
        let mut follower = ground.settle(mark, file.path())?;
        let mut rows = BTreeMap::new();
        for (sequence, batch) in unmoved {
            (mark.sequence, version) = (sequence, batch.version);
            rows.extend(batch.rows);
        }
        if !rows.is_empty() {
            let mut rows = rows.iter().map(|(key, value)| (key, value.as_ref()));
            follower.follow(mark.sequence, || writer.apply(&mut rows, version, mark))?;
        }
        pages.mark.promise_more(|promise| promise.acknowledged = mark.sequence)?;
        let journal = Journal::open(folder, mark.journal)?;
        file::sync_folder(folder)?;
        let patrol = Patrol::start(&pages, unchecked_from, file.options())?;
        let front =
            Front::new(journal, pages, Arc::clone(&readers), (mark.sequence, version), file.options());
        let front = Arc::new(front);
        let mover = Mover::start(&front, &readers, mark, Ended { writer, checkpointer, follower })?;
        let running = Running { mover, _patrol: patrol };
        Ok(Self { front, readers, running: Mutex::new(Some(running)), lock: Mutex::new(Some(lock)) })
    }

    /// Takes a data file that was put into a folder for what the store is: without this, a file that the store has not
    /// written itself is refused.
    pub fn adopt(folder: &Path) -> Result<(), StoreError> {
        let _lock = file::lock(folder)?;
        ground::adopt(folder)
    }

    /// The data file of a folder.
    pub fn data_file(folder: &Path) -> PathBuf {
        file::data_path(folder)
    }
}

#[async_trait]
impl Engine for Sqlite {
    async fn view(&self) -> Result<Arc<dyn View>, StoreError> {
        Ok(Arc::new(self.front.view().await?))
    }

    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.front.apply(batch)
    }

    async fn backup(&self, to: &Path, replace: &[(Key, Bytes)]) -> Result<Version, StoreError> {
        let front = Arc::clone(&self.front);
        read::on_own_thread(move || front.move_all()).await?;
        let view = self.readers.view().await?;
        let to = to.to_owned();
        // The copy has no part in this journal.
        let mark = Mark::random()?.encode();
        let replace = [replace, &[(meta::journal_key(), mark)]].concat();
        read::on_own_thread(move || {
            let version = view.version();
            view.with(|connection| copy::backup(connection, &to, &replace, version))?;
            Ok(version)
        })
        .await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let Some(Running { mover, .. }) = self.running.lock().take() else { return Ok(()) };
        let Ended { writer, checkpointer, follower } = mover.stop()?;
        checkpointer.stop();
        self.readers.close();
        // The log goes with the writer: what it was needed for must be durable, in the mark, too.
        let closed = follower.pages.mark.sync().and_then(|()| writer.close()).and_then(|()| self.front.end());
        // The folder is free once its lock file is closed.
        self.lock.lock().take();
        closed
    }
}
