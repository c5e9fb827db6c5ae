//! Looks at everything in a data folder and changes nothing.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;

use super::mark::{self, MarkFile, Promise};
use super::pages::Pages;
use super::table::{self, ReadError};
use super::wal::Log;
use super::{file, ground, journal, untouched};
use crate::change::Change;
use crate::engine::Batch;
use crate::error::StoreError;
use crate::key::{Key, KeyRange, Keyspace};
use crate::meta::{self, Mark};
use crate::row::Row;
use crate::scan::Scan;
use crate::version::Version;

/// Findings of one kind that are listed.
const LISTED_MAX: usize = 100;
/// Changed keys whose newest change is held against the row.
const CHANGED_KEYS_MAX: usize = 4_000_000;
const ROWS: Scan = Scan { reverse: false, rows_max: 1024, bytes_max: 4 << 20 };

/// What [`verify`] looked at and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The newest commit that is there.
    pub version: Version,
    /// The change log is complete after it.
    pub oldest: Version,
    /// Pages of the data file that were held against their checksums.
    pub pages: u64,
    /// Rows that were held against theirs.
    pub rows: u64,
    /// Commits that are in the journal and not in the data file yet.
    pub journal_records: u64,
    /// Changed keys whose newest change was held against the row.
    pub changes: u64,
    /// What is not as it was written.
    pub findings: Vec<Finding>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// Where, what was expected and what was found.
    pub reason: String,
}

/// Looks at a folder that no process has open: the mark, every page, SQLite's own structure, every row, every record of the
/// journal, and whether change log and rows agree. Fails if it cannot look.
pub fn verify(folder: &Path) -> Result<Report, StoreError> {
    verify_with(folder, &[], &mut |_| ())
}

/// The same, and shows all rows of some keyspaces as the newest commit left them, in no order. A row that cannot be read is a
/// finding and not shown.
pub fn verify_with(
    folder: &Path,
    keyspaces: &[Keyspace],
    show: &mut dyn FnMut(Row),
) -> Result<Report, StoreError> {
    let _lock = file::lock(folder)?;
    let data = file::data_path(folder);
    let mut look = Look { folder, data: &data, report: Report::default() };
    let Some(pages) = look.pages()? else { return Ok(look.report) };
    let promise = pages.mark.promise();
    let connection = untouched::open(&data)?;
    look.structure(&connection);
    look.rows(&connection);
    let batches = look.journal(&connection, promise)?;
    if let Some(batches) = batches {
        look.changes(&connection, &batches)?;
        for keyspace in keyspaces {
            show_rows(&connection, &batches, *keyspace, show);
        }
    }
    Ok(look.report)
}

/// The rows of a keyspace: those of the data file, corrected by what is in the journal.
fn show_rows(
    connection: &Connection,
    batches: &[(u64, Batch)],
    keyspace: Keyspace,
    show: &mut dyn FnMut(Row),
) {
    let mut newer: BTreeMap<&Key, &Option<Bytes>> = BTreeMap::new();
    for (_, batch) in batches {
        newer.extend(batch.rows.iter().filter(|(key, _)| key.keyspace() == keyspace));
    }
    let mut one = |key: &Key, stored: &Bytes| {
        if let Ok(row) = Row::decode(key.clone(), stored.clone()) {
            show(row);
        }
    };
    for (key, stored) in &newer {
        if let Some(stored) = stored {
            one(key, stored);
        }
    }
    let mut rest = KeyRange::prefix(keyspace, b"");
    // What cannot be read was found already.
    while let Ok(slice) = table::scan(connection, &rest, ROWS) {
        for (key, stored) in slice.rows.iter().filter(|(key, _)| !newer.contains_key(key)) {
            one(key, stored);
        }
        match slice.rows.last() {
            Some((last, _)) if slice.more => rest = rest.beyond(last, false),
            _ => break,
        }
    }
}

struct Look<'a> {
    folder: &'a Path,
    data: &'a Path,
    report: Report,
}

