//! The store's own rows: header, log floor, change log. The only place that knows their keys.
//!
//! | key | value |
//! |---|---|
//! | `FF "header"` | format (4 bytes), epoch (16 bytes) |
//! | `FF "floor"` | version: the change log is complete after it; the bytes of all entries that were removed |
//! | `FF "version"` | version of the newest batch, written by engines that need a row for it |
//! | `FF "journal"` | the journal's id (16 bytes), the number of the newest batch that was moved from it |
//! | `F1 <version>` | change-log entry of that commit |

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::StoreError;
use crate::key::{Key, KeyRange, Keyspace};
use crate::version::Version;

/// The newest stored format this program reads and writes.
pub(crate) const FORMAT: u32 = 1;

const META: Keyspace = Keyspace(0xFF);
const LOG: Keyspace = Keyspace(0xF1);

pub(crate) fn header_key() -> Key {
    Key::new(META, b"header")
}

pub(crate) fn floor_key() -> Key {
    Key::new(META, b"floor")
}

pub(crate) fn version_key() -> Key {
    Key::new(META, b"version")
}

pub(crate) fn journal_key() -> Key {
    Key::new(META, b"journal")
}

pub(crate) fn log_key(version: Version) -> Key {
    Key::new(LOG, &version.to_bytes())
}

/// The log entries after one version, up to and with another.
pub(crate) fn log_range(after: Version, up_to: Version) -> KeyRange {
    let behind = |version: Version| log_key(Version(version.0.saturating_add(1)));
    KeyRange::between(behind(after.max(Version::ZERO)), behind(up_to))
}

/// The commit a log key belongs to.
pub(crate) fn log_version(key: &Key) -> Result<Version, StoreError> {
    Version::from_bytes(key.as_bytes()).ok_or_else(StoreError::corrupt_version)
}

/// What identifies a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) epoch: [u8; 16],
}

impl Header {
    /// The header of a new database.
    pub(crate) fn random() -> Result<Self, StoreError> {
        Ok(Self { epoch: base::id::random_bytes().map_err(StoreError::engine)? })
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(20);
        out.put_u32(FORMAT);
        out.put_slice(&self.epoch);
        out.freeze()
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        let corrupt = || StoreError::corrupt("the header does not decode");
        let (format, epoch) = stored.split_first_chunk().ok_or_else(corrupt)?;
        let found = u32::from_be_bytes(*format);
        if found > FORMAT {
            return Err(StoreError::NewerFormat { found, known: FORMAT });
        }
        Ok(Self { epoch: epoch.try_into().map_err(|_| corrupt())? })
    }
}

/// Where the change log begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Floor {
    /// It is complete after this version.
    pub(crate) version: Version,
    /// The bytes of all entries that were removed.
    pub(crate) removed_bytes: u64,
}

impl Floor {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(16);
        out.put_slice(&self.version.to_bytes());
        out.put_u64(self.removed_bytes);
        out.freeze()
    }

    /// Reads what [`Floor::encode`] wrote, also before it counted bytes.
    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        let (version, removed) = stored.split_first_chunk::<8>().ok_or_else(StoreError::corrupt_version)?;
        let version = Version::from_bytes(version).ok_or_else(StoreError::corrupt_version)?;
        let removed_bytes = match removed {
            [] => 0,
            removed => u64::from_be_bytes(removed.try_into().map_err(|_| StoreError::corrupt_version())?),
        };
        Ok(Self { version, removed_bytes })
    }
}

/// Which journal belongs to a data file, and how much of it the file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) journal: [u8; 16],
    pub(crate) sequence: u64,
}

impl Mark {
    /// Of a journal that does not exist yet.
    pub(crate) fn random() -> Result<Self, StoreError> {
        Ok(Self { journal: base::id::random_bytes().map_err(StoreError::engine)?, sequence: 0 })
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(24);
        out.put_slice(&self.journal);
        out.put_u64(self.sequence);
        out.freeze()
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        let parts = || {
            let (journal, sequence) = stored.split_first_chunk()?;
            Some(Self { journal: *journal, sequence: u64::from_be_bytes(sequence.try_into().ok()?) })
        };
        parts().ok_or_else(|| StoreError::corrupt("the journal's mark does not decode"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_with_both_numbers() {
        let mut stored = Header { epoch: [7; 16] }.encode().to_vec();
        assert_eq!(Header::decode(&stored), Ok(Header { epoch: [7; 16] }));
        stored[3] = 9;
        let error = Header::decode(&stored).unwrap_err();
        assert_eq!(error, StoreError::NewerFormat { found: 9, known: FORMAT });
        assert_eq!(Header::decode(&stored[..3]), Err(StoreError::corrupt("the header does not decode")));
    }

    #[test]
    fn the_log_range_leaves_out_its_start_and_holds_its_end() {
        let range = log_range(Version(5), Version(7));
        let inside: Vec<i64> = (3..10).filter(|v| range.contains(&log_key(Version(*v)))).collect();
        assert_eq!(inside, [6, 7]);
        assert_eq!(log_version(&log_key(Version(7))), Ok(Version(7)));
    }
}
