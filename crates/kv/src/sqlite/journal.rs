//! The journal: where a batch becomes durable, before the data file has it.
//!
//! Two files take turns. A batch is one record, appended and synced; when a file is long enough its rows are moved
//! into the data file while the other one takes the batches, and then it is written anew from its beginning. Files
//! that are overwritten in place need no change of their metadata, which makes a sync several times cheaper.
//!
//! A record is 32 bytes of header (magic, checksum, length of the body, number of the batch, version), then the rows,
//! padded to [`ALIGNMENT`]. The checksum begins with the journal's id, so that a record of another database is none.
//! Numbers rise by one from record to record: what is left of an earlier turn is told by its number.
//!
//! Invariant: a record is synced before the next is begun. So only the last may be torn, and a good record behind one
//! that is not good means damage, which is reported and never skipped. A last record that is not good was torn, and never
//! acknowledged, unless the mark says that it was.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::file;
use crate::engine::Batch;
use crate::error::StoreError;
use crate::key::Key;
use crate::meta::Mark;
use crate::version::Version;

const NAMES: [&str; 2] = ["store.journal-0", "store.journal-1"];
const MAGIC: u32 = 0x484A_4E31;
const HEADER_LEN: usize = 32;
const CHECKSUM_END: usize = 8;
const ALIGNMENT: usize = 64;
/// A file grows by this much at once, in zeros.
const GROWTH_BYTES: u64 = 4 << 20;
/// Memory for a record that is kept for the next.
const RECORD_BYTES_KEPT: usize = 1 << 20;

/// Where the journal of a folder lies.
pub(super) fn paths(folder: &Path) -> [PathBuf; 2] {
    NAMES.map(|name| folder.join(name))
}

/// The batches that the data file lacks, in their order. Those up to one must be there: they were acknowledged. Reads only.
pub(super) fn unmoved(folder: &Path, mark: Mark, acknowledged: u64) -> Result<Vec<(u64, Batch)>, StoreError> {
    let (mut batches, mut ends) = (Vec::new(), Vec::new());
    for path in paths(folder) {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::io("read", &path, &error)),
        };
        let is_missing = bytes.is_none();
        let mut records =
            Records { id: mark.journal, bytes: bytes.unwrap_or_default().into(), at: 0, last: None };
        let found = records.read(mark.sequence).map_err(|reason| StoreError::damaged(&path, reason))?;
        batches.extend(found);
        ends.push(End { path, is_missing, last: records.last, offset: records.at });
    }
    batches.sort_by_key(|(sequence, _)| *sequence);
    for ((sequence, _), expected) in batches.iter().zip(mark.sequence + 1..) {
        if *sequence != expected {
            return Err(incomplete(&ends, expected, *sequence - 1));
        }
    }
    let newest = batches.last().map_or(mark.sequence, |(sequence, _)| *sequence);
    if newest < acknowledged {
        return Err(incomplete(&ends, newest + 1, acknowledged));
    }
    Ok(batches)
}

/// Where the good records of a file end.
struct End {
    path: PathBuf,
    is_missing: bool,
    last: Option<u64>,
    offset: usize,
}

impl End {
    fn describe(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().display();
        match self.last {
            _ if self.is_missing => format!("{name} is missing"),
            None => format!("{name} has no good record"),
            Some(last) => {
                format!("{name} has good records up to commit {last}, which ends at offset {}", self.offset)
            }
        }
    }
}

/// Names the file that is missing or that the next record should be in.
fn incomplete(ends: &[End], from: u64, to: u64) -> StoreError {
    let Some(suspect) = ends.iter().max_by_key(|end| (end.is_missing, end.last)) else {
        return StoreError::Closed;
    };
    let ends: Vec<String> = ends.iter().map(End::describe).collect();
    let reason = format!(
        "commits {from} to {to} were acknowledged and are neither in the journal nor in the data file; {}",
        ends.join(", ")
    );
    StoreError::damaged(&suspect.path, reason)
}

