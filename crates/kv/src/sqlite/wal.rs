//! Reads SQLite's write-ahead log: which pages of the data file it has, and their checksums.
//!
//! Source: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Buf;

use super::file::PAGE_BYTES;
use super::mark::read_up_to;
use crate::error::StoreError;

const HEADER_LEN: usize = 32;
const FRAME_HEADER_LEN: usize = 24;
const FRAME_LEN: usize = FRAME_HEADER_LEN + PAGE_BYTES as usize;
/// The last bit says in which order the checksum takes the bytes of a word.
const MAGIC: u32 = 0x377F_0682;
/// Frames read at once.
const CHUNK_FRAMES: usize = 32;

/// The checksum that the mark keeps of a page. Never zero.
pub(super) fn page_sum(page: u32, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page.to_be_bytes());
    hasher.update(content);
    hasher.finalize().max(1)
}

/// Follows the log of one data file.
pub(super) struct Log {
    path: PathBuf,
    /// Which frames are of the log's present turn.
    salts: [u8; 8],
    /// Frames up to here were read: they end with a commit.
    frames: u64,
}

/// What was read of the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// The log was begun anew since the last time: the data file has all that was in it.
    pub(super) is_new: bool,
    /// The newest checksum of each page that has come.
    pub(super) sums: BTreeMap<u32, u32>,
    /// The length of the data file in pages after the last commit, if there was one.
    pub(super) pages: Option<u32>,
}

impl Log {
    /// The log that belongs to a data file. Nothing of it was read yet.
    pub(super) fn of(data_file: &Path) -> Self {
        let mut path = data_file.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), salts: [0; 8], frames: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Up to where it was read.
    pub(super) fn position(&self) -> ([u8; 8], u64) {
        (self.salts, self.frames)
    }

    /// Reads again from there on.
    pub(super) fn rewind(&mut self, position: ([u8; 8], u64)) {
        (self.salts, self.frames) = position;
    }

    /// Reads what was committed since the last time. With `check`, only up to the first frame whose checksum is wrong, as
    /// SQLite does after a crash; that must begin with the whole log.
    pub(super) fn advance(&mut self, check: bool) -> Result<Read, StoreError> {
        let failed = |error: std::io::Error| StoreError::io("read", &self.path, &error);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Read::default()),
            Err(error) => return Err(failed(error)),
        };
        let mut header = [0; HEADER_LEN];
        if read_up_to(&file, &mut header, 0).map_err(failed)? < HEADER_LEN {
            return Ok(Read::default());
        }
        let Some((salts, mut checksum)) = read_header(&header, check) else { return Ok(Read::default()) };
        let mut read = Read { is_new: salts != self.salts, ..Read::default() };
        if read.is_new {
            (self.salts, self.frames) = (salts, 0);
        }
        let mut pending = BTreeMap::new();
        let mut at = self.frames;
        let mut buffer = vec![0; CHUNK_FRAMES * FRAME_LEN];
        'reading: loop {
            let offset = HEADER_LEN as u64 + at * FRAME_LEN as u64;
            let length = read_up_to(&file, &mut buffer, offset).map_err(failed)?;
            for frame in buffer.get(..length).unwrap_or_default().chunks_exact(FRAME_LEN) {
                let Some(frame) = Frame::read(frame, &salts, check.then_some(&mut checksum)) else {
                    break 'reading;
                };
                at += 1;
                pending.insert(frame.page, page_sum(frame.page, frame.content));
                if frame.commit_pages > 0 {
                    read.sums.append(&mut pending);
                    read.pages = Some(frame.commit_pages);
                    self.frames = at;
                }
            }
            if length < buffer.len() {
                break;
            }
        }
        Ok(read)
    }
}

/// The log's salts and the checksum that its frames go on with. `None` if it is no log, or damaged.
fn read_header(header: &[u8; HEADER_LEN], check: bool) -> Option<([u8; 8], Checksum)> {
    let mut fields = &header[..];
    let (magic, _format, page_bytes, _turn) =
        (fields.get_u32(), fields.get_u32(), fields.get_u32(), fields.get_u32());
    let mut salts = [0; 8];
    fields.copy_to_slice(&mut salts);
    let mut checksum = Checksum { is_big_endian: magic & 1 == 1, words: (0, 0) };
    checksum.add(header.get(..24)?);
    let is_whole = checksum.words == (fields.get_u32(), fields.get_u32());
    (magic & !1 == MAGIC && u64::from(page_bytes) == PAGE_BYTES && (is_whole || !check))
        .then_some((salts, checksum))
}

