//! The change feed's entries and how the log keeps them.
//!
//! One entry per commit: format byte, the bytes of all entries before it (format 2), note, then each row's key,
//! before-image and after-image. Lengths are LEB128; an absent field is length 0, a present one its length plus one.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::StoreError;
use crate::key::Key;
use crate::row::Row;
use crate::version::Version;

const ENTRY_FORMAT: u8 = 2;
/// Without the number of bytes before it.
const ENTRY_FORMAT_1: u8 = 1;
const BEGIN_LEN: usize = 8;

/// What one commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub version: Version,
    /// The note of its transaction.
    pub note: Option<Bytes>,
    /// The rows it wrote, in the order of their keys. A deletion of what was not there is left out.
    pub rows: Vec<RowChange>,
}

/// What one commit did to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Which row.
    pub key: Key,
    /// The row before the commit.
    pub before: Option<Row>,
    /// The value after it; the row's version is the commit's.
    pub after: Option<Bytes>,
}

impl Change {
    /// The log entry of this change, behind so many bytes of entries since the log began.
    pub(crate) fn encode(&self, begin: u64) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(ENTRY_FORMAT);
        out.put_u64(begin);
        put_optional(&mut out, self.note.as_deref());
        put_length(&mut out, self.rows.len());
        for row in &self.rows {
            put_optional(&mut out, Some(row.key.stored()));
            put_optional(&mut out, row.before.as_ref().map(|before| &*before.value));
            if let Some(before) = &row.before {
                out.put_i64(before.version.0);
            }
            put_optional(&mut out, row.after.as_deref());
        }
        out.freeze()
    }

    /// Reads what [`Change::encode`] wrote. Values share the entry's memory.
    pub(crate) fn decode(version: Version, mut entry: Bytes) -> Result<Change, StoreError> {
        let corrupt = || StoreError::corrupt("a change-log entry does not decode");
        match entry.try_get_u8().map_err(|_| corrupt())? {
            ENTRY_FORMAT if entry.len() >= BEGIN_LEN => entry.advance(BEGIN_LEN),
            ENTRY_FORMAT_1 => {}
            _ => return Err(corrupt()),
        }
        let note = take_optional(&mut entry).ok_or_else(corrupt)?;
        let count = take_length(&mut entry).ok_or_else(corrupt)?;
        // A row takes three bytes at least, so a corrupt count cannot ask for much memory.
        let mut rows = Vec::with_capacity(count.min(entry.len() / 3));
        for _ in 0..count {
            rows.push(take_row(&mut entry).ok_or_else(corrupt)?);
        }
        if entry.is_empty() { Ok(Change { version, note, rows }) } else { Err(corrupt()) }
    }
}

/// The bytes of all entries up to and with this one; zero where that was not counted yet.
pub(crate) fn log_end(entry: &[u8]) -> u64 {
    match entry.split_first() {
        Some((&ENTRY_FORMAT, rest)) => {
            let begin = rest.first_chunk().map_or(0, |begin| u64::from_be_bytes(*begin));
            begin.saturating_add(entry.len() as u64)
        }
        _ => 0,
    }
}

fn take_row(entry: &mut Bytes) -> Option<RowChange> {
    let key = Key::from_stored(take_optional(entry)??)?;
    let before = match take_optional(entry)? {
        None => None,
        Some(value) => {
            let version = Version(entry.try_get_i64().ok()?);
            Some(Row { key: key.clone(), value, version })
        }
    };
    let after = take_optional(entry)?;
    Some(RowChange { key, before, after })
}

fn put_length(out: &mut BytesMut, length: usize) {
    let mut rest = length;
    while rest >= 0x80 {
        // The mask leaves seven bits, so nothing is cut off.
        out.put_u8((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

fn take_length(entry: &mut Bytes) -> Option<usize> {
    let mut length = 0usize;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = entry.try_get_u8().ok()?;
        length |= usize::from(byte & 0x7F).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

fn put_optional(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => out.put_u8(0),
        Some(bytes) => {
            put_length(out, bytes.len() + 1);
            out.put_slice(bytes);
        }
    }
}

fn take_optional(entry: &mut Bytes) -> Option<Option<Bytes>> {
    match take_length(entry)?.checked_sub(1) {
        None => Some(None),
        Some(length) if length <= entry.len() => Some(Some(entry.split_to(length))),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Keyspace;

    fn change() -> impl Strategy<Value = Change> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let row = (bytes(), proptest::option::of((bytes(), 0..i64::MAX)), proptest::option::of(bytes()));
        (0..i64::MAX, proptest::option::of(bytes()), proptest::collection::vec(row, 0..4)).prop_map(
            |(version, note, rows)| Change {
                version: Version(version),
                note,
                rows: rows
                    .into_iter()
                    .map(|(key, before, after)| {
                        let key = Key::new(Keyspace(3), &key);
                        let before =
                            before.map(|(value, v)| Row { key: key.clone(), value, version: Version(v) });
                        RowChange { key, before, after }
                    })
                    .collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn an_entry_decodes_to_what_was_encoded(change in change()) {
            let entry = change.encode(70_000);
            prop_assert_eq!(log_end(&entry), 70_000 + entry.len() as u64);
            let of_format_1 = [&[ENTRY_FORMAT_1], &entry[1 + BEGIN_LEN..]].concat();
            prop_assert_eq!(log_end(&of_format_1), 0);
            prop_assert_eq!(Change::decode(change.version, of_format_1.into()), Ok(change.clone()));
            prop_assert_eq!(Change::decode(change.version, entry), Ok(change));
        }

        #[test]
        fn a_cut_or_longer_entry_is_refused(change in change(), cut in any::<prop::sample::Index>()) {
            let entry = change.encode(3);
            let cut = entry.slice(..cut.index(entry.len()));
            prop_assert!(Change::decode(change.version, cut).is_err());
            let longer = [&entry[..], &[0]].concat();
            prop_assert!(Change::decode(change.version, longer.into()).is_err());
        }

        #[test]
        fn any_bytes_decode_or_fail_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Change::decode(Version(1), [vec![ENTRY_FORMAT], bytes].concat().into());
        }
    }
}
