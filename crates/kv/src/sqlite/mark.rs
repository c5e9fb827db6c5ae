//! The mark: what must be there, kept outside of the files that it is about.
//!
//! `store.mark` says up to which batch commits were acknowledged and up to which the data file has them, and has a
//! checksum of every page of the data file. A file that is cut, emptied, missing, replaced by an older copy or has a
//! flipped bit disagrees with it, and the store does not open.
//!
//! | offset | what |
//! |---|---|
//! | 0, 4096 | two slots for [`Promise`], written in turns: magic, CRC-32 of the rest, counter, promise |
//! | 8192 | the CRC-32 of each page, 4 bytes, and its number; zero: nothing is known of it |
//!
//! A slot is written without a sync when a group of commits is durable, so it costs no more than a system call. It survives
//! the death of the process. After a power cut it may be as old as the newest [`MarkFile::sync`], which precedes every
//! move of rows into the data file.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut};
use parking_lot::Mutex;

use super::file;
use crate::error::StoreError;

const NAME: &str = "store.mark";
const MAGIC: u32 = 0x484D_4B31;
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
const SLOT_LEN: usize = 64;
const SUMS_OFFSET: u64 = 8192;
const SUM_LEN: u64 = 4;

/// What the store has promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Promise {
    /// Which journal belongs to the data file.
    pub(super) journal: [u8; 16],
    /// The newest batch that was acknowledged.
    pub(super) acknowledged: u64,
    /// The newest batch that was moved into the data file.
    pub(super) moved: u64,
    /// The data file was that long: it never gets shorter.
    pub(super) file_bytes: u64,
}

impl Promise {
    /// The store was not opened yet, so nothing can be missing.
    pub(super) fn is_empty(&self) -> bool {
        self.journal == [0; 16]
    }
}

/// The open file.
pub(super) struct MarkFile {
    path: PathBuf,
    file: File,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    counter: u64,
    promise: Promise,
}

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

impl MarkFile {
    /// The mark of a folder, if it has one.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = path(folder);
        let file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open", &path, &error)),
        };
        let newest = SLOT_OFFSETS.iter().filter_map(|offset| read_slot(&file, *offset));
        let Some(state) = newest.max_by_key(|state| state.counter) else {
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            let reason =
                format!("neither of its two slots at 0 and 4096 is whole; it is {length} bytes long");
            return Err(StoreError::damaged(&path, reason));
        };
        Ok(Some(Self { path, file, state: Mutex::new(state) }))
    }

    /// A new mark in the place of one that may be there.
    pub(super) fn create(folder: &Path, promise: Promise) -> Result<Self, StoreError> {
        let path = path(folder);
        let partial = folder.join("store.mark.partial");
        let made = (|| {
            file::remove_if_there(&partial)?;
            file::create_private(&partial)?;
            let file = File::options().read(true).write(true).open(&partial);
            let file = file.map_err(|error| StoreError::io("open", &partial, &error))?;
            let mark = Self { path: path.clone(), file, state: Mutex::default() };
            mark.change(|state| state.promise = promise)?;
            mark.change(|_| {})?;
            mark.file.set_len(SUMS_OFFSET).map_err(|error| StoreError::io("write", &partial, &error))?;
            mark.sync()?;
            Ok(mark)
        })()?;
        std::fs::rename(&partial, &path).map_err(|error| StoreError::io("create", &path, &error))?;
        file::sync_folder(folder)?;
        Ok(made)
    }

    pub(super) fn promise(&self) -> Promise {
        self.state.lock().promise
    }

    /// Changes the promise. Not synced.
    pub(super) fn promise_more(&self, change: impl FnOnce(&mut Promise)) -> Result<(), StoreError> {
        self.change(|state| change(&mut state.promise))
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let mut next = *state;
        next.counter += 1;
        change(&mut next);
        let [first, second] = SLOT_OFFSETS;
        let offset = if next.counter.is_multiple_of(2) { first } else { second };
        let written = self.file.write_all_at(&encode(&next), offset);
        written.map_err(|error| StoreError::io("write", &self.path, &error))?;
        *state = next;
        Ok(())
    }

    /// Makes what was written survive a power cut.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| StoreError::io("sync", &self.path, &error))
    }

    /// Keeps the checksums of these pages. Not synced.
    pub(super) fn put_sums(&self, sums: &BTreeMap<u32, u32>) -> Result<(), StoreError> {
        let mut run: Vec<u8> = Vec::new();
        let mut begin = 0;
        let write = |run: &mut Vec<u8>, begin: u32| {
            let written = self.file.write_all_at(run, offset_of(begin));
            run.clear();
            written.map_err(|error| StoreError::io("write", &self.path, &error))
        };
        for (page, sum) in sums {
            let next = u64::from(begin) + run.len() as u64 / SUM_LEN;
            if !run.is_empty() && next != u64::from(*page) {
                write(&mut run, begin)?;
            }
            if run.is_empty() {
                begin = *page;
            }
            run.put_u32(*sum);
        }
        write(&mut run, begin)
    }

    /// The checksums of pages from one on; zero where none is kept.
    pub(super) fn sums(&self, first: u32, count: usize) -> Result<Vec<u32>, StoreError> {
        let mut bytes = vec![0; count * SUM_LEN as usize];
        let read = read_up_to(&self.file, &mut bytes, offset_of(first));
        read.map_err(|error| StoreError::io("read", &self.path, &error))?;
        let mut rest = &bytes[..];
        Ok((0..count).map(|_| rest.try_get_u32().unwrap_or_default()).collect())
    }
}

