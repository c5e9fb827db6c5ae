//! The one connection that writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::checkpoint::{self, LogState, Progress};
use super::file::{self, DataFile, LAYOUT};
use super::read::Readers;
use super::table::{self, Rows};
use crate::error::StoreError;
use crate::key::Key;
use crate::meta::{self, Mark};
use crate::version::Version;

/// How long the next rows wait for snapshots to end when the log has reached its length, so that it can be
/// emptied. A log that is n times as long is worth n times the wait.
const DRAIN_WAIT_MS: u64 = 20;
const DRAIN_WAIT_MS_MAX: u64 = 1_000;
/// After a wait that did not help, rows are moved undisturbed for this many times its length.
const DRAIN_PAUSE_FACTOR: u32 = 5;

pub(super) struct Writer {
    connection: Connection,
    file: DataFile,
    progress: Arc<Progress>,
    drain_not_before: Instant,
}

impl Writer {
    pub(super) fn new(connection: Connection, file: &DataFile, progress: Arc<Progress>) -> Self {
        Self { connection, file: file.clone(), progress, drain_not_before: Instant::now() }
    }

    /// Which journal belongs to the file. A new file gets one.
    pub(super) fn mark(&mut self) -> Result<Mark, StoreError> {
        let read = |connection: &Connection| table::get(connection, &meta::journal_key());
        if let Some(stored) = read(&self.connection).map_err(|error| self.file.explain_read(&error))? {
            return Mark::decode(&stored);
        }
        let mark = Mark::random()?;
        let write = |connection: &Connection| {
            Rows::of(connection)?.put(&meta::journal_key(), &mark.encode())?;
            connection.pragma_update(None, "user_version", LAYOUT)
        };
        write(&self.connection).map_err(|error| self.file.explain(&error))?;
        Ok(mark)
    }

    /// The version of the file's newest rows.
    pub(super) fn version(&self) -> Result<Version, StoreError> {
        let stored = table::get(&self.connection, &meta::version_key());
        let stored = stored.map_err(|error| self.file.explain_read(&error))?;
        let version = stored.map_or(Some(Version::ZERO), |stored| Version::from_bytes(&stored));
        version.ok_or_else(StoreError::corrupt_version)
    }

    /// Writes rows in their order, in one transaction, together with how far they bring the file.
    pub(super) fn apply(
        &mut self,
        rows: &mut dyn Iterator<Item = (&Key, Option<&Bytes>)>,
        version: Version,
        mark: Mark,
    ) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut table = Rows::of(&transaction)?;
            for (key, value) in rows {
                match value {
                    Some(value) => table.put(key, value)?,
                    None => table.delete(key)?,
                }
            }
            table.put(&meta::version_key(), &version.to_bytes())?;
            table.put(&meta::journal_key(), &mark.encode())?;
            drop(table);
            transaction.commit()
        };
        write(&mut self.connection).map_err(|error| self.file.explain(&error))
    }

    /// Whether the log is long enough to be emptied, and little of it is left to be copied.
    pub(super) fn wal_is_full(&self) -> bool {
        let (bytes, left) = self.progress.wal_bytes();
        let max = self.file.options().wal_bytes_max;
        bytes > max
            && (left < max / 8 || bytes > max.saturating_mul(4))
            && Instant::now() >= self.drain_not_before
    }

    /// Empties the log between two transactions. Views opened once everything is copied read the file
    /// alone and are in nobody's way; those opened before are waited for.
    pub(super) fn drain_wal(&mut self, readers: &Readers) {
        let (bytes, _) = self.progress.wal_bytes();
        let wait =
            (DRAIN_WAIT_MS * (bytes / self.file.options().wal_bytes_max.max(1))).min(DRAIN_WAIT_MS_MAX);
        let wait = Duration::from_millis(wait);
        let deadline = Instant::now() + wait;
        let drained = checkpoint::copy_all(&self.connection, deadline).and_then(|copied| {
            readers.release();
            if copied { checkpoint::restart_log(&self.connection, deadline) } else { Ok(false) }
        });
        let busy = self.connection.busy_timeout(file::BUSY_WAIT);
        match drained.and_then(|drained| busy.map(|()| drained)) {
            Ok(true) => self.progress.set(LogState::default()),
            Ok(false) => self.drain_not_before = Instant::now() + wait * DRAIN_PAUSE_FACTOR,
            Err(error) => {
                self.drain_not_before = Instant::now() + wait * DRAIN_PAUSE_FACTOR;
                tracing::warn!(%error, "the write-ahead log could not be emptied");
            }
        }
    }

    /// Copies the log into the file and removes it, unless a snapshot still needs it.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let truncate = || {
            self.connection.busy_timeout(Duration::ZERO)?;
            self.connection.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))?;
            self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        };
        truncate().map_err(|error| self.file.explain(&error))?;
        self.connection.close().map_err(|(_, error)| self.file.explain(&error))
    }
}
