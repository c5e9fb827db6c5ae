//! The tables: rows under their keys, and large values aside.
//!
//! `kv` is one B-tree of keys and values. A search compares with whole rows, so a value that spills
//! over many pages would be read by every search that passes it, and rows kept in inner pages make the
//! tree deep. Large values therefore lie in `big`, and their row holds an integer in place of a blob.
//! Triggers remove them with the row, also when somebody deletes it by hand.

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql, params};

use crate::engine::{Budget, Slice};
use crate::error::StoreError;
use crate::key::{Key, KeyRange};
use crate::scan::Scan;

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

/// Writes rows on one connection.
pub(super) struct Rows<'a> {
    upsert: CachedStatement<'a>,
    delete: CachedStatement<'a>,
    insert_big: CachedStatement<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            upsert: connection.prepare_cached(UPSERT)?,
            delete: connection.prepare_cached(DELETE)?,
            insert_big: connection.prepare_cached(INSERT_BIG)?,
        })
    }

    pub(super) fn put(&mut self, key: &Key, value: &[u8]) -> rusqlite::Result<()> {
        if key.stored().len() + value.len() <= ROW_BYTES_MAX {
            self.upsert.execute(params![Blob(key.stored()), Blob(value)])?;
        } else {
            let id = self.insert_big.insert(params![Blob(value)])?;
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
pub(super) fn get(connection: &Connection, key: &Key) -> rusqlite::Result<Option<Bytes>> {
    let mut select = connection.prepare_cached(SELECT)?;
    select.query_row(params![Blob(key.stored())], |row| value(connection, row.get_ref(0)?)).optional()
}

/// Rows of a range, up to the limits of the scan.
pub(super) fn scan(
    connection: &Connection,
    range: &KeyRange,
    scan: Scan,
) -> rusqlite::Result<Result<Slice, StoreError>> {
    let mut budget = Budget::new(scan);
    let mut slice = Slice::default();
    let mut select = connection.prepare_cached(if scan.reverse { SCAN_REVERSE } else { SCAN_FORWARD })?;
    let mut rows = select.query(params![Blob(range.start.stored()), Blob(range.end.stored())])?;
    while let Some(row) = rows.next()? {
        if budget.is_spent() {
            slice.more = true;
            break;
        }
        let key = row.get_ref(0)?.as_blob()?;
        let value = value(connection, row.get_ref(1)?)?;
        if !budget.take(key.len(), value.len()) {
            slice.more = true;
            break;
        }
        let Some(key) = Key::from_stored(Bytes::copy_from_slice(key)) else {
            return Ok(Err(StoreError::corrupt("a key is empty")));
        };
        slice.rows.push((key, value));
    }
    Ok(Ok(slice))
}

/// The value a row holds or points to.
fn value(connection: &Connection, held: ValueRef<'_>) -> rusqlite::Result<Bytes> {
    match held {
        ValueRef::Integer(id) => connection
            .prepare_cached(SELECT_BIG)?
            .query_row(params![id], |row| Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?))),
        held => Ok(Bytes::copy_from_slice(held.as_blob()?)),
    }
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
        let longest = ROW_BYTES_MAX - key.stored().len();
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
}
