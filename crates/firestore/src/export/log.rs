//! Files of records: LevelDB's log format. Blocks of 32 KiB; a record is one part, or a first, middle ones and a last. A part is
//! its masked CRC-32C (of type and data), its length (two bytes), its type and its data, and crosses no block; fewer than seven
//! bytes at the end of a block are zeros.
//!
//! Source: LevelDB's `doc/log_format.md`.

use std::io::{self, Read, Write};

use super::{Fault, RECORD_BYTES_MAX};

const BLOCK_LEN: usize = 32 << 10;
const HEADER_LEN: usize = 7;
const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// CRC-32C of type and data, masked as LevelDB does.
fn checksum(kind: u8, data: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[kind]), data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes records.
pub struct LogWriter<W> {
    to: W,
    in_block: usize,
    /// Bytes written so far.
    pub len: u64,
}

impl<W: Write> LogWriter<W> {
    /// At the beginning of a file.
    pub fn new(to: W) -> Self {
        Self { to, in_block: 0, len: 0 }
    }

    /// Appends a record.
    pub fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let mut rest = record;
        let mut is_first = true;
        loop {
            let left = BLOCK_LEN - self.in_block;
            if left < HEADER_LEN {
                self.put([0; HEADER_LEN].get(..left).unwrap_or_default())?;
                continue;
            }
            let room = left - HEADER_LEN;
            let (part, after) = rest.split_at(room.min(rest.len()));
            let kind = match (is_first, after.is_empty()) {
                (true, true) => WHOLE,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            self.put(&checksum(kind, part).to_le_bytes())?;
            self.put(&length.to_le_bytes())?;
            self.put(&[kind])?;
            self.put(part)?;
            (rest, is_first) = (after, false);
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.in_block = (self.in_block + bytes.len()) % BLOCK_LEN;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The file, once all records are written.
    pub fn into_inner(self) -> W {
        self.to
    }
}

/// Why no record could be read.
#[derive(Debug)]
pub enum Unreadable {
    File(io::Error),
    Record(u64, Fault),
}

/// Reads records.
pub struct LogReader<R> {
    from: R,
    at: u64,
}

impl<R: Read> LogReader<R> {
    /// At the beginning of a file.
    pub fn new(from: R) -> Self {
        Self { from, at: 0 }
    }

    /// The next record and the byte where it begins; `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, Unreadable> {
        let (mut record, mut start) = (Vec::new(), None);
        loop {
            self.skip_padding()?;
            let part_at = self.at;
            let Some((kind, mut data)) = self.part(start)? else {
                return match start {
                    None => Ok(None),
                    Some(start) => Err(Unreadable::Record(start, Fault::CutShort)),
                };
            };
            match (kind, start) {
                (WHOLE, None) => return Ok(Some((part_at, data))),
                (FIRST, None) => start = Some(part_at),
                (MIDDLE | LAST, Some(_)) => {}
                _ => return Err(Unreadable::Record(part_at, Fault::Part(kind))),
            }
            let start_at = start.unwrap_or(part_at);
            if record.len() + data.len() > RECORD_BYTES_MAX {
                return Err(Unreadable::Record(start_at, Fault::TooLong));
            }
            record.append(&mut data);
            if kind == LAST {
                return Ok(Some((start_at, record)));
            }
        }
    }

    fn left_in_block(&self) -> usize {
        BLOCK_LEN - usize::try_from(self.at % BLOCK_LEN as u64).unwrap_or(0)
    }

    fn skip_padding(&mut self) -> Result<(), Unreadable> {
        let left = self.left_in_block();
        if left < HEADER_LEN {
            let at = self.at;
            let padding = self.take(left)?;
            if padding.iter().any(|byte| *byte != 0) {
                return Err(Unreadable::Record(at, Fault::Shape("end of a block")));
            }
        }
        Ok(())
    }

    /// A part's type and data; `None` at the end of the file.
    fn part(&mut self, start: Option<u64>) -> Result<Option<(u8, Vec<u8>)>, Unreadable> {
        let (at, room) = (self.at, self.left_in_block() - HEADER_LEN);
        let header = self.take(HEADER_LEN)?;
        let fault = |fault| Unreadable::Record(start.unwrap_or(at), fault);
        let &[a, b, c, d, low, high, kind] = header.as_slice() else {
            return if header.is_empty() { Ok(None) } else { Err(fault(Fault::CutShort)) };
        };
        let length = usize::from(u16::from_le_bytes([low, high]));
        if length > room {
            return Err(fault(Fault::Shape("part of a record: it is longer than its block")));
        }
        let data = self.take(length)?;
        if data.len() < length {
            return Err(fault(Fault::CutShort));
        }
        let (expected, found) = (u32::from_le_bytes([a, b, c, d]), checksum(kind, &data));
        if expected != found {
            return Err(fault(Fault::Checksum { expected, found }));
        }
        Ok(Some((kind, data)))
    }

    /// The next bytes; fewer at the end of the file.
    fn take(&mut self, len: usize) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::with_capacity(len);
        (&mut self.from).take(len as u64).read_to_end(&mut bytes).map_err(Unreadable::File)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(records: &[Vec<u8>]) -> Vec<u8> {
        let mut log = LogWriter::new(Vec::new());
        records.iter().for_each(|record| log.push(record).unwrap());
        assert_eq!(log.len, log.to.len() as u64);
        log.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Unreadable> {
        let mut log = LogReader::new(bytes);
        let mut records = Vec::new();
        while let Some((_, record)) = log.next()? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn records_of_every_length_around_a_block_come_back() {
        let records: Vec<_> = (BLOCK_LEN - 40..BLOCK_LEN + 40)
            .chain([0, 1, 5 * BLOCK_LEN + 3])
            .map(|len| (0..len).map(|at| (at % 251) as u8).collect())
            .collect();
        assert_eq!(read(&written(&records)).unwrap(), records);
    }

    #[test]
    fn the_version_of_an_export_has_these_bytes() {
        let bytes = [0xb8, 0x6d, 0x44, 0x4e, 1, 0, 1, b'3', 0x05, 0x2b, 0x28, 0x43, 0, 0, 1];
        assert_eq!(written(&[b"3".to_vec(), Vec::new()]), bytes);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found_where_it_is() {
        let records = [vec![7; 10], vec![9; BLOCK_LEN], vec![1; 3]];
        let whole = written(&records);
        for at in (0..64).chain(BLOCK_LEN - 20..whole.len()) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            match read(&damaged) {
                Err(Unreadable::Record(start, _)) => assert!(start <= at as u64, "{at}: {start}"),
                other => panic!("byte {at}: {other:?}"),
            }
        }
        let ends = [0, 17];
        for cut in (0..40).chain(BLOCK_LEN..BLOCK_LEN + 20) {
            let is_whole = ends.contains(&cut);
            assert_eq!(read(&whole[..cut]).is_ok(), is_whole, "cut at {cut}");
        }
    }
}
