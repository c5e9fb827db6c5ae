//! The tables: rows under their keys, and large values aside.
//!
//! `kv` is one B-tree of keys and values. A search compares with whole rows, so a value that spills
//! over many pages would be read by every search that passes it, and rows kept in inner pages make the
//! tree deep. Large values therefore lie in `big`, and their row holds an integer in place of a blob.
//! Triggers remove them with the row, also when somebody deletes it by hand.
//!
//! Every stored value ends with four bytes: the CRC-32 of its key and itself. It is checked whenever a row is read, so
//! that no damaged value, and no value of another row, is ever taken for the right one.

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql, params};

use crate::engine::{Budget, Slice};
use crate::key::{Key, KeyRange};
use crate::scan::Scan;

/// What ends a stored value.
const CHECKSUM_LEN: usize = 4;

/// Keys and values that are longer together keep the value aside.
const ROW_BYTES_MAX: usize = 1024;

const SCHEMA: &str = "
    CREATE TABLE kv(k BLOB NOT NULL PRIMARY KEY, v NOT NULL) WITHOUT ROWID;
    CREATE TABLE big(id INTEGER PRIMARY KEY, v BLOB NOT NULL);
    CREATE TRIGGER big_replaced AFTER UPDATE OF v ON kv WHEN typeof(old.v) = 'integer'
        BEGIN DELETE FROM big WHERE id = old.v; END;
    CREATE TRIGGER big_deleted AFTER DELETE ON kv WHEN typeof(old.v) = 'integer'
        BEGIN DELETE FROM big WHERE id = old.v; END;";

const UPSERT: &str = "INSERT INTO kv(k, v) VALUES(?1, ?2) ON CONFLICT(k) DO UPDATE SET v = excluded.v";
const DELETE: &str = "DELETE FROM kv WHERE k = ?1";
const INSERT_BIG: &str = "INSERT INTO big(v) VALUES(?1)";
const SELECT: &str = "SELECT v FROM kv WHERE k = ?1";
const SELECT_BIG: &str = "SELECT v FROM big WHERE id = ?1";
const SCAN_FORWARD: &str = "SELECT k, v FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k";
const KEYS: &str = "SELECT k FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k LIMIT ?3";
const SCAN_REVERSE: &str = "SELECT k, v FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k DESC";

/// Makes the tables in an empty file.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)
}

/// Bytes bound as a blob.
struct Blob<'a>(&'a [u8]);

impl ToSql for Blob<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0)))
    }
}

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What is there is not what was written.
    #[error("{0}")]
    Damaged(String),
}

/// Writes rows on one connection.
pub(super) struct Rows<'a> {
    upsert: CachedStatement<'a>,
    delete: CachedStatement<'a>,
    insert_big: CachedStatement<'a>,
    /// Reused from row to row.
    stored: Vec<u8>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            upsert: connection.prepare_cached(UPSERT)?,
            delete: connection.prepare_cached(DELETE)?,
            insert_big: connection.prepare_cached(INSERT_BIG)?,
            stored: Vec::new(),
        })
    }

    pub(super) fn put(&mut self, key: &Key, value: &[u8]) -> rusqlite::Result<()> {
        self.stored.clear();
        self.stored.extend_from_slice(value);
        self.stored.extend_from_slice(&checksum(key.stored(), value).to_be_bytes());
        if key.stored().len() + self.stored.len() <= ROW_BYTES_MAX {
            self.upsert.execute(params![Blob(key.stored()), Blob(&self.stored)])?;
        } else {
            let id = self.insert_big.insert(params![Blob(&self.stored)])?;
            self.upsert.execute(params![Blob(key.stored()), id])?;
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &Key) -> rusqlite::Result<()> {
        self.delete.execute(params![Blob(key.stored())])?;
        Ok(())
    }
}

/// The value of a key.
pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<Bytes>, ReadError> {
    let mut select = connection.prepare_cached(SELECT)?;
    let mut rows = select.query(params![Blob(key.stored())])?;
    rows.next()?.map(|row| value(connection, key.stored(), row.get_ref(0)?)).transpose()
}

/// Rows of a range, up to the limits of the scan.
pub(super) fn scan(connection: &Connection, range: &KeyRange, scan: Scan) -> Result<Slice, ReadError> {
    let mut budget = Budget::new(scan);
    let mut slice = Slice::default();
    let mut select = connection.prepare_cached(if scan.reverse { SCAN_REVERSE } else { SCAN_FORWARD })?;
    let mut rows = select.query(params![Blob(range.start.stored()), Blob(range.end.stored())])?;
    while let Some(row) = rows.next()? {
        if budget.is_spent() {
            slice.more = true;
            break;
        }
        let key = row.get_ref(0)?.as_blob().map_err(|error| ReadError::Damaged(format!("a key: {error}")))?;
        let value = value(connection, key, row.get_ref(1)?)?;
        if !budget.take(key.len(), value.len()) {
            slice.more = true;
            break;
        }
        let Some(key) = Key::from_stored(Bytes::copy_from_slice(key)) else {
            return Err(ReadError::Damaged("a key is empty".to_owned()));
        };
        slice.rows.push((key, value));
    }
    Ok(slice)
}