struct Frame<'a> {
    page: u32,
    /// The length of the data file in pages, if the frame ends a transaction.
    commit_pages: u32,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    fn read(bytes: &'a [u8], salts: &[u8; 8], checksum: Option<&mut Checksum>) -> Option<Self> {
        let (mut header, content) = bytes.split_at_checked(FRAME_HEADER_LEN)?;
        let begin = header.get(..8)?;
        let (page, commit_pages) = (header.get_u32(), header.get_u32());
        let mut found = [0; 8];
        header.copy_to_slice(&mut found);
        if found != *salts || page == 0 {
            return None;
        }
        if let Some(checksum) = checksum {
            checksum.add(begin);
            checksum.add(content);
            if checksum.words != (header.get_u32(), header.get_u32()) {
                return None;
            }
        }
        Some(Self { page, commit_pages, content })
    }
}

/// The log's own checksum, which goes on from frame to frame.
struct Checksum {
    is_big_endian: bool,
    words: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.words;
        for pair in bytes.as_chunks::<8>().0 {
            let word = u64::from_le_bytes(*pair);
            // Two words of the file, the first in the lower half.
            let (mut a, mut b) = (word as u32, (word >> 32) as u32);
            if self.is_big_endian {
                (a, b) = (a.swap_bytes(), b.swap_bytes());
            }
            first = first.wrapping_add(a).wrapping_add(second);
            second = second.wrapping_add(b).wrapping_add(first);
        }
        self.words = (first, second);
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// A file with a log that has two transactions.
    fn two_transactions() -> (tempfile::TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;").unwrap();
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(v);").unwrap();
        connection.execute_batch("INSERT INTO t VALUES(zeroblob(50000));").unwrap();
        (folder, path, connection)
    }

    #[test]
    fn the_newest_content_of_each_page_is_what_a_checkpoint_copies() {
        let (_folder, path, connection) = two_transactions();
        let mut log = Log::of(&path);
        let read = log.advance(true).unwrap();
        assert!(read.is_new);
        assert_eq!(log.advance(false).unwrap(), Read::default());
        connection.execute_batch("UPDATE t SET v = zeroblob(90000)").unwrap();
        let more = log.advance(false).unwrap();
        assert!(!more.is_new && more.sums.len() > 5);
        let again = Log::of(&path).advance(true).unwrap();
        let mut all = read.sums;
        all.extend(more.sums);
        assert_eq!((all, more.pages), (again.sums.clone(), again.pages));
        connection.query_row("PRAGMA wal_checkpoint", [], |_| Ok(())).unwrap();
        let data = std::fs::read(&path).unwrap();
        assert_eq!(data.len() as u64, u64::from(again.pages.unwrap()) * PAGE_BYTES);
        for (page, sum) in again.sums {
            let begin = (page as usize - 1) * PAGE_BYTES as usize;
            assert_eq!(page_sum(page, &data[begin..begin + PAGE_BYTES as usize]), sum, "page {page}");
        }
        connection.execute_batch("DELETE FROM t").unwrap();
        assert!(log.advance(false).unwrap().is_new, "a log that was copied begins anew");
    }

    #[test]
    fn reading_ends_where_sqlite_ends() {
        let (_folder, path, _connection) = two_transactions();
        let whole = std::fs::read(Log::of(&path).path()).unwrap();
        for at in (0..whole.len()).step_by(997) {
            let folder = tempfile::tempdir().unwrap();
            let copy = folder.path().join("data");
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::copy(&path, &copy).unwrap();
            std::fs::write(Log::of(&copy).path(), damaged).unwrap();
            let read = Log::of(&copy).advance(true).unwrap();
            let connection = Connection::open(&copy).unwrap();
            let pages = || connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0));
            let in_file = u32::try_from(std::fs::metadata(&copy).unwrap().len() / PAGE_BYTES).unwrap();
            assert_eq!(pages().ok(), Some(read.pages.unwrap_or(in_file)), "byte {at}");
        }
    }
}
