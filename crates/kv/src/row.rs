//! Rows as readers see them, and as engines store them: eight bytes of version, then the value.

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::StoreError;
use crate::key::Key;
use crate::version::Version;

const VERSION_LEN: usize = 8;

/// One row of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it lives.
    pub key: Key,
    /// What was written.
    pub value: Bytes,
    /// The commit that wrote it.
    pub version: Version,
}

impl Row {
    /// How an engine stores a value written by this commit.
    pub(crate) fn encode(version: Version, value: &[u8]) -> Bytes {
        let mut stored = BytesMut::with_capacity(VERSION_LEN + value.len());
        stored.put_slice(&version.to_bytes());
        stored.put_slice(value);
        stored.freeze()
    }

    /// Reads what [`Row::encode`] wrote; the value is not copied.
    pub(crate) fn decode(key: Key, mut stored: Bytes) -> Result<Row, StoreError> {
        if stored.len() < VERSION_LEN {
            return Err(StoreError::corrupt("a row is shorter than its version"));
        }
        let version =
            Version::from_bytes(&stored.split_to(VERSION_LEN)).ok_or_else(StoreError::corrupt_version)?;
        Ok(Row { key, value: stored, version })
    }
}
