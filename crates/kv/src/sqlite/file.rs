//! The data file and its folder: names, lock, connections and their settings, and what is said about
//! a file that is not ours.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::SqliteOptions;
use super::table::{self, ReadError};
use crate::error::StoreError;

/// Marks the file as ours in SQLite's header ("HKV1").
pub(super) const APPLICATION_ID: i32 = 0x484B_5631;
/// The layout of the tables; the store's own format is in its header row.
/// 2 has a journal beside the file, which programs that know 1 only would not read. 3 has checksums in the rows.
pub(super) const LAYOUT: u32 = 3;
pub(super) const PAGE_BYTES: u64 = 8192;

const DATA_FILE: &str = "store.sqlite";
const LOCK_FILE: &str = "store.lock";

/// Nothing but a crashed process's recovery makes one connection wait for another.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(5);
const STATEMENTS_MAX: usize = 16;

pub(super) fn data_path(folder: &Path) -> PathBuf {
    folder.join(DATA_FILE)
}

/// Takes the folder for this process. Freed when the file is closed, so also by `kill -9`.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| StoreError::io("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, &error)),
    }
}

/// Makes the file, if it is missing, for its owner's eyes only; SQLite gives its other files the same.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| StoreError::io("open", path, &error))?;
    Ok(())
}

/// Makes the folder, if it is missing, for its owner alone. One that is there keeps its rights: others may have been let in
/// on purpose.
pub(super) fn create_private_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| StoreError::io("create", folder, &error))
}

/// Removes the file, if it is there.
pub(super) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// The length of the file; `None` if it is not there.
pub(super) fn length(path: &Path) -> Result<Option<u64>, StoreError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read", path, &error)),
    }
}

/// What the beginning of a data file says of it.
pub(super) struct FileHeader {
    pub(super) layout: u32,
    pub(super) pages: u32,
}

/// Reads the beginning of a file; `None` if it is not one of ours.
pub(super) fn header(path: &Path) -> Result<Option<FileHeader>, StoreError> {
    let failed = |error: std::io::Error| StoreError::io("read", path, &error);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(100).read_to_end(&mut bytes)).map_err(failed)?;
    let number = |at: usize| {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    let (Some(pages), Some(layout), Some(application)) = (number(28), number(60), number(68)) else {
        return Ok(None);
    };
    let is_ours = bytes.starts_with(b"SQLite format 3\0") && application == APPLICATION_ID as u32;
    Ok(is_ours.then_some(FileHeader { layout, pages }))
}

/// Makes new names in the folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| StoreError::io("sync", folder, &error))
}

/// The data file, and how it is opened.
#[derive(Clone)]
pub(super) struct DataFile {
    path: Arc<PathBuf>,
    options: Arc<SqliteOptions>,
}

impl DataFile {
    pub(super) fn new(folder: &Path, options: SqliteOptions) -> Self {
        Self { path: Arc::new(data_path(folder)), options: Arc::new(options) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn options(&self) -> &SqliteOptions {
        &self.options
    }

    /// The write connection. Makes the file if there is none, and refuses one that is not ours.
    pub(super) fn open_for_writing(&self) -> Result<Connection, StoreError> {
        create_private(&self.path)?;
        let connection = self.connect()?;
        self.claim(&connection)?;
        self.set(&connection, self.options.writer_cache_bytes)?;
        Ok(connection)
    }

    pub(super) fn open_for_reading(&self) -> Result<Connection, StoreError> {
        let connection = self.connect()?;
        self.set(&connection, self.options.reader_cache_bytes)?;
        connection.pragma_update(None, "query_only", true).map_err(|error| self.explain(&error))?;
        Ok(connection)
    }

    pub(super) fn open_for_checkpoints(&self) -> Result<Connection, StoreError> {
        let connection = self.connect()?;
        self.set(&connection, 0)?;
        Ok(connection)
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(&*self.path, flags)?;
            connection.busy_timeout(BUSY_WAIT)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
            Ok(connection)
        };
        connect().map_err(|error| self.explain(&error))
    }

    /// Makes a new file ours, checks that an old one is.
    fn claim(&self, connection: &Connection) -> Result<(), StoreError> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let read = || {
            let objects = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
            Ok((number("application_id")?, number("user_version")?, objects))
        };
        let (application, layout, objects): (i64, i64, i64) = read().map_err(|error| self.explain(&error))?;
        if application == i64::from(APPLICATION_ID) {
            let found = u32::try_from(layout).unwrap_or(u32::MAX);
            if found > LAYOUT {
                return Err(StoreError::NewerFormat { found, known: LAYOUT });
            }
        } else if application != 0 || objects != 0 {
            let reason = format!("it is an SQLite file of another program (application id {application})");
            return Err(StoreError::Foreign { path: self.path.to_path_buf(), reason: reason.into() });
        }
        let claim = || {
            if objects == 0 {
                create(connection)?;
            }
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        };
        claim().map_err(|error| self.explain(&error))
    }

    fn set(&self, connection: &Connection, cache_bytes: usize) -> Result<(), StoreError> {
        let number = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let set = || {
            // A start that is refused changes nothing, not even by closing what it has opened.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "fullfsync", true)?;
            connection.pragma_update(None, "checkpoint_fullfsync", true)?;
            connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
            let wal_bytes = i64::try_from(self.options.wal_bytes_max).unwrap_or(i64::MAX);
            connection.pragma_update_and_check(None, "journal_size_limit", wal_bytes, |_| Ok(()))?;
            connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
            // A negative size counts KiB.
            connection.pragma_update(None, "cache_size", -number(cache_bytes / 1024).max(64))?;
            connection.pragma_update(None, "temp_store", "MEMORY")
        };
        set().map_err(|error| self.explain(&error))
    }

    /// Why a row cannot be read, in such words.
    pub(super) fn explain_read(&self, error: &ReadError) -> StoreError {
        match error {
            ReadError::Sqlite(error) => self.explain(error),
            ReadError::Damaged(reason) => {
                StoreError::Damaged { path: self.path.to_path_buf(), reason: reason.as_str().into() }
            }
        }
    }

    /// An SQLite failure in words that name the file and say what to do.
    pub(super) fn explain(&self, error: &rusqlite::Error) -> StoreError {
        explain(&self.path, error)
    }
}

/// Empty tables in an empty file.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    // The page size only takes effect before the first page is written.
    connection.pragma_update(None, "page_size", i64::try_from(PAGE_BYTES).unwrap_or_default())?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    table::create(connection)?;
    connection.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT}; COMMIT"
    ))
}

pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (path, reason) = (path.to_owned(), Arc::from(error.to_string()));
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { path, reason },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, reason },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            StoreError::Io { action: "open", path, reason }
        }
        _ => StoreError::engine(error),
    }
}