/// The open journal.
pub(super) struct Journal {
    id: [u8; 16],
    files: [Segment; 2],
    current: usize,
    /// Reused from record to record.
    record: BytesMut,
    /// Nobody knows what of the last record is there. Nothing may follow it.
    broken: bool,
}

struct Segment {
    path: PathBuf,
    file: File,
    /// Where the next record goes.
    end: u64,
    /// How much of the file is written, with zeros or remains.
    allocated: u64,
}

impl Journal {
    /// Opens the files of a folder, making what is missing. They are written anew from their beginning, so what was
    /// [`unmoved`] must be in the data file before the first [`Journal::append`].
    pub(super) fn open(folder: &Path, id: [u8; 16]) -> Result<Self, StoreError> {
        let segment = |path: PathBuf| {
            file::create_private(&path)?;
            let opened = File::options().read(true).write(true).open(&path);
            let file = opened.map_err(|error| StoreError::io("open", &path, &error))?;
            let length = file.metadata().map_err(|error| StoreError::io("read", &path, &error))?.len();
            Ok(Segment { path, file, end: 0, allocated: length })
        };
        let [first, second] = paths(folder);
        let files = [segment(first)?, segment(second)?];
        Ok(Self { id, files, current: 0, record: BytesMut::new(), broken: false })
    }

    /// Makes a batch durable. When a sync has failed nothing can be appended until the journal is opened again: what is
    /// there of the record then counts, or does not.
    pub(super) fn append(&mut self, sequence: u64, batch: &Batch) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::engine("the journal could not be written; restart to go on"));
        }
        encode(&mut self.record, self.id, sequence, batch)?;
        let Some(segment) = self.files.get_mut(self.current) else { return Err(StoreError::Closed) };
        // What is written by half is written over by the next try; whether it is synced would remain unknown.
        let written = segment.write(&self.record).and_then(|()| {
            let synced = segment.file.sync_data();
            self.broken = synced.is_err();
            synced
        });
        if written.is_ok() {
            segment.end += self.record.len() as u64;
        }
        if self.record.capacity() > RECORD_BYTES_KEPT {
            self.record = BytesMut::new();
        }
        written.map_err(|error| StoreError::io("write", &segment.path, &error))
    }

    /// The length of the file that takes the batches.
    pub(super) fn bytes(&self) -> u64 {
        self.files.get(self.current).map_or(0, |segment| segment.end)
    }

    /// The other file takes the batches from now on, from its beginning: the data file must have all that is in it.
    pub(super) fn turn(&mut self) {
        self.current = 1 - self.current;
        if let Some(segment) = self.files.get_mut(self.current) {
            segment.end = 0;
        }
    }

    /// Removes the files: the data file must have everything.
    pub(super) fn remove(&self) -> Result<(), StoreError> {
        self.files.iter().try_for_each(|segment| {
            std::fs::remove_file(&segment.path)
                .map_err(|error| StoreError::io("remove", &segment.path, &error))
        })
    }
}

impl Segment {
    fn write(&mut self, record: &[u8]) -> std::io::Result<()> {
        let end = self.end + record.len() as u64;
        if end > self.allocated {
            let grown = end.next_multiple_of(GROWTH_BYTES);
            self.file.seek(SeekFrom::Start(self.allocated))?;
            std::io::copy(&mut std::io::repeat(0).take(grown - self.allocated), &mut self.file)?;
            self.allocated = grown;
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(record)
    }
}

/// Writes a batch's record over what `out` held.
fn encode(out: &mut BytesMut, id: [u8; 16], sequence: u64, batch: &Batch) -> Result<(), StoreError> {
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| StoreError::engine("a batch is too long"));
    out.clear();
    out.put_bytes(0, CHECKSUM_END);
    out.put_u64(0);
    out.put_u64(sequence);
    out.put_i64(batch.version.0);
    for (key, value) in &batch.rows {
        out.put_u32(length(key.stored().len())?);
        out.put_u32(value.as_ref().map_or(Ok(0), |value| length(value.len() + 1))?);
        out.put_slice(key.stored());
        out.put_slice(value.as_deref().unwrap_or_default());
    }
    let body = u64::from(length(out.len() - HEADER_LEN)?);
    out.put_bytes(0, out.len().next_multiple_of(ALIGNMENT) - out.len());
    put_at(out, CHECKSUM_END, &body.to_be_bytes());
    let checksum = checksum(id, out.get(CHECKSUM_END..).unwrap_or_default());
    put_at(out, 0, &MAGIC.to_be_bytes());
    put_at(out, 4, &checksum.to_be_bytes());
    Ok(())
}