/// The first keys of a range, without a look at what they hold.
pub(super) fn keys(connection: &Connection, range: &KeyRange, max: usize) -> Result<Vec<Key>, ReadError> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(KEYS)?;
    let mut rows = select.query(params![Blob(range.start.stored()), Blob(range.end.stored()), max])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(key(row.get_ref(0)?)?);
    }
    Ok(keys)
}

fn key(stored: ValueRef<'_>) -> Result<Key, ReadError> {
    let key = stored.as_blob().map_err(|error| ReadError::Damaged(format!("a key: {error}")))?;
    Key::from_stored(Bytes::copy_from_slice(key))
        .ok_or_else(|| ReadError::Damaged("a key is empty".to_owned()))
}

/// The value a row holds or points to, if it is the one that was written there.
fn value(connection: &Connection, key: &[u8], held: ValueRef<'_>) -> Result<Bytes, ReadError> {
    match held {
        ValueRef::Integer(id) => {
            let mut select = connection.prepare_cached(SELECT_BIG)?;
            let mut rows = select.query(params![id])?;
            match rows.next()? {
                Some(row) => checked(key, row.get_ref(0)?),
                None => Err(damaged(key, "its value is missing")),
            }
        }
        held => checked(key, held),
    }
}

/// The value without its checksum.
fn checked(key: &[u8], held: ValueRef<'_>) -> Result<Bytes, ReadError> {
    let stored = held.as_blob().map_err(|error| damaged(key, &error.to_string()))?;
    let Some((value, expected)) = stored.split_last_chunk::<CHECKSUM_LEN>() else {
        return Err(damaged(key, "its value is shorter than its checksum"));
    };
    let (expected, found) = (u32::from_be_bytes(*expected), checksum(key, value));
    if expected != found {
        let reason = format!("its checksum is {found:08x}, {expected:08x} was written");
        return Err(damaged(key, &reason));
    }
    Ok(Bytes::copy_from_slice(value))
}

fn damaged(key: &[u8], reason: &str) -> ReadError {
    let key = Key::from_stored(Bytes::copy_from_slice(key)).map(|key| key.to_string());
    ReadError::Damaged(format!("row `{}`: {reason}", key.unwrap_or_default()))
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Keyspace;

    #[test]
    fn a_large_value_lies_aside_and_goes_with_its_row() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        let key = Key::new(Keyspace(1), b"k");
        let aside =
            || connection.query_row("SELECT count(*) FROM big", [], |row| row.get::<_, i64>(0)).unwrap();
        let mut rows = Rows::of(&connection).unwrap();
        let longest = ROW_BYTES_MAX - key.stored().len() - CHECKSUM_LEN;
        for (length, expected) in [(longest, 0), (longest + 1, 1), (100_000, 1), (5, 0), (100_000, 1)] {
            let value = vec![b'v'; length];
            rows.put(&key, &value).unwrap();
            assert_eq!(aside(), expected, "{length}");
            assert_eq!(get(&connection, &key).unwrap().unwrap(), value);
        }
        rows.delete(&key).unwrap();
        assert_eq!(aside(), 0);
        assert_eq!(get(&connection, &key).unwrap(), None);
    }

    #[test]
    fn a_flipped_bit_in_a_value_or_a_key_is_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        let mut rows = Rows::of(&connection).unwrap();
        for (name, length) in [(b"a", 10), (b"b", 5000)] {
            rows.put(&Key::new(Keyspace(1), name), &vec![b'v'; length]).unwrap();
        }
        let all = KeyRange::prefix(Keyspace(1), b"");
        assert_eq!(scan(&connection, &all, Scan::default()).unwrap().rows.len(), 2);
        let damages = [
            "UPDATE kv SET v = CAST(substr(v, 1, 3) || 'w' || substr(v, 5) AS BLOB) WHERE k = x'0161'",
            "UPDATE kv SET k = x'0163' WHERE k = x'0161'",
            "UPDATE big SET v = CAST('w' || substr(v, 2) AS BLOB)",
            "DELETE FROM big",
            "UPDATE kv SET v = x'' WHERE k = x'0161'",
            "UPDATE kv SET v = 'text' WHERE k = x'0161'",
        ];
        for damage in damages {
            connection.execute_batch("BEGIN").unwrap();
            assert!(connection.execute(damage, []).unwrap() > 0, "{damage}");
            assert!(
                matches!(scan(&connection, &all, Scan::default()), Err(ReadError::Damaged(_))),
                "{damage}"
            );
            connection.execute_batch("ROLLBACK").unwrap();
        }
        let key = Key::new(Keyspace(1), b"b");
        connection.execute("DELETE FROM big", []).unwrap();
        assert!(matches!(get(&connection, &key), Err(ReadError::Damaged(_))), "it is not called missing");
    }
}
