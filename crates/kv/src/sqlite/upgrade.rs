//! From older layouts: the rows are copied into a new file, which then takes the old one's place.
//!
//! A crash at any moment leaves the old file, from which the next start begins anew, or the new one.

use std::path::Path;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::copy::NewFile;
use super::file;
use super::mark::{MarkFile, Promise};
use super::pages::Pages;
use crate::error::StoreError;
use crate::key::Key;
use crate::meta::{self, Mark};
use crate::version::Version;

const ROWS_BYTES_MAX: usize = 4 << 20;
const ROWS: &str = "SELECT kv.k, CASE typeof(kv.v) WHEN 'integer' THEN big.v ELSE kv.v END
    FROM kv LEFT JOIN big ON big.id = kv.v ORDER BY kv.k";

/// Brings the folder's data file to the present layout.
pub(super) fn upgrade(folder: &Path) -> Result<(), StoreError> {
    let data = file::data_path(folder);
    let new = folder.join("store.sqlite.new");
    file::remove_if_there(&new)?;
    let explain = |error: rusqlite::Error| file::explain(&data, &error);
    let old = Connection::open_with_flags(&data, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(explain)?;
    let mut copy = NewFile::create(&new)?;
    let (mut version, mut mark) = (Version::ZERO, Mark::random()?);
    {
        let mut select = old.prepare(ROWS).map_err(explain)?;
        let mut rows = select.query([]).map_err(explain)?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(explain)? {
            let (key, value) = read(row).map_err(explain)?;
            let key = Key::from_stored(key).ok_or_else(|| StoreError::damaged(&data, "a key is empty"))?;
            if key == meta::version_key() {
                version = Version::from_bytes(&value).ok_or_else(StoreError::corrupt_version)?;
            }
            if key == meta::journal_key() {
                mark = Mark::decode(&value)?;
            }
            bytes += key.stored().len() + value.len();
            page.push((key, value));
            if bytes >= ROWS_BYTES_MAX {
                copy.add(&page)?;
                page.clear();
                bytes = 0;
            }
        }
        page.push((meta::journal_key(), mark.encode()));
        copy.add(&page)?;
    }
    copy.finish(version)?;
    // Empties and removes the old file's log, which must not lie beside the new file.
    old.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).map_err(explain)?;
    old.close().map_err(|(_, error)| explain(error))?;
    let promise =
        Promise { journal: mark.journal, acknowledged: mark.sequence, moved: mark.sequence, file_bytes: 0 };
    let pages = Pages::new(&new, MarkFile::create(folder, promise)?);
    pages.adopt()?;
    pages.mark.sync()?;
    std::fs::rename(&new, &data).map_err(|error| StoreError::io("create", &data, &error))?;
    file::sync_folder(folder)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Bytes, Bytes)> {
    let bytes = |value: ValueRef<'_>| Ok::<_, rusqlite::Error>(Bytes::copy_from_slice(value.as_blob()?));
    Ok((bytes(row.get_ref(0)?)?, bytes(row.get_ref(1)?)?))
}