fn put_at(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Of a record's bytes behind the checksum, in this journal.
fn checksum(id: [u8; 16], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id);
    hasher.update(bytes);
    hasher.finalize()
}

/// Reads a file's records.
struct Records {
    id: [u8; 16],
    bytes: Bytes,
    /// Where the next record begins.
    at: usize,
    /// The number of the one before.
    last: Option<u64>,
}

impl Records {
    /// The records of the file's last turn behind `moved`, up to which the data file has them. The turn ends with the
    /// first record that is not good, where `at` is then.
    fn read(&mut self, moved: u64) -> Result<Vec<(u64, Batch)>, String> {
        let mut found: Vec<(u64, Batch)> = Vec::new();
        while let Some((sequence, version, body, next)) = self.record_at(self.at) {
            if self.last.is_some_and(|last| sequence != last + 1) {
                break;
            }
            if sequence > moved {
                let batch = decode(version, body).ok_or_else(|| {
                    format!("the record of commit {sequence} at offset {} does not decode", self.at)
                })?;
                found.push((sequence, batch));
            }
            (self.last, self.at) = (Some(sequence), next);
        }
        let newest = self.last.map_or(moved, |last| last.max(moved));
        let mut at = self.at;
        while at < self.bytes.len() {
            if let Some((sequence, ..)) = self.record_at(at).filter(|(sequence, ..)| *sequence > newest) {
                return Err(format!(
                    "the record at offset {} does not match its checksum, though the record of commit {sequence} at offset \
                     {at} was written after it",
                    self.at
                ));
            }
            at += ALIGNMENT;
        }
        Ok(found)
    }

    /// Number, version and body of the record at a place, and where it ends.
    fn record_at(&self, at: usize) -> Option<(u64, Version, Bytes, usize)> {
        let mut header = self.bytes.get(at..at + HEADER_LEN)?;
        let (magic, expected, body) = (header.get_u32(), header.get_u32(), header.get_u64());
        if magic != MAGIC {
            return None;
        }
        let (sequence, version) = (header.get_u64(), Version(header.get_i64()));
        let body_end = at.checked_add(HEADER_LEN)?.checked_add(usize::try_from(body).ok()?)?;
        let end = body_end.checked_next_multiple_of(ALIGNMENT)?;
        let checked = self.bytes.get(at + CHECKSUM_END..end)?;
        (checksum(self.id, checked) == expected)
            .then(|| (sequence, version, self.bytes.slice(at + HEADER_LEN..body_end), end))
    }
}

fn decode(version: Version, mut body: Bytes) -> Option<Batch> {
    let mut rows = BTreeMap::new();
    while !body.is_empty() {
        let key_len = usize::try_from(body.try_get_u32().ok()?).ok()?;
        let value_len = usize::try_from(body.try_get_u32().ok()?).ok()?.checked_sub(1);
        if body.len() < key_len.checked_add(value_len.unwrap_or_default())? {
            return None;
        }
        let key = Key::from_stored(body.split_to(key_len))?;
        rows.insert(key, value_len.map(|length| body.split_to(length)));
    }
    Some(Batch { version, rows })
}
