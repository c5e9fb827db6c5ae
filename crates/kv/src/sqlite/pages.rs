//! Whether the data file is as it was written: its pages against the checksums that the mark keeps.
//!
//! A store is opened when all of a file up to a certain length was looked at; what is beyond, and all of it again once a
//! day, is looked at while the store works. Pages that are in the write-ahead log are checked by SQLite when it reads the log
//! after a crash, and by this when they were copied into the file.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::SqliteOptions;
use super::file::PAGE_BYTES;
use super::mark::{MarkFile, read_up_to};
use super::wal::{Log, Read, page_sum};
use crate::error::StoreError;

/// Pages read at once.
const CHUNK_PAGES: u32 = 64;
/// SQLite never writes the page that holds this byte: file locks are taken there.
const LOCK_BYTE: u64 = 1 << 30;

/// The data file's pages and what is known of them.
pub(super) struct Pages {
    path: PathBuf,
    pub(super) mark: MarkFile,
    /// Pages in the log, which may be newer than in the file.
    in_log: Mutex<BTreeSet<u32>>,
    /// Held while rows are moved: meanwhile pages and their checksums may disagree.
    quiet: Mutex<()>,
    /// What was found while the store worked. From then on nothing is read or written.
    fault: OnceLock<StoreError>,
}

/// A page that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPage {
    pub(super) page: u32,
    pub(super) expected: u32,
    /// `None`: the file ends before it.
    pub(super) found: Option<u32>,
}

impl BadPage {
    pub(super) fn describe(&self) -> String {
        let Self { page, expected, found } = self;
        let offset = u64::from(page.saturating_sub(1)) * PAGE_BYTES;
        match found {
            Some(found) => format!(
                "page {page} at offset {offset}: its checksum is {found:08x}, store.mark has {expected:08x}"
            ),
            None => format!("page {page} at offset {offset} is missing: the file ends before it"),
        }
    }
}

impl Pages {
    pub(super) fn new(data_file: &Path, mark: MarkFile) -> Self {
        Self {
            path: data_file.to_owned(),
            mark,
            in_log: Mutex::default(),
            quiet: Mutex::default(),
            fault: OnceLock::new(),
        }
    }

    /// Why nothing may be read any more, if so.
    pub(super) fn fault(&self) -> Result<(), StoreError> {
        self.fault.get().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// The log has these pages: what the file has of them does not count.
    pub(super) fn expect_in_log(&self, read: &Read) {
        self.in_log.lock().extend(read.sums.keys());
    }

    /// Takes the file as it is for right.
    pub(super) fn adopt(&self) -> Result<(), StoreError> {
        let opened = File::open(&self.path);
        let file = opened.map_err(|error| StoreError::io("open", &self.path, &error))?;
        let page_len = PAGE_BYTES as usize;
        let mut buffer = vec![0; CHUNK_PAGES as usize * page_len];
        let mut first = 1;
        loop {
            let read = read_up_to(&file, &mut buffer, u64::from(first - 1) * PAGE_BYTES);
            let read = read.map_err(|error| StoreError::io("read", &self.path, &error))?;
            let whole = buffer.get(..read).unwrap_or_default().chunks_exact(page_len);
            self.mark.put_sums(
                &(first..).zip(whole).map(|(page, content)| (page, page_sum(page, content))).collect(),
            )?;
            if read < buffer.len() {
                return Ok(());
            }
            first += CHUNK_PAGES;
        }
    }

    /// Takes over what was written into the log.
    pub(super) fn logged(&self, read: &Read) -> Result<(), StoreError> {
        {
            let mut in_log = self.in_log.lock();
            if read.is_new {
                in_log.clear();
            }
            // First, so that whoever sees the new checksum knows why the file may not have the page yet.
            in_log.extend(read.sums.keys());
        }
        self.mark.put_sums(&read.sums)
    }

    /// The length of the file in pages.
    pub(super) fn in_file(&self) -> Result<u32, StoreError> {
        let metadata = std::fs::metadata(&self.path);
        let bytes = metadata.map_err(|error| StoreError::io("read", &self.path, &error))?.len();
        Ok(u32::try_from(bytes / PAGE_BYTES).unwrap_or(u32::MAX))
    }

    /// Looks at the pages from one on before another; ends with the first that is bad.
    pub(super) fn check(&self, from: u32, before: u32) -> Result<(), StoreError> {
        match self.bad_pages(from, before, 1)?.first() {
            Some(bad) => Err(StoreError::damaged(&self.path, bad.describe())),
            None => Ok(()),
        }
    }

    /// The same with half of the pages on a thread of its own: what a start waits for.
    pub(super) fn check_in_halves(&self, from: u32, before: u32) -> Result<(), StoreError> {
        let middle = from.saturating_add(before.saturating_sub(from) / 2);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("kv-check".to_owned());
            let second = thread.spawn_scoped(scope, || self.check(middle, before));
            let second = second.map_err(|error| StoreError::engine(format_args!("no check: {error}")))?;
            self.check(from, middle)?;
            let interrupted = |_| Err(StoreError::engine(format_args!("the check of pages was interrupted")));
            second.join().unwrap_or_else(interrupted)
        })
    }

    /// The first bad pages from one on before another.
    pub(super) fn bad_pages(
        &self,
        from: u32,
        before: u32,
        bad_max: usize,
    ) -> Result<Vec<BadPage>, StoreError> {
        let opened = File::open(&self.path);
        let file = opened.map_err(|error| StoreError::io("open", &self.path, &error))?;
        let mut bad = Vec::new();
        let mut first = from.max(1);
        let mut buffer = Vec::new();
        while first < before && bad.len() < bad_max {
            let count = CHUNK_PAGES.min(before - first);
            for suspect in self.suspects(&file, &mut buffer, first, count)? {
                bad.extend(self.look_again(&file, &mut buffer, suspect)?);
            }
            first += count;
        }
        bad.truncate(bad_max);
        Ok(bad)
    }

    fn suspects(
        &self,
        file: &File,
        buffer: &mut Vec<u8>,
        first: u32,
        count: u32,
    ) -> Result<Vec<BadPage>, StoreError> {
        let page_len = PAGE_BYTES as usize;
        buffer.resize(count as usize * page_len, 0);
        let offset = u64::from(first - 1) * PAGE_BYTES;
        let read = read_up_to(file, buffer, offset);
        let read = read.map_err(|error| StoreError::io("read", &self.path, &error))?;
        buffer.iter_mut().skip(read).for_each(|byte| *byte = 0);
        let sums = self.mark.sums(first, count as usize)?;
        let pages = (first..).zip(buffer.chunks(page_len)).zip(sums).enumerate();
        let bad = pages.filter_map(|(n, ((page, content), expected))| {
            let found = ((n + 1) * page_len <= read).then(|| page_sum(page, content));
            if found == Some(expected) || self.is_never_written(page, expected, content) {
                return None;
            }
            Some(BadPage { page, expected, found })
        });
        Ok(bad.collect())
    }

    /// Nothing is known of a page that was given back before it was ever written, nor of that for locks.
    fn is_never_written(&self, page: u32, expected: u32, content: &[u8]) -> bool {
        let is_for_locks = u64::from(page) == LOCK_BYTE / PAGE_BYTES + 1;
        expected == 0 && (is_for_locks || content.iter().all(|byte| *byte == 0))
    }

    /// A page is not bad while it is in the log, nor when it was merely written while it was read.
    fn look_again(
        &self,
        file: &File,
        buffer: &mut Vec<u8>,
        suspect: BadPage,
    ) -> Result<Option<BadPage>, StoreError> {
        let _quiet = self.quiet.lock();
        if self.in_log.lock().contains(&suspect.page) {
            return Ok(None);
        }
        Ok(self.suspects(file, buffer, suspect.page, 1)?.pop())
    }
}