impl Look<'_> {
    fn found(&mut self, path: &Path, reason: impl Into<String>) {
        self.report.findings.push(Finding { path: path.to_owned(), reason: reason.into() });
    }

    /// Keeps damage as a finding; other failures are failures.
    fn keep<T>(&mut self, outcome: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Damaged { path, reason } | StoreError::Foreign { path, reason }) => {
                self.found(&path, &*reason);
                Ok(None)
            }
            Err(StoreError::Corrupt { what }) => {
                let data = self.data.to_owned();
                self.found(&data, &*what);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The mark and every page. `None` if nothing more can be looked at.
    fn pages(&mut self) -> Result<Option<Pages>, StoreError> {
        let Some(length) = file::length(self.data)?.filter(|length| *length > 0) else {
            self.found(self.data, "it is missing or empty");
            return Ok(None);
        };
        let opened = MarkFile::open(self.folder);
        let Some(mark) = self.keep(opened)? else { return Ok(None) };
        let Some(mark) = mark else {
            self.found(&mark::path(self.folder), "it is missing");
            return Ok(None);
        };
        let promise = mark.promise();
        self.keep(ground::refuse_short(self.data, length, promise))?;
        let pages = Pages::new(self.data, mark);
        let logged = Log::of(self.data).advance(true)?;
        pages.expect_in_log(&logged);
        let in_header = file::header(self.data)?.map(|header| header.pages);
        let count = logged.pages.or(in_header).unwrap_or_default();
        let before = count.max(pages.in_file()?).saturating_add(1);
        // A store that was killed while it was made has kept no checksums yet.
        if !promise.is_empty() {
            self.report.pages = u64::from(before - 1);
            for bad in pages.bad_pages(1, before, LISTED_MAX)? {
                self.found(self.data, bad.describe());
            }
        }
        Ok(Some(pages))
    }

    /// SQLite's own look at its structure, and whether large values and the rows that hold them belong together.
    fn structure(&mut self, connection: &Connection) {
        let check = || -> rusqlite::Result<Vec<String>> {
            let mut select = connection.prepare(&format!("PRAGMA integrity_check({LISTED_MAX})"))?;
            let lines = select.query_map([], |row| row.get::<_, String>(0))?;
            let mut lines = lines.collect::<rusqlite::Result<Vec<_>>>()?;
            lines.retain(|line| line != "ok");
            let aside = connection.query_row(
                "SELECT (SELECT count(*) FROM kv WHERE typeof(v) = 'integer'), (SELECT count(*) FROM big)",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )?;
            if aside.0 != aside.1 {
                lines
                    .push(format!("{} rows have a large value, {} large values are there", aside.0, aside.1));
            }
            Ok(lines)
        };
        let lines = check().unwrap_or_else(|error| vec![format!("its structure cannot be read: {error}")]);
        for line in lines {
            self.found(self.data, line);
        }
    }

    /// Every row, in its order, against its checksum.
    fn rows(&mut self, connection: &Connection) {
        let mut last: Option<Key> = None;
        let mut findings = Vec::new();
        let mut count = 0;
        let mut look = || -> Result<(), ReadError> {
            let mut select = connection.prepare("SELECT k FROM kv ORDER BY k")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let stored =
                    row.get_ref(0)?.as_blob().map_err(|error| ReadError::Damaged(error.to_string()))?;
                let Some(key) = Key::from_stored(Bytes::copy_from_slice(stored)) else { continue };
                count += 1;
                if last.as_ref().is_some_and(|last| *last >= key) {
                    findings.push(format!("row `{key}` is not in its place"));
                }
                if let Err(error) = table::get(connection, &key) {
                    findings.push(error.to_string());
                }
                if findings.len() >= LISTED_MAX {
                    break;
                }
                last = Some(key);
            }
            Ok(())
        };
        if let Err(error) = look() {
            findings.push(format!("its rows cannot be read in their order: {error}"));
        }
        self.report.rows = count;
        for finding in findings {
            self.found(self.data, finding);
        }
    }

    /// The batches that the data file lacks, unless they are damaged.
    fn journal(
        &mut self,
        connection: &Connection,
        promise: Promise,
    ) -> Result<Option<Vec<(u64, Batch)>>, StoreError> {
        let stored = self.get(connection, &meta::journal_key())?;
        let Some(stored) = stored else { return Ok(None) };
        let mark = Mark::decode(&stored);
        let Some(mark) = self.keep(mark)? else { return Ok(None) };
        if !promise.is_empty() {
            self.keep(ground::refuse_behind(self.data, mark, promise))?;
        }
        let batches = self.keep(journal::unmoved(self.folder, mark, promise.acknowledged))?;
        self.report.journal_records = batches.as_ref().map_or(0, |batches| batches.len() as u64);
        Ok(batches)
    }

    fn get(&mut self, connection: &Connection, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let value = table::get(connection, key);
        let value = value.map_err(|error| StoreError::damaged(self.data, error.to_string()));
        Ok(self.keep(value)?.flatten())
    }

    /// Every row must be as the newest change of it in the change log left it.
    fn changes(&mut self, connection: &Connection, batches: &[(u64, Batch)]) -> Result<(), StoreError> {
        let mut newer: BTreeMap<&Key, &Option<Bytes>> = BTreeMap::new();
        for (_, batch) in batches {
            newer.extend(&batch.rows);
        }
        // What cannot be read was found already.
        let now = |key: &Key| match newer.get(key) {
            Some(value) => Ok((*value).clone()),
            None => table::get(connection, key),
        };
        let version = |stored: Option<Bytes>| stored.and_then(|stored| Version::from_bytes(stored.get(..8)?));
        self.report.oldest = version(now(&meta::floor_key()).unwrap_or_default()).unwrap_or_default();
        let in_file = version(now(&meta::version_key()).unwrap_or_default()).unwrap_or_default();
        self.report.version = batches.last().map_or(in_file, |(_, batch)| batch.version);
        let log = meta::log_range(self.report.oldest, Version(i64::MAX - 1));
        let (hasher, mut seen) = (RandomState::new(), HashSet::new());
        let mut entries: BTreeMap<Key, Bytes> = BTreeMap::new();
        for (key, value) in newer.iter().filter(|(key, _)| log.contains(key)) {
            entries.extend(value.as_ref().map(|value| ((*key).clone(), value.clone())));
        }
        for (key, entry) in entries.iter().rev() {
            self.change(key, entry.clone(), &mut |key| seen.insert(hasher.hash_one(key)), &now)?;
        }
        let mut rest = log;
        let scan = Scan { reverse: true, ..ROWS };
        while seen.len() < CHANGED_KEYS_MAX && self.report.findings.len() < LISTED_MAX {
            let Ok(slice) = table::scan(connection, &rest, scan) else { return Ok(()) };
            for (key, entry) in &slice.rows {
                if !newer.contains_key(key) {
                    self.change(key, entry.clone(), &mut |key| seen.insert(hasher.hash_one(key)), &now)?;
                }
            }
            match slice.rows.last() {
                Some((last, _)) if slice.more => rest = rest.beyond(last, true),
                _ => break,
            }
        }
        Ok(())
    }

    fn change(
        &mut self,
        at: &Key,
        entry: Bytes,
        is_newest: &mut dyn FnMut(&Key) -> bool,
        now: &dyn Fn(&Key) -> Result<Option<Bytes>, ReadError>,
    ) -> Result<(), StoreError> {
        let decoded = meta::log_version(at).and_then(|version| Change::decode(version, entry));
        let Some(change) = self.keep(decoded)? else { return Ok(()) };
        for row in change.rows.into_iter().filter(|row| is_newest(&row.key)) {
            self.report.changes += 1;
            let expected = row.after.map(|value| Row::encode(change.version, &value));
            if now(&row.key).is_ok_and(|found| found != expected) {
                let reason = format!("row `{}` is not as commit {} left it", row.key, change.version);
                self.found(self.data, reason);
            }
        }
        Ok(())
    }
}