/// Where a page's checksum is; pages count from one.
fn offset_of(page: u32) -> u64 {
    SUMS_OFFSET + u64::from(page.saturating_sub(1)) * SUM_LEN
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn encode(state: &State) -> Vec<u8> {
    let mut out = Vec::with_capacity(SLOT_LEN);
    out.put_u32(MAGIC);
    out.put_u32(0);
    out.put_u64(state.counter);
    out.put_slice(&state.promise.journal);
    out.put_u64(state.promise.acknowledged);
    out.put_u64(state.promise.moved);
    out.put_u64(state.promise.file_bytes);
    out.resize(SLOT_LEN, 0);
    let sum = crc32fast::hash(out.get(8..).unwrap_or_default());
    if let Some(place) = out.get_mut(4..8) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    out
}

fn read_slot(file: &File, offset: u64) -> Option<State> {
    let mut slot = [0; SLOT_LEN];
    file.read_exact_at(&mut slot, offset).ok()?;
    let mut rest = &slot[..];
    let (magic, sum) = (rest.get_u32(), rest.get_u32());
    if magic != MAGIC || sum != crc32fast::hash(rest) {
        return None;
    }
    let counter = rest.get_u64();
    let mut journal = [0; 16];
    rest.copy_to_slice(&mut journal);
    let (acknowledged, moved, file_bytes) = (rest.get_u64(), rest.get_u64(), rest.get_u64());
    Some(State { counter, promise: Promise { journal, acknowledged, moved, file_bytes } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(acknowledged: u64) -> Promise {
        Promise { journal: [7; 16], acknowledged, moved: 3, file_bytes: 8192 }
    }

    #[test]
    fn a_slot_that_is_damaged_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        assert!(MarkFile::open(folder.path()).unwrap().is_none());
        let mark = MarkFile::create(folder.path(), promise(1)).unwrap();
        for batch in 2..=9 {
            mark.promise_more(|promise| promise.acknowledged = batch).unwrap();
        }
        let whole = std::fs::read(path(folder.path())).unwrap();
        let mut seen = Vec::new();
        for at in (0..64).chain(4096..4096 + 64) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            std::fs::write(path(folder.path()), damaged).unwrap();
            seen.push(MarkFile::open(folder.path()).unwrap().unwrap().promise().acknowledged);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [8, 9]);
        std::fs::write(path(folder.path()), b"").unwrap();
        assert!(matches!(MarkFile::open(folder.path()), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn checksums_are_kept_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let mark = MarkFile::create(folder.path(), promise(1)).unwrap();
        mark.put_sums(&[(1, 11), (2, 12), (5, 15), (6, 16)].into()).unwrap();
        mark.put_sums(&[(2, 22)].into()).unwrap();
        mark.put_sums(&BTreeMap::new()).unwrap();
        assert_eq!(mark.sums(1, 8).unwrap(), [11, 22, 0, 0, 15, 16, 0, 0]);
        assert_eq!(mark.sums(6, 1).unwrap(), [16]);
        assert_eq!(mark.promise(), promise(1));
    }
}
