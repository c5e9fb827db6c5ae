//! A look at a data file that changes nothing in its folder.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::file;
use super::wal::Log;
use crate::error::StoreError;

/// A connection that reads and leaves no trace.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let explain = |error: rusqlite::Error| file::explain(path, &error);
    if file::length(Log::of(path).path())?.unwrap_or_default() == 0 {
        // Beside an immutable file SQLite makes none.
        let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        return Connection::open_with_flags(format!("file:{name}?immutable=1"), flags).map_err(explain);
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(explain)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(explain)?;
    connection.pragma_update(None, "query_only", true).map_err(explain)?;
    Ok(connection)
}
