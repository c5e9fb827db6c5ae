//! Backups: a new, complete data file in one piece, without a write-ahead log beside it.
//!
//! The copy is written under another name and gets its own only when it is complete and synced.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::file;
use super::table::Rows;
use crate::error::StoreError;
use crate::key::Key;
use crate::meta;
use crate::version::Version;

/// A data file that is being written.
pub(crate) struct NewFile {
    connection: Connection,
    partial: PathBuf,
    to: PathBuf,
}

impl NewFile {
    /// Starts an empty file. Refuses a name that is taken.
    pub(crate) fn create(to: &Path) -> Result<Self, StoreError> {
        let new = Self::open(to)?;
        file::create(&new.connection).map_err(|error| new.explain(&error))?;
        Ok(new)
    }

    fn open(to: &Path) -> Result<Self, StoreError> {
        if to.exists() {
            return Err(StoreError::Exists { path: to.to_owned() });
        }
        let mut partial = to.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        file::remove_if_there(&partial)?;
        file::create_private(&partial)?;
        let connection = Connection::open_with_flags(&partial, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = connection.map_err(|error| file::explain(&partial, &error))?;
        Ok(Self { connection, partial, to: to.to_owned() })
    }

    /// Adds or replaces rows.
    pub(crate) fn add(&mut self, rows: &[(Key, Bytes)]) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let mut table = Rows::of(&transaction)?;
            for (key, value) in rows {
                table.put(key, value)?;
            }
            drop(table);
            transaction.commit()
        };
        write(&mut self.connection).map_err(|error| file::explain(&self.partial, &error))
    }

    /// Gives the file its version and its name.
    pub(crate) fn finish(mut self, version: Version) -> Result<(), StoreError> {
        self.add(&[(meta::version_key(), Bytes::copy_from_slice(&version.to_bytes()))])?;
        let Self { connection, partial, to } = self;
        // As the store has it, so that opening the file does not change it. Closing leaves no log.
        connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
            .map_err(|error| file::explain(&partial, &error))?;
        connection.close().map_err(|(_, error)| file::explain(&partial, &error))?;
        let synced = std::fs::File::open(&partial).and_then(|copy| copy.sync_all());
        synced.map_err(|error| StoreError::io("sync", &partial, &error))?;
        // Unlike a rename, a link fails if the name was taken meanwhile.
        std::fs::hard_link(&partial, &to)
            .and_then(|()| std::fs::remove_file(&partial))
            .map_err(|error| StoreError::io("create", &to, &error))?;
        match to.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => file::sync_folder(folder),
            _ => file::sync_folder(Path::new(".")),
        }
    }

    fn explain(&self, error: &rusqlite::Error) -> StoreError {
        file::explain(&self.partial, error)
    }
}

/// Copies what a held read transaction sees.
pub(super) fn backup(
    from: &Connection,
    to: &Path,
    replace: &[(Key, Bytes)],
    version: Version,
) -> Result<(), StoreError> {
    let mut new = NewFile::open(to)?;
    let partial = new.partial.clone();
    let explain = |error| file::explain(&partial, &error);
    let copy = Backup::new(from, &mut new.connection).map_err(explain)?;
    // In one step: the source's transaction does not change, so nothing is gained by pausing.
    while copy.step(-1).map_err(explain)? != rusqlite::backup::StepResult::Done {}
    drop(copy);
    new.add(replace)?;
    new.finish(version)
}
