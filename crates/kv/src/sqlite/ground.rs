//! What a store finds in its folder before it works: whether everything is there that was promised.
//!
//! Nothing is changed until that is known. What cannot be explained by a crash is reported as damage.

use std::path::Path;
use std::sync::Arc;

use super::file::{self, DataFile, LAYOUT, PAGE_BYTES};
use super::mark::{self, MarkFile, Promise};
use super::pages::{Follower, Pages};
use super::wal::{Log, Read};
use super::{journal, table, untouched, upgrade};
use crate::error::StoreError;
use crate::meta::{self, Mark};

/// A folder whose files are as they were written, as far as that was looked at.
pub(super) struct Ground {
    pages: Arc<Pages>,
    log: Log,
    logged: Read,
    is_new: bool,
    /// Pages from this one on were not looked at yet.
    pub(super) unchecked_from: u32,
}

impl Ground {
    /// Looks at the folder. Makes a mark for a new one.
    pub(super) fn examine(folder: &Path, file: &DataFile) -> Result<Self, StoreError> {
        let data = file.path();
        let length = file::length(data)?.unwrap_or_default();
        let header = if length > 0 { file::header(data)? } else { None };
        match header.as_ref().map(|header| header.layout) {
            Some(found) if found > LAYOUT => return Err(StoreError::NewerFormat { found, known: LAYOUT }),
            Some(1..LAYOUT) => upgrade::upgrade(folder)?,
            _ => {}
        }
        let mark = match MarkFile::open(folder)? {
            Some(mark) => mark,
            None if header.is_some_and(|header| header.layout >= LAYOUT) => {
                let reason = "it is missing; without it nobody knows whether the data file has all that was acknowledged";
                return Err(StoreError::damaged(&mark::path(folder), reason));
            }
            None => {
                if length > 0 {
                    // Another program's file is refused before anything is made beside it.
                    file.open_for_writing()?;
                } else {
                    refuse_remains(folder, data)?;
                }
                MarkFile::create(folder, Promise::default())?
            }
        };
        let promise = mark.promise();
        let (mut log, pages) = (Log::of(data), Pages::new(data, mark));
        let logged = log.advance(true)?;
        let is_new = promise.is_empty();
        let mut unchecked_from = 1;
        if !is_new {
            refuse_short(data, length, promise)?;
            pages.expect_in_log(&logged);
            let known = logged.pages.or(file::header(data)?.map(|header| header.pages)).unwrap_or_default();
            let count = u64::from(known).max(promise.file_bytes / PAGE_BYTES);
            let now = count.min(file.options().checked_at_start_bytes_max / PAGE_BYTES);
            unchecked_from = u32::try_from(now).unwrap_or(u32::MAX).saturating_add(1);
            pages.check_in_halves(1, unchecked_from)?;
        }
        Ok(Self { pages: Arc::new(pages), log, logged, is_new, unchecked_from })
    }

    pub(super) fn pages(&self) -> &Arc<Pages> {
        &self.pages
    }

    /// The newest batch that was acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.pages.mark.promise().acknowledged
    }

    /// Holds what the opened data file says of itself against the mark.
    pub(super) fn compare(&self, mark: Mark, data: &Path) -> Result<(), StoreError> {
        let promise = self.pages.mark.promise();
        if self.is_new {
            return Ok(());
        }
        if mark.journal != promise.journal {
            return Err(StoreError::damaged(
                data,
                "it is the data file of another store than store.mark was kept for",
            ));
        }
        refuse_behind(data, mark, promise)
    }

    /// Everything is there: from here on the mark is kept.
    pub(super) fn settle(mut self, mark: Mark, data: &Path) -> Result<Follower, StoreError> {
        if self.is_new {
            self.pages.adopt()?;
            self.log = Log::of(data);
            self.logged = self.log.advance(true)?;
        }
        self.pages.logged(&self.logged)?;
        self.pages.mark.promise_more(|promise| {
            promise.journal = mark.journal;
            promise.moved = mark.sequence;
        })?;
        if self.is_new {
            self.pages.mark.sync()?;
        }
        Ok(Follower { pages: self.pages, log: self.log })
    }
}

/// A data file must have all that was moved into it.
pub(super) fn refuse_behind(data: &Path, mark: Mark, promise: Promise) -> Result<(), StoreError> {
    if mark.sequence >= promise.moved {
        return Ok(());
    }
    let reason = format!(
        "it and its log (`{}`) have commits up to number {}, commits up to number {} were moved into it",
        Log::of(data).path().display(),
        mark.sequence,
        promise.moved
    );
    Err(StoreError::damaged(data, reason))
}

/// A folder without a data file must not have what only comes with one.
fn refuse_remains(folder: &Path, data: &Path) -> Result<(), StoreError> {
    let log = Log::of(data);
    let remains = journal::paths(folder).into_iter().chain([log.path().to_owned()]);
    for path in remains {
        let length = file::length(&path)?.unwrap_or_default();
        if length > 0 {
            let reason = format!(
                "it is missing or empty, and store.mark is missing, beside `{}` of {length} bytes",
                path.display()
            );
            return Err(StoreError::damaged(data, reason));
        }
    }
    Ok(())
}

pub(super) fn refuse_short(data: &Path, length: u64, promise: Promise) -> Result<(), StoreError> {
    if length >= promise.file_bytes.max(1) {
        return Ok(());
    }
    let reason = format!(
        "it is {length} bytes long, at least {} were written; commits up to number {} were moved into it",
        promise.file_bytes, promise.moved
    );
    Err(StoreError::damaged(data, reason))
}

/// Makes a mark for a data file that was put into the folder while no store had it open: what is there counts. A journal that
/// does not follow on it is put aside.
pub(super) fn adopt(folder: &Path) -> Result<(), StoreError> {
    let data = file::data_path(folder);
    let connection = untouched::open(&data)?;
    let stored = table::get(&connection, &meta::journal_key());
    let stored = stored.map_err(|error| StoreError::damaged(&data, error.to_string()))?;
    let mark = stored.map(|stored| Mark::decode(&stored)).transpose()?;
    let mark = mark.unwrap_or(Mark { journal: [0; 16], sequence: 0 });
    if let Err(StoreError::Damaged { .. }) = journal::unmoved(folder, mark, 0) {
        for path in journal::paths(folder) {
            let mut aside = path.as_os_str().to_owned();
            aside.push(".damaged");
            std::fs::rename(&path, aside).map_err(|error| StoreError::io("rename", &path, &error))?;
        }
    }
    let promise = Promise { journal: mark.journal, moved: mark.sequence, ..Promise::default() };
    let pages = Pages::new(&data, MarkFile::create(folder, promise)?);
    pages.adopt()?;
    pages.mark.sync()
}
