//! Restoring a backup: a data folder of its own, as the store was at any version that the backup's change log reaches.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::mark;
use super::table::{self, ReadError, Rows};
use super::verify::{Report, verify};
use super::wal::Log;
use super::{file, ground, journal, untouched};
use crate::change::Change;
use crate::error::StoreError;
use crate::key::Key;
use crate::meta::{self, Floor, Header, Mark};
use crate::row::Row;
use crate::scan::Scan;
use crate::version::Version;

const ENTRIES: Scan = Scan { reverse: true, rows_max: 256, bytes_max: 8 << 20 };

/// What states of the store a backup can bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The oldest version.
    pub oldest: Version,
    /// The newest.
    pub newest: Version,
}

/// What states a backup's file reaches.
pub fn reach(backup: &Path) -> Result<Reach, StoreError> {
    let connection = untouched::open(backup)?;
    Copy { connection: &connection, path: backup }.reach()
}

/// Makes a data folder of a backup's file, as the store was at a version, and looks at all of it before it is in its place. The
/// store gets an epoch of its own, so that nobody resumes a feed of another on it.
pub fn restore(backup: &Path, folder: &Path, at: Option<Version>) -> Result<Report, StoreError> {
    let data = file::data_path(folder);
    let of_a_store =
        journal::paths(folder).into_iter().chain([data.clone(), Log::of(&data).path().to_owned()]);
    for path in of_a_store {
        if file::length(&path)?.is_some() {
            return Err(StoreError::Exists { path });
        }
    }
    let mut staging = folder.as_os_str().to_owned();
    staging.push(".restoring");
    let staging = Path::new(&staging);
    if staging.exists() {
        std::fs::remove_dir_all(staging).map_err(|error| StoreError::io("remove", staging, &error))?;
    }
    file::create_private_folder(staging)?;
    let copy = file::data_path(staging);
    file::create_private(&copy)?;
    let copied = std::fs::copy(backup, &copy);
    copied.map_err(|error| StoreError::io("write", &copy, &error))?;
    set_back(&copy, at)?;
    ground::adopt(staging)?;
    let report = verify(staging)?;
    if let Some(finding) = report.findings.first() {
        return Err(StoreError::damaged(&finding.path, &finding.reason));
    }
    file::create_private_folder(folder)?;
    // The mark first: without its data file it says that something is missing.
    for (from, to) in [(mark::path(staging), mark::path(folder)), (copy, data)] {
        std::fs::rename(&from, &to).map_err(|error| StoreError::io("create", &to, &error))?;
    }
    file::sync_folder(folder)?;
    std::fs::remove_dir_all(staging).map_err(|error| StoreError::io("remove", staging, &error))?;
    Ok(report)
}

/// Sets a file back to a version and makes it a store of its own.
fn set_back(path: &Path, at: Option<Version>) -> Result<(), StoreError> {
    let explain = |error: rusqlite::Error| file::explain(path, &error);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(explain)?;
    // Nobody needs the file unless all of this ends well.
    connection.pragma_update(None, "synchronous", "OFF").map_err(explain)?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(explain)?;
    let copy = Copy { connection: &connection, path };
    if let Some(at) = at {
        copy.undo(at)?;
    }
    let (header, journal) = (Header::random()?, Mark::random()?);
    copy.put(&meta::header_key(), &header.encode())?;
    copy.put(&meta::journal_key(), &journal.encode())?;
    connection.execute_batch("COMMIT").map_err(explain)?;
    connection.close().map_err(|(_, error)| explain(error))?;
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| StoreError::io("sync", path, &error))
}

/// A backup's file under work.
struct Copy<'a> {
    connection: &'a Connection,
    path: &'a Path,
}

impl Copy<'_> {
    fn reach(&self) -> Result<Reach, StoreError> {
        let floor = self.get(&meta::floor_key())?;
        let floor =
            floor.ok_or_else(|| StoreError::damaged(self.path, "the row of the log's floor is missing"))?;
        let newest = self.get(&meta::version_key())?.and_then(|stored| Version::from_bytes(&stored));
        let newest =
            newest.ok_or_else(|| StoreError::damaged(self.path, "the row of its version is missing"))?;
        Ok(Reach { oldest: Floor::decode(&floor)?.version, newest })
    }

    /// Takes back every commit after a version, the newest first.
    fn undo(&self, at: Version) -> Result<(), StoreError> {
        let Reach { oldest, newest } = self.reach()?;
        if at < oldest {
            return Err(StoreError::TooOld { asked: at, oldest });
        }
        if at > newest {
            return Err(StoreError::Future { asked: at, newest });
        }
        let mut rest = Some(meta::log_range(at, newest));
        while let Some(range) = rest.take() {
            let slice =
                table::scan(self.connection, &range, ENTRIES).map_err(|error| self.explain(&error))?;
            for (key, entry) in &slice.rows {
                let change = Change::decode(meta::log_version(key)?, entry.clone())?;
                for row in change.rows {
                    match row.before {
                        Some(before) => self.put(&row.key, &Row::encode(before.version, &before.value))?,
                        None => self.delete(&row.key)?,
                    }
                }
                self.delete(key)?;
            }
            rest = slice.rows.last().filter(|_| slice.more).map(|(last, _)| range.beyond(last, true));
        }
        let kept = Scan { rows_max: 1, ..ENTRIES };
        let kept = table::scan(self.connection, &meta::log_range(oldest, at), kept);
        let kept = kept.map_err(|error| self.explain(&error))?;
        let version = kept.rows.first().map_or(Ok(oldest), |(key, _)| meta::log_version(key))?;
        self.put(&meta::version_key(), &version.to_bytes())
    }

    fn get(&self, key: &Key) -> Result<Option<bytes::Bytes>, StoreError> {
        table::get(self.connection, key).map_err(|error| self.explain(&error))
    }

    fn put(&self, key: &Key, value: &[u8]) -> Result<(), StoreError> {
        let put = Rows::of(self.connection).and_then(|mut rows| rows.put(key, value));
        put.map_err(|error| file::explain(self.path, &error))
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let deleted = Rows::of(self.connection).and_then(|mut rows| rows.delete(key));
        deleted.map_err(|error| file::explain(self.path, &error))
    }

    fn explain(&self, error: &ReadError) -> StoreError {
        match error {
            ReadError::Sqlite(error) => file::explain(self.path, error),
            ReadError::Damaged(reason) => StoreError::damaged(self.path, reason),
        }
    }
}