/// Keeps the mark true for a data file that is written through the log.
pub(super) struct Follower {
    pub(super) pages: Arc<Pages>,
    pub(super) log: Log,
}

impl Follower {
    /// Moves rows into the data file, up to a batch, and keeps the mark.
    pub(super) fn follow(
        &mut self,
        sequence: u64,
        write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let _moving = self.pages.quiet.lock();
        // The log may begin anew with what is written now. Then the mark of what was in it must be durable.
        let file_bytes = u64::from(self.pages.in_file()?) * PAGE_BYTES;
        self.pages.mark.promise_more(|promise| promise.file_bytes = promise.file_bytes.max(file_bytes))?;
        self.pages.mark.sync()?;
        write()?;
        let position = self.log.position();
        let kept = self.log.advance(false).and_then(|read| self.pages.logged(&read));
        if kept.is_err() {
            self.log.rewind(position);
        }
        kept?;
        self.pages.mark.promise_more(|promise| promise.moved = sequence)
    }
}

/// The thread that looks at the data file while the store works.
pub(super) struct Patrol {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Patrol {
    /// Begins with the pages from one on, without a pause; rounds over all follow.
    pub(super) fn start(pages: &Arc<Pages>, from: u32, options: &SqliteOptions) -> Result<Self, StoreError> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let pause = Duration::from_millis(options.check_interval_ms);
        let per_second = options.checked_per_second_bytes_max.max(1) as f64;
        let pace = (u64::from(CHUNK_PAGES) * PAGE_BYTES) as f64 / per_second;
        let thread = std::thread::Builder::new().name("kv-patrol".to_owned()).spawn({
            let (pages, stop) = (Arc::clone(pages), Arc::clone(&stop));
            move || patrol(&pages, from, pause, Duration::from_secs_f64(pace), &stop)
        });
        let thread = thread.map_err(|error| StoreError::engine(format_args!("no patrol: {error}")))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Patrol {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell, and a panic in it was reported by its hook.
            let _ = thread.join();
        }
    }
}

fn patrol(pages: &Pages, from: u32, pause: Duration, pace: Duration, stop: &(Mutex<bool>, Condvar)) {
    let rest = |time: Duration| {
        let mut stopped = stop.0.lock();
        let until = Instant::now() + time;
        while !*stopped && !stop.1.wait_until(&mut stopped, until).timed_out() {}
        *stopped
    };
    let mut next = from;
    let mut is_hurried = true;
    loop {
        let end = pages.in_file().unwrap_or_default().saturating_add(1);
        while next < end {
            let before = end.min(next + CHUNK_PAGES);
            if let Err(error) = pages.check(next, before) {
                tracing::error!(%error, "the data file is damaged: the store answers nothing any more");
                let _ = pages.fault.set(error);
                return;
            }
            next = before;
            if rest(if is_hurried { Duration::ZERO } else { pace }) {
                return;
            }
        }
        (next, is_hurried) = (1, false);
        if rest(pause) {
            return;
        }
    }
}
